"""Performances as CSV files of Live Link Face, Epic's app for the iPhone.

A file has a row for every frame: a timecode, the number of values, the 52 keys with a capital first
letter, and the angles of head and eyes in radians. The app repeats and drops frames; some of its
versions leave out head and eyes, and tools that write such files order the columns as they like. So
columns are found by their names.

Angles are those of ARKit, whose axes point to the person's left, up, and out of the face: yaw turns
about the second (positive to the person's left), pitch about the first (positive down), roll about
the third, ``R = R_y(yaw) R_x(pitch) R_z(roll)``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .expressions import EXPRESSION_NAMES

Array = NDArray[np.floating]

RATE = 60.0
TIMECODE, COUNT = "Timecode", "BlendShapeCount"
ANGLES = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
    "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
)  # fmt: skip
N_KEYS = len(EXPRESSION_NAMES)
# Frames a second that timecodes count in, and the seconds of a take that tell which.
RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0)
TELLING_SECONDS = 2
DAY = 86_400.0
# Every column of a file that is made: keys, then angles.
_APPLE = tuple(name[0].upper() + name[1:] for name in EXPRESSION_NAMES)


class LiveLinkError(ValueError):
    """A file that is none of Live Link Face's; its text is for people."""


@dataclass(frozen=True)
class LiveLinkTake:
    """One recording, F frames whose times rise.

    Attributes
    ----------
    seconds
        (F,) float64 since the first frame.
    keys
        (F, 52) float32 in the order of `EXPRESSION_NAMES`; keys that the file has not are 0.
    angles
        (F, 9) float32 radians, in the order of `ANGLES`; None if the file has none of them.
    missing
        Names of the keys that the file has not.
    first_timecode
        Seconds of the first frame's timecode, since midnight.
    """

    seconds: NDArray[np.float64]
    keys: NDArray[np.float32]
    angles: NDArray[np.float32] | None
    missing: tuple[str, ...] = ()
    first_timecode: float = 0.0


def read_live_link(text: str) -> LiveLinkTake:
    """Read a file.

    Parameters
    ----------
    text
        All of it. Blank lines, spaces around values, capitals and the order of columns do not
        matter. Frames that repeat a timecode are left out, those that are missing stay missing.

    Raises
    ------
    LiveLinkError
        It is no such file, or a value in it is none; the line and column are named.
    """
    rows = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(csv.reader(text.lstrip("\ufeff").splitlines()), start=1)
        if any(cell.strip() for cell in row)
    ]
    if not rows:
        raise LiveLinkError("The file is empty.")
    columns = _columns(rows[0][1])
    frames = rows[1:]
    if not frames:
        raise LiveLinkError("The file has a header, but no frames.")
    values = np.array([_values(number, row, columns) for number, row in frames], np.float64)
    seconds = _seconds([(number, row[columns[TIMECODE]]) for number, row in frames])
    # The first of equal timecodes stays.
    fresh = np.greater(np.diff(np.maximum.accumulate(seconds), prepend=-1), 0)
    names = [name for name in columns if name not in (TIMECODE, COUNT)]
    by_name = dict(zip(names, list(values[fresh].T), strict=True))
    nothing = np.zeros(int(fresh.sum()))
    keys = np.stack([by_name.get(name, nothing) for name in _APPLE], axis=1)
    angles = None
    if any(name in by_name for name in ANGLES):
        angles = np.stack([by_name.get(name, nothing) for name in ANGLES], 1).astype(np.float32)
    missing = tuple(
        name for name, apple in zip(EXPRESSION_NAMES, _APPLE, strict=True) if apple not in by_name
    )
    began = float(seconds[0])
    return LiveLinkTake(
        seconds[fresh] - began, keys.astype(np.float32), angles, missing, began % DAY
    )


def write_live_link(take: LiveLinkTake, rate: float = RATE) -> str:
    """The text of a file.

    Parameters
    ----------
    take
        Its frames keep their times: their timecodes have fractions of a frame.
    rate
        Frames a second that the timecodes count in.
    """
    angles = take.angles
    if angles is None:
        angles = np.zeros((len(take.seconds), 0), np.float32)
    names = (*_APPLE, *ANGLES[: angles.shape[1]])
    lines = [",".join((TIMECODE, COUNT, *names))]
    values = np.column_stack([take.keys, angles]).tolist()
    for second, row in zip(take.seconds.tolist(), values, strict=True):
        cells = (f"{value:.10g}" for value in row)
        code = timecode(take.first_timecode + second, rate)
        lines.append(",".join((code, str(len(names)), *cells)))
    return "\n".join(lines) + "\n"


