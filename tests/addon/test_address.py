"""Which addresses the add-on talks to: loopback, and nothing else."""

from __future__ import annotations

import pytest

from addon.connection.client import BackendClient, parse_address
from tests.addon.refusals import refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8123", ("127.0.0.1", 8123)),
        (" http://localhost:1/ ", ("127.0.0.1", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("127.9.9.9:80", ("127.9.9.9", 80)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    ["192.168.1.2:80", "example.com:80", "0.0.0.0:80", "[::]:80", "127.1:80", "2130706433:80",
     "localhost.evil.example:80", "[::ffff:8.8.8.8]:80", "127.0.0.1.evil.example:80"],
)  # fmt: skip
def test_other_computers_are_refused(text: str) -> None:
    error = refused(parse_address, text)
    assert error.code == "not-loopback"
    assert "SSH tunnel" in error.remedy
    assert refused(BackendClient, 80, "token", text.rpartition(":")[0]).code == "not-loopback"


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:80",
     "https://127.0.0.1:80", "http://127.0.0.1:80/path", "user@127.0.0.1:80", "127.0.0.1:8 0"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    assert refused(parse_address, text).code == "bad-address"
