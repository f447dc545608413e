"""Reading what `assets fetch` has stored: one ``.npz`` for each, checked while it is read.

Every member of an ``.npz`` carries a CRC-32, which is verified while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import MissingAssetError
from backend.wheels import FETCH_ADVICE


@contextmanager
def fetched_archive(source: Path, content: str, file: str) -> Iterator[Any]:
    """Open an archive of arrays, by their names.

    Parameters
    ----------
    content, file
        What messages call them: ``The 52 expressions are``, ``The file of the 52 expressions``.

    Raises
    ------
    MissingAssetError
        There is no file, or it is damaged: NumPy, or whatever is raised in the block, says so.
    """
    try:
        with source.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            yield archive
    except FileNotFoundError:
        raise MissingAssetError(
            f"{content} not on this computer ({source}).", FETCH_ADVICE
        ) from None
    except MissingAssetError:
        raise
    except Exception as error:  # NumPy parses headers as Python; damage raises nearly anything
        raise MissingAssetError(f"{file} {source} is damaged ({error}).", FETCH_ADVICE) from error
