"""Networks as ONNX: exported once, kept in the data folder, made again when damaged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from backend.data_folder import atomic_path, data_folder
from backend.errors import BadInputError

T = TypeVar("T")

log = logging.getLogger(__name__)


def load_exported(name: str, export: Callable[[], bytes], load: Callable[[Path | bytes], T]) -> T:
    """Load a network from the file that was kept, or export it and keep that.

    A disk that takes no file costs the next start its time, and nothing else.

    Parameters
    ----------
    name
        Of the network, its weights and all else that went into it.
    export
        Makes the ONNX file's content; takes seconds.
    load
        Makes what runs it from the file, or from its content if there is no file; raises anything
        for what is damaged.
    """
    path = data_folder() / "onnx" / f"{name}.onnx"
    if path.is_file():
        try:
            return load(path)
        except Exception as error:
            log.warning("%s is damaged and is made again (%s)", path, type(error).__name__)
    content = export()
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except BadInputError as error:
        log.warning("%s It is used from memory.", error.problem)
        return load(content)
    return load(path)
