"""Weights of the generator on disk: one safetensors file, half precision, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gan_texture.generator import Architecture, Generator

ARCHITECTURE_KEY = "architecture"


def save_generator(generator: Generator, path: Path, half: bool = True) -> None:
    """Write weights with their architecture.

    Parameters
    ----------
    half
        Store float16.
    """
    tensors = {}
    for name, tensor in generator.state_dict().items():
        narrow = half and tensor.is_floating_point()
        tensors[name] = tensor.detach().cpu().to(torch.float16 if narrow else tensor.dtype)
        tensors[name] = tensors[name].contiguous()
    save_file(tensors, path, {ARCHITECTURE_KEY: json.dumps(generator.architecture.as_dict())})


def load_generator(path: Path) -> Generator:
    """Read weights into a generator in evaluation mode.

    Raises
    ------
    ValueError
        The file is absent, damaged, or holds no generator; the text says which.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            architecture = Architecture(**json.loads(stored.metadata()[ARCHITECTURE_KEY]))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        generator = Generator(architecture)
        generator.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
        )
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    return generator.eval()
