"""Names and passwords in addresses, which belong neither into logs nor into lists of processes."""

from __future__ import annotations

import re

_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def without_secrets(text: str) -> str:
    """Take name and password out of every address in a text."""
    return _LOGIN.sub("***@", text)
