"""Where the heads and actions of a batch go: into the open scene, or each into its own file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import bpy

from ..exchange.contract import result_names
from ..problems import Problem
from ..scene import identity
from ..scene.animation import head_of_face
from ..scene.context_parts import scene_of
from ..scene.result_table import DONE, Row
from ..scene.separate import separate_scene, write_scene
from ..scene.workplace import Workplace
from .items import Destination, FileJob

Rows = Mapping[str, Row]


class Result(Protocol):
    """What a batch leaves behind.

    Attributes
    ----------
    table
        Name of the text that says what became of each file.
    heads
        Numbers in the session of the heads of the open file that the batch has made or updated.
    """

    table: str
    heads: list[int]

    def has(self, context: bpy.types.Context, path: Path, rows: Rows) -> bool:
        """Tell whether what a file gives is there already."""
        ...

    def put(self, context: bpy.types.Context, item: FileJob, value: Any, rows: Rows) -> Row:
        """Keep what the worker has found in a file."""
        ...


class InThisFile:
    """Heads in a row of a scene, and an action for each film.

    Parameters
    ----------
    place
        Where.
    in_sight
        As in `places.free_place`.
    """

    table = "SynergyFace Batch"

    def __init__(self, place: Workplace, in_sight: bool = False) -> None:
        self.heads: list[int] = []
        self._place, self._in_sight = place, in_sight

    def has(self, context: bpy.types.Context, path: Path, rows: Rows) -> bool:
        """Tell whether an earlier batch has done the file, and the scene still has what it gave."""
        row = rows.get(str(path))
        return row is not None and row.state == DONE and _in_scene(scene_of(context), path)

    def put(self, context: bpy.types.Context, item: FileJob, value: Any, rows: Rows) -> Row:
        """Tell where there is room in the row."""
        scene, collection = self._place.scene(context), self._place.collection(context)
        given = item.put(value, Destination(scene, collection, in_sight=self._in_sight))
        self.heads += [head.session_uid for head in given.heads]
        return Row(str(item.path), DONE, len(given.heads), given.remark)


class FileEach:
    """A .blend file for each photo and film; the open file stays as it is.

    Parameters
    ----------
    like
        Of its scene they get the frame rate, where a film does not know better.
    folder
        Of the .blend files.
    paths
        All photos and films of the batch. Those that differ only in their endings keep these in
        the names of their .blend files, no two of which are the same.

    Raises
    ------
    Problem
        There is no such folder.
    """

    table = "SynergyFace Batch Files"

    def __init__(self, like: Workplace, folder: Path, paths: Sequence[Path]) -> None:
        if not folder.is_dir():
            raise Problem(f"There is no folder {folder}.", "Create it, or choose another folder.")
        self.heads: list[int] = []
        self._like = like
        names = result_names([path.name for path in paths])
        self._targets = {
            path: folder / f"{name}.blend" for path, name in zip(paths, names, strict=True)
        }

    def has(self, context: bpy.types.Context, path: Path, rows: Rows) -> bool:
        """Return the .blend file is there; it is never written over."""
        return self._targets[path].exists()

    def put(self, context: bpy.types.Context, item: FileJob, value: Any, rows: Rows) -> Row:
        """In a scene that is removed once it is written."""
        target = self._targets[item.path]
        with separate_scene(item.path.stem, self._like.scene(context)) as scene:
            given = item.put(value, Destination(scene, scene.collection, separate=True))
            scene.view_layers[0].objects.active = given.heads[-1] if given.heads else None
            write_scene(scene, target)
            detail = f"{target} {given.remark}".rstrip()
            return Row(str(item.path), DONE, len(given.heads), detail)


def _in_scene(scene: bpy.types.Scene, path: Path) -> bool:
    source = str(path)
    return bool(identity.heads_of(scene.objects, source)) or any(
        head_of_face(scene, source, action[identity.FACE_INDEX])
        for action in bpy.data.actions
        if action.get(identity.SOURCE) == source
    )
