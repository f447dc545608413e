"""Refusal of outputs that are inputs, before anything is done."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from backend.errors import BadInputError


def refuse_overwriting(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise unless every output is another file, or folder, than every input.

    Links and other spellings of a path lead to the same file.

    Raises
    ------
    BadInputError
        An output is an input.
    """
    given = list(inputs)
    for output in outputs:
        for path in given:
            if same_file(output, path):
                raise BadInputError(
                    f"{output} is an input ({path}), and the result would replace it.",
                    "Give the result another name or folder.",
                    code="overwrites-input",
                )


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder, or would if there were one."""
    try:
        return one.samefile(other)
    except OSError:
        return _place(one) == _place(other)


def _place(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
