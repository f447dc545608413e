"""What the add-on's client says when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from addon.connection.client import BackendError


def refused(call: Callable[..., Any], *arguments: Any) -> BackendError:
    """Error of a call, which has words for a person."""
    with pytest.raises(BackendError) as caught:
        call(*arguments)
    assert caught.value.message.endswith((".", "?")) and caught.value.code
    return caught.value