def timecode(seconds: float, rate: float = RATE) -> str:
    """Hours, minutes, seconds, frames and thousandths of a frame: 00:01:02:30.500."""
    thousandths = round(seconds * rate * 1000)
    each = round(rate * 1000)
    whole, rest = divmod(thousandths, each)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours % 24:02}:{minutes:02}:{whole % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def resampled(seconds: Array, values: Array, rate: float = RATE) -> tuple[Array, Array]:
    """Rows at an even rate, by straight lines; what lies in gaps (NaN) holds the last value.

    Parameters
    ----------
    seconds
        (F,) rising.
    values
        (F, C).

    Returns
    -------
    (G,) seconds from the first on, and (G, C).
    """
    known = np.isfinite(values.sum(axis=1))
    if not known.any():
        return np.zeros(0), np.zeros((0, values.shape[1]))
    row = np.maximum.accumulate(np.where(known, np.arange(len(known)), known.argmax()))
    held = values[row]
    count = max(1, math.floor((seconds[-1] - seconds[0]) * rate + 1e-6) + 1)
    even = seconds[0] + np.arange(count) / rate
    return even, np.stack([np.interp(even, seconds, column) for column in held.T], axis=1)


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where each known column is."""
    known = {name.casefold(): name for name in (TIMECODE, COUNT, *_APPLE, *ANGLES)}
    found: dict[str, int] = {}
    for index, name in enumerate(header):
        proper = known.get(name.casefold())
        if proper is None:
            continue
        if proper in found:
            raise LiveLinkError(f"Two columns are named {proper}.")
        found[proper] = index
    if TIMECODE not in found:
        raise LiveLinkError(
            f"The first line has no column {TIMECODE}. A file of Live Link Face begins with "
            f"{TIMECODE},{COUNT},{_APPLE[0]}."
        )
    if not any(name in found for name in _APPLE):
        raise LiveLinkError(
            f"The first line names none of the 52 expressions, such as {_APPLE[0]} or JawOpen."
        )
    return found


def _values(number: int, row: Sequence[str], columns: dict[str, int]) -> list[float]:
    if len(row) <= max(columns.values()):
        raise LiveLinkError(
            f"Line {number} has {len(row)} values, and the first line names more columns."
        )
    values = []
    for name, index in columns.items():
        if name in (TIMECODE, COUNT):
            continue
        try:
            value = float(row[index])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise LiveLinkError(f"Line {number}: {name} is {row[index]!r}, which is no number.")
        values.append(value)
    return values


def _seconds(codes: Iterable[tuple[int, str]]) -> NDArray[np.float64]:
    """(F,) of timecodes, over midnight on."""
    parts = [_parts(number, code) for number, code in codes]
    rate = _rate(parts)
    seconds = np.array([whole + frames / rate for whole, frames in parts])
    # A day further after each midnight.
    return seconds + DAY * np.concatenate([[0], np.cumsum(np.diff(seconds) < -DAY / 2)])


def _parts(number: int, code: str) -> tuple[float, float]:
    """Whole seconds, and frames."""
    fields = code.replace(";", ":").split(":")
    try:
        hours, minutes, seconds = (float(field) for field in fields[:3])
        frames = float(fields[3]) if len(fields) > 3 else 0.0
        if len(fields) > 4 or min(hours, minutes, seconds, frames) < 0 or frames >= max(RATES):
            raise ValueError
    except ValueError:
        raise LiveLinkError(
            f"Line {number}: {code!r} is no timecode such as 10:24:31:07.250."
        ) from None
    return hours * 3600 + minutes * 60 + seconds, frames


def _rate(parts: Sequence[tuple[float, float]]) -> float:
    """Frames a second: the app's, unless the frames of several seconds never come so far."""
    if len({whole for whole, _ in parts}) <= TELLING_SECONDS + 1:
        return RATE
    highest = max(frames for _, frames in parts)
    return next((rate for rate in RATES if highest < rate), RATE)
