"""What tracking has found so far, on disk, so that work that was cut off goes on from there."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import TEMPORARY, atomic_path
from backend.morphable_model.boxes import RoiBox
from backend.tracking.best_views import View
from backend.tracking.history import History
from backend.tracking.tracker import Followed, Memory

# Of the files; those of another version are not read.
VERSION = 4
STATE = "state.npz"
FRAMES = "frames_{}.npz"


@dataclass(frozen=True)
class Progress:
    """What tracking has found in a stretch of frames, and where it stands after them.

    Attributes
    ----------
    times, frames
        (F,) of the frames; see `track.TrackedClip`.
    history
        What was seen in them.
    memory
        The tracker's, afterwards.
    views
        Those of `BestViews`, of this stretch and all before.
    skipped
        Frames that could not be decoded, before as well.
    """

    times: NDArray[np.float64]
    frames: NDArray[np.int64]
    history: History
    memory: Memory
    views: dict[tuple[int, int], View]
    skipped: int

    @classmethod
    def joined(cls, stretches: list[Progress]) -> Progress:
        """One stretch after the other, at least one, as one."""
        return replace(
            stretches[-1],
            times=np.concatenate([s.times for s in stretches]),
            frames=np.concatenate([s.frames for s in stretches]),
            history=History.joined([s.history for s in stretches]),
        )


class PartialTracking:
    """Keeps progress in a folder: a file for each stretch of frames, and one for the rest.

    They hold pictures of faces, and are their owner's alone.

    Parameters
    ----------
    folder
        Made when something is kept.
    key
        Names the clip and all that was asked of it: what another key has kept is not taken up.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._key = key
        self._stretches = 0

    def load(self) -> Progress | None:
        """What was kept under this key, or None. Damaged files count as none."""
        try:
            with np.load(self._folder / STATE, allow_pickle=False) as state:
                described = json.loads(str(state["described"]))
                if (described["version"], described["key"]) != (VERSION, self._key):
                    return None
                arrays = dict(state)
            stretches = []
            for number in range(described["stretches"]):
                with np.load(self._stretch(number), allow_pickle=False) as stretch:
                    stretches.append(dict(stretch))
            progress = _progress(described, arrays, stretches)
        except Exception:  # damage raises nearly anything: an empty file EOFError
            return None
        self._stretches = described["stretches"]
        return progress

    def save(self, stretch: Progress) -> None:
        """Keep the stretch that follows the last one, and the state after it.

        Raises
        ------
        BadInputError
            The folder cannot be written to, or the disk is full.
        """
        with atomic_path(self._stretch(self._stretches), private=True) as path:
            np.savez(path, times=stretch.times, frames=stretch.frames, **vars(stretch.history))
        described = {
            "version": VERSION,
            "key": self._key,
            "stretches": self._stretches + 1,
            "skipped": stretch.skipped,
            "memory": _described(stretch.memory),
            "views": [_described_view(key, view) for key, view in stretch.views.items()],
        }
        pictures: dict[str, Any] = {
            f"view_{i}": view.jpeg for i, view in enumerate(stretch.views.values())
        }
        if stretch.memory.thumbnail is not None:
            pictures["thumbnail"] = stretch.memory.thumbnail
        # Last: without it, what was written above does not count.
        with atomic_path(self._folder / STATE, private=True) as path:
            np.savez(path, described=np.array(json.dumps(described)), **pictures)
        self._stretches += 1

    def _stretch(self, number: int) -> Path:
        return self._folder / FRAMES.format(f"{number:05d}")


def discard(folder: Path) -> None:
    """Remove what was kept in a folder, and the folder if nothing else is in it."""
    with suppress(OSError):
        for name in (STATE, FRAMES.format("*"), f"{TEMPORARY}*.npz"):
            for path in folder.glob(name):
                path.unlink()
        folder.rmdir()


def _progress(
    described: dict[str, Any], arrays: dict[str, Any], stretches: list[dict[str, Any]]
) -> Progress:
    names = [field.name for field in fields(History)]
    history = History.joined([History(*(s[name] for name in names)) for s in stretches])
    views = {
        (v["face"], v["side"]): View(
            v["row"], v["score"], (v["corner"][0], v["corner"][1]), v["scale"], arrays[f"view_{i}"]
        )
        for i, v in enumerate(described["views"])
    }
    return Progress(
        np.concatenate([s["times"] for s in stretches]),
        np.concatenate([s["frames"] for s in stretches]),
        history,
        _memory(described["memory"], arrays.get("thumbnail")),
        views,
        described["skipped"],
    )


def _described(memory: Memory) -> dict[str, Any]:
    """All of it but the thumbnail."""
    return {
        "faces": [(f.number, *vars(f.roi_box).values(), f.seen) for f in memory.faces],
        **{
            name: getattr(memory, name)
            for name in ("count", "time", "sought", "thorough_at", "thorough_wait", "change")
        },
    }


def _memory(described: dict[str, Any], thumbnail: NDArray[np.int16] | None) -> Memory:
    faces = tuple(
        Followed(number, RoiBox(x, y, side, roll), seen)
        for number, x, y, side, roll, seen in described.pop("faces")
    )
    return Memory(faces=faces, thumbnail=thumbnail, **described)


def _described_view(key: tuple[int, int], view: View) -> dict[str, Any]:
    return {
        "face": key[0],
        "side": key[1],
        "row": view.row,
        "score": view.score,
        "corner": view.corner,
        "scale": view.scale,
    }
