"""Which people a training never sees."""

from __future__ import annotations

import hashlib


def is_held_out(identity: str, one_in: int) -> bool:
    """Whether a person belongs to the validation set; depends on the name alone."""
    digest = hashlib.sha256(identity.encode()).digest()
    return int.from_bytes(digest[:4], "little") % one_in == 0
