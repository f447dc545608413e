"""Whether half precision saves time."""

from __future__ import annotations

import torch


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16.

    Without them, arithmetic in bfloat16 was measured to take a hundred times as long as in float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return True  # Older versions of PyTorch cannot say.
    capabilities = torch.cpu.get_capabilities()
    return any(there for name, there in capabilities.items() if name.endswith("bf16"))
