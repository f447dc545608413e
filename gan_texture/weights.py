"""Weights of the generator on disk: one safetensors file, half precision, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

if TYPE_CHECKING:
    from gan_texture.generator import Generator

ARCHITECTURE_KEY = "architecture"

Arrays = dict[str, NDArray[Any]]


def save_generator(generator: Generator, path: Path, half: bool = True) -> None:
    """Write weights with their architecture.

    Parameters
    ----------
    half
        Store float16.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, tensor in generator.state_dict().items():
        narrow = half and tensor.is_floating_point()
        tensors[name] = tensor.detach().cpu().to(torch.float16 if narrow else tensor.dtype)
        tensors[name] = tensors[name].contiguous()
    save_file(tensors, path, {ARCHITECTURE_KEY: json.dumps(generator.architecture.as_dict())})


def read_generator(path: Path) -> tuple[Mapping[str, Any], Arrays]:
    """Read the fields of a generator's architecture, and its arrays in single precision.

    Raises
    ------
    ValueError
        The file is absent, damaged, or holds no generator; the text says which.
    """
    try:
        with safe_open(path, framework="np") as stored:
            architecture = json.loads(stored.metadata()[ARCHITECTURE_KEY])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if not isinstance(architecture, dict):
            raise ValueError("their architecture is not described")
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    return architecture, {
        name: a.astype(np.float32) if np.issubdtype(a.dtype, np.floating) else a
        for name, a in arrays.items()
    }


def load_generator(path: Path) -> Generator:
    """Read weights into a generator in evaluation mode; see `read_generator` for what it raises."""
    import torch

    from gan_texture.generator import Architecture, Generator

    architecture, arrays = read_generator(path)
    try:
        generator = Generator(Architecture(**architecture))
        generator.load_state_dict({n: torch.from_numpy(a) for n, a in arrays.items()})
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    return generator.eval()
