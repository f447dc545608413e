"""Small files that take minutes or gigabytes to decode, though their pictures are not large."""

from __future__ import annotations

import struct


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">HH", marker, len(content) + 2) + content


def progressive_jpeg(side: int = 4000, scans: int = 6000) -> bytes:
    """Grey, with the same scan again and again: each touches all blocks in 40 bytes."""
    blocks = (side // 8) ** 2
    one_code = bytes([1] + [0] * 15)
    # A run of 2**14 blocks without coefficients is one bit and 14 bits of zero.
    empty = bytes(-(-15 * -(-blocks // 2**14) // 8))
    scan = _segment(0xFFDA, bytes([1, 1, 0x00, 1, 63, 0])) + empty
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xFFDB, b"\0" + b"\1" * 64),
            _segment(0xFFC2, struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0)),
            _segment(0xFFC4, b"\x00" + one_code + b"\x00"),
            _segment(0xFFC4, b"\x10" + one_code + b"\xe0"),
            _segment(0xFFDA, bytes([1, 1, 0x00, 0, 0, 0])) + bytes(-(-blocks // 8)),
            scan * scans,
            b"\xff\xd9",
        ]
    )


def jpeg_2000(side: int = 9000, precinct: int = 15, code_block: int = 0) -> bytes:
    """Grey, in the smallest code blocks, or precincts of `2**precinct` pixels."""
    size = struct.pack(">HIIIIIIIIHBBB", 0, side, side, 0, 0, side, side, 0, 0, 1, 7, 1, 1)
    precincts = bytes([precinct * 0x11])
    coding = bytes([1, 0, 0, 1, 0, 0, code_block, code_block, 0, 1]) + precincts
    tile = _segment(0xFF90, struct.pack(">HIBB", 0, 14, 0, 1)) + b"\xff\x93"
    return b"".join(
        [
            b"\xff\x4f",
            _segment(0xFF51, size),
            _segment(0xFF52, coding),
            _segment(0xFF5C, bytes([0x40, 0x40])),
            tile,
            b"\xff\xd9",
        ]
    )


def flat_jpeg(width: int, height: int) -> bytes:
    """No bomb: mid-grey, of any size, in two bits a block."""
    blocks = -(-width // 8) * -(-height // 8)
    one_code = bytes([1] + [0] * 15)
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xFFDB, b"\0" + b"\1" * 64),
            _segment(0xFFC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)),
            _segment(0xFFC4, b"\x00" + one_code + b"\x00"),
            _segment(0xFFC4, b"\x10" + one_code + b"\x00"),
            _segment(0xFFDA, bytes([1, 1, 0x00, 0, 63, 0])) + bytes(-(-blocks // 4)),
            b"\xff\xd9",
        ]
    )
