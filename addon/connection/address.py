"""Addresses of a backend: this computer's, and no other's."""

from __future__ import annotations

import ipaddress
import re

from .error import BackendError

_ADDRESS = re.compile(r"(?:http://)?(\[[0-9a-fA-F:.]+\]|[^\[\]/:@?#]+):(\d{1,5})/?")


def parse_address(text: str) -> tuple[str, int]:
    """Return the host and port of an address such as ``127.0.0.1:8123`` or
    ``http://localhost:8123/``.

    ``localhost`` becomes 127.0.0.1, so that no name is ever looked up.

    Raises
    ------
    BackendError
        Not an address with a port, or not one of this computer (``not-loopback``).
    """
    match = _ADDRESS.fullmatch(text.strip())
    port = int(match[2]) if match else 0
    if match is None or not 0 < port < 2**16:
        raise BackendError(
            f"{text!r} is not a valid address.",
            "Enter an address and a port, such as 127.0.0.1:8123.",
            "bad-address",
        )
    return loopback_host(match[1].strip("[]")), port


def loopback_host(host: str) -> str:
    """Return `host` as a numeric loopback address.

    Raises
    ------
    BackendError
        Not a loopback address (``not-loopback``).
    """
    if host.lower() == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise BackendError(
            f"{host} is not an address of this computer.",
            "The add-on connects only to 127.0.0.1. For a backend on another computer, open an "
            "SSH tunnel (ssh -L 8123:127.0.0.1:8123 HOST) and enter 127.0.0.1:8123.",
            "not-loopback",
        )
    return str(address)
