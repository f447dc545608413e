"""Devices by name, and the library that computes on each."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from dataclasses import dataclass
from typing import Literal

from backend.errors import BadInputError

Device = Literal["auto", "cpu", "cuda", "mps", "directml", "coreml"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda", "mps", "directml", "coreml")
Library = Literal["onnxruntime", "torch"]

# onnxruntime's names. The package `onnxruntime` has the processor's, and Apple's on a Mac;
# `onnxruntime-gpu` and `onnxruntime-directml`, installed in its place, have theirs too.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
# What `auto` tries before the processor. CoreML is left out: nobody has measured it yet.
PREFERRED = ("cuda", "mps", "directml")


@dataclass(frozen=True)
class Runtime:
    """A device that is there, and the library that computes on it.

    Attributes
    ----------
    device
        One of `DEVICES` but ``auto``.
    library
        ``onnxruntime`` or ``torch``.
    """

    device: str
    library: Library


PROCESSOR = Runtime("cpu", "onnxruntime")


def find_runtime(device: Device) -> Runtime:
    """Choose what computes on a device.

    Parameters
    ----------
    device
        ``auto`` takes the best that is there.

    Raises
    ------
    BadInputError
        The device, or a library that can use it, is not there.
    """
    if device == "cpu":
        return PROCESSOR
    for name in PREFERRED if device == "auto" else (device,):
        if _torch_has(name):
            return Runtime(name, "torch")
        if _onnxruntime_has(name):
            return Runtime(name, "onnxruntime")
    if device == "auto":
        return PROCESSOR
    raise _absent(device)


def find_torch_device(device: Device) -> str:
    """Choose a device of PyTorch's, for what runs on nothing else.

    Raises
    ------
    BadInputError
        PyTorch is not installed, or has no such device.
    """
    if importlib.util.find_spec("torch") is None:
        raise BadInputError(
            "This needs PyTorch, which is not installed.",
            'Install it with pip install "synergyface[gpu]".',
            code="no-torch",
        )
    if device == "cpu":
        return device
    for name in PREFERRED if device == "auto" else (device,):
        if _torch_has(name):
            return name
    if device == "auto":
        return "cpu"
    raise _absent(device)


def _absent(device: str) -> BadInputError:
    return BadInputError(
        f"The device {device} is not available on this computer.",
        f"Use --device cpu, or {_REMEDIES[device]}.",
        code="no-device",
    )


_REMEDIES = {
    "cuda": 'install NVIDIA\'s driver and a PyTorch built for CUDA: pip install "synergyface[gpu]"',
    "mps": 'use a Mac with an Apple chip and PyTorch: pip install "synergyface[gpu]"',
    "directml": "on Windows install onnxruntime-directml in place of onnxruntime",
    "coreml": "use a Mac",
}


def _torch_has(name: str) -> bool:
    """Ask PyTorch for a device; importing it takes seconds, so only where it may have it."""
    possible = _has_nvidia_driver() if name == "cuda" else name == "mps"
    if name == "mps" and sys.platform != "darwin":
        return False
    if not possible or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()


def _onnxruntime_has(name: str) -> bool:
    if name not in PROVIDERS or (name == "cuda" and not _has_nvidia_driver()):
        return False
    import onnxruntime

    return PROVIDERS[name] in onnxruntime.get_available_providers()


def _has_nvidia_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
