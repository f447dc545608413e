"""Names of what is made of files: unique, good on every system, whatever the files are called."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

# Of UTF-8. File systems take 255; endings, numbers and temporary names come on top.
MAX_BYTES = 180
# Windows takes none of these, nor control characters; halves of surrogate pairs are what Python
# makes of bytes that are no UTF-8.
UNUSABLE = re.compile('[\x00-\x1f\x7f<>:"/\\\\|?*\ud800-\udfff]')
# Devices on Windows, whatever follows their first dot.
DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.I)
NAMELESS = "unnamed"


def result_names(files: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Name what is made of each of some files.

    A name is the file's without its ending; with it where that would be another's name.

    Parameters
    ----------
    files
        Names of the files, without folders.
    taken
        Names that are used for something else.

    Returns
    -------
    As many names, in the same order. Not two of them, nor one and a `taken` one, are the same to a
    file system that does not tell case or composed letters apart. Each is the name of a file
    directly in its folder on Linux, macOS and Windows, and is not hidden.
    """
    whole = [usable_name(file) for file in files]
    names = [usable_name(file.rpartition(".")[0].strip(".") or file) for file in files]
    used = {same_name(name) for name in taken}
    while True:
        count = Counter(map(same_name, names))
        crowded = [
            row
            for row, name in enumerate(names)
            if name != whole[row] and (count[same_name(name)] > 1 or same_name(name) in used)
        ]
        if not crowded:
            return list(_told_apart(names, used))
        for row in crowded:
            names[row] = whole[row]


def usable_name(text: str) -> str:
    """Change a text as little as can be so that every system takes it for a file's name."""
    name = UNUSABLE.sub("_", unicodedata.normalize("NFC", text))
    name = name.encode()[:MAX_BYTES].decode(errors="ignore")
    # Hidden on one system; cut off on another.
    name = name.strip(" .") or NAMELESS
    return f"_{name}" if DEVICE.fullmatch(name) else name


def same_name(name: str) -> str:
    """Return the text that is equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def numbered(name: str, used: Collection[str]) -> str:
    """Give the first of ``name``, ``name-2``, ``name-3``, ... that is not in `used`.

    There the names are as `same_name` gives them.
    """
    number, free = 1, name
    while same_name(free) in used:
        number += 1
        free = f"{name}-{number}"
    return free


def _told_apart(names: Sequence[str], taken: set[str]) -> Iterator[str]:
    """Yield the number the names that are taken, or another's too."""
    count = Counter(map(same_name, names))
    single = {name for name, times in count.items() if times == 1} - taken
    used = taken | single
    for name in names:
        if same_name(name) not in single:
            name = numbered(name, used)
            used.add(same_name(name))
        yield name
