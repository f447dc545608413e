"""What pip's output says about how far it is."""

from __future__ import annotations

import re

UNITS = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}

_FILE = re.compile(r"(Downloading|Using cached) (\S+?)-[\w.+!%]+-\S+ \(([\d.]+) (bytes|kB|MB|GB)\)")
_PART = re.compile(r"Progress (\d+) of (\d+)")
_LOOKING = re.compile(r"Collecting ([\w.-]+)")
_LOCAL = re.compile(r"Processing (?:.*[/\\])?([^/\\]+?)-[\w.+!%]+-[^/\\\s]+\.whl")


class PipProgress:
    """Counts the bytes of the packages that pip has got.

    Parameters
    ----------
    expected_bytes
        About how many there will be.

    Attributes
    ----------
    stage
        For a person.
    """

    def __init__(self, expected_bytes: int) -> None:
        self.stage = "Looking for packages"
        self._expected = expected_bytes
        self._had = 0
        self._part = 0

    @property
    def fraction(self) -> float:
        """How far the fetching is, in [0, 1]."""
        return min((self._had + self._part) / self._expected, 1.0)

    def feed(self, line: str) -> bool:
        """Take in a line of pip's; False if it only counts bytes, and is not worth logging."""
        part = _PART.match(line.strip())
        if part:
            self._part = int(part[1])
            return False
        self._read(line)
        return True

    def _read(self, line: str) -> None:
        file = _FILE.search(line)
        found = _LOOKING.search(line) or _LOCAL.search(line)
        if file:
            self._had += self._part
            size = round(float(file[3]) * UNITS[file[4]])
            if file[1] == "Downloading":
                self._part = 0
                self._expected = max(self._expected, self._had + size)
                self.stage = f"Fetching {file[2]} ({file[3]} {file[4]})"
            else:
                self._had, self._part = self._had + size, 0
        elif found:
            self.stage = f"Checking {found[1]}"
        elif line.startswith("Installing collected packages"):
            self._had, self._part = self._expected, 0
            self.stage = "Unpacking the packages"
