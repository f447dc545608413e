"""Colour profiles for tests, made by hand, and the curve of sRGB."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Columns are the XYZ of red, green and blue, adapted to D50: Adobe RGB (1998) by its specification,
# Display P3 by Apple's profile, sRGB by B. Lindbloom.
ADOBE_RGB = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))
DISPLAY_P3 = (
    (0.51512, 0.29198, 0.15710),
    (0.24120, 0.69225, 0.06657),
    (-0.00105, 0.04189, 0.78407),
)
SRGB = (
    (0.4360747, 0.3850649, 0.1430804),
    (0.2225045, 0.7168786, 0.0606169),
    (0.0139322, 0.0971045, 0.7141733),
)
D50 = (0.9642, 1.0, 0.8249)


def fixed(values: ArrayLike) -> bytes:
    """ICC's s15Fixed16Number."""
    numbers = np.round(np.ravel(values) * 65536).astype(int)
    return struct.pack(f">{len(numbers)}i", *numbers)


def profile(space: bytes, kind: bytes, frame: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile, version 2.4, as ICC.1:2001-04 lays it out."""
    offset = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", offset + len(content), len(tag))
        content += tag + bytes(-len(tag) % 4)
    header = struct.pack(">I4sI", offset + len(content), b"none", 0x02400000)
    header += kind + space + frame + bytes(12) + b"acsp" + bytes(28) + fixed(D50)
    return header.ljust(128, b"\0") + table + content


def gamma(value: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(value * 256)) + bytes(2)


def sampled_srgb_curve() -> bytes:
    values = np.round(65535 * linear(np.arange(4096) / 4095)).astype(">u2")
    return b"curv" + struct.pack(">II", 0, len(values)) + values.tobytes()


def xyz(values: ArrayLike) -> bytes:
    return b"XYZ " + bytes(4) + fixed(values)


def screen(primaries: ArrayLike, curve: bytes) -> bytes:
    columns = np.asarray(primaries).T
    tags = {b"wtpt": xyz(D50)}
    tags |= {name: xyz(c) for name, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return profile(b"RGB ", b"mntr", b"XYZ ", tags)


def grey(value: float) -> bytes:
    return profile(b"GRAY", b"mntr", b"XYZ ", {b"wtpt": xyz(D50), b"kTRC": gamma(value)})


def printer(lab_of_skin: tuple[int, int, int]) -> bytes:
    """Yellow and magenta ink make skin; all other full inks that a test uses are white or black."""
    table = np.zeros((2, 2, 2, 2, 3), np.uint8)
    table[:] = (0, 128, 128)
    table[0, 0, 0, 0] = (255, 128, 128)
    table[0, 1, 1, 0] = lab_of_skin
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + fixed(np.eye(3))
    lut += 4 * ramp + table.tobytes() + 3 * ramp
    return profile(b"CMYK", b"prtr", b"Lab ", {b"wtpt": xyz(D50), b"A2B0": lut, b"A2B1": lut})


def linear(value: NDArray[np.floating]) -> NDArray[np.floating]:
    """sRGB's curve (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
