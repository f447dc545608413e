"""The tensors of a PyTorch checkpoint that comes from anywhere.

PyTorch's restricted reader calls nothing that a file names, but a file can overflow its stack, keep
it busy for ever or fill the memory. So it reads in a child process, which has limits.
"""

from __future__ import annotations

import atexit
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import BadInputError
from backend.foreign.children import Children
from backend.foreign.process import Limits, OverLimitError
from backend.foreign.wire import Answer

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "module."
# Address space: PyTorch for CUDA takes ten gigabytes of it before it has read anything.
LIMITS = Limits(memory=2**34, seconds=60)
# The authors' file has 100 MB, and 20 million numbers.
MAX_BYTES = 2**30
MAX_NUMBERS = 2**27
REMEDY = "Files that would run code are refused. Give SynergyNet's best.pth.tar."


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a checkpoint's state dictionary, its floats in single precision.

    Returns
    -------
    Tensors by name, without the ``module.`` that DataParallel puts before it.

    Raises
    ------
    BadInputError
        The file cannot be read without executing code, holds no state dictionary, or is larger than
        a SynergyNet can be.
    """
    import torch

    arguments = {"path": str(path)}
    try:
        reply = _children().call(f"{__name__}:read_in_child", what=str(path), arguments=arguments)
    except OverLimitError as error:
        raise _unreadable(path) from error
    return {
        name: torch.from_numpy(array) for name, array in zip(reply.value, reply.arrays, strict=True)
    }


@cache
def _children() -> Children:
    children = Children(LIMITS)
    atexit.register(children.end)
    return children


def read_in_child(path: str) -> Answer:
    """Read the tensors in this process; see `read_tensors`."""
    import torch

    _check_size(Path(path))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file raises nearly anything
        raise _unreadable(Path(path)) from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) and _is_plain(tensor)
        for name, tensor in state.items()
    ):
        raise BadInputError(f"{path} has no state dictionary.", "Give SynergyNet's best.pth.tar.")
    if sum(tensor.numel() for tensor in state.values()) > MAX_NUMBERS:
        raise _too_large(Path(path))
    arrays = [(t.float() if t.is_floating_point() else t).numpy() for t in state.values()]
    return Answer([name.removeprefix(PREFIX) for name in state], arrays)


def _is_plain(tensor: Tensor) -> bool:
    import torch

    return tensor.layout == torch.strided and not (tensor.is_complex() or tensor.is_quantized)


def _check_size(path: Path) -> None:
    """Refuse archives whose content is larger than they are: PyTorch's are not compressed."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(info.file_size for info in archive.infolist()))
    if size > MAX_BYTES:
        raise _too_large(path)


def _unreadable(path: Path) -> BadInputError:
    return BadInputError(f"{path} cannot be read as a PyTorch checkpoint of plain tensors.", REMEDY)


def _too_large(path: Path) -> BadInputError:
    return BadInputError(
        f"{path} is larger than a checkpoint of SynergyNet.", "Give SynergyNet's best.pth.tar."
    )
