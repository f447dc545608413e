"""Where the heads and actions of a batch go: into the open scene, or each into its own file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import bpy

from .batch_items import SPACING, Item, Stage
from .problems import Problem
from .scene import identity
from .scene.animation import head_of_take
from .scene.result_table import DONE, Row
from .scene.separate import separate_scene, write_scene

Rows = Mapping[str, Row]


class Result(Protocol):
    """What a batch leaves behind.

    Attributes
    ----------
    table
        Name of the text that says what became of each file.
    heads
        Names of objects of the open scene that the batch has made or updated.
    """

    table: str
    heads: list[str]

    def has(self, context: bpy.types.Context, path: Path, rows: Rows) -> bool:
        """Whether what a file gives is there already."""
        ...

    def put(self, context: bpy.types.Context, item: Item, value: Any, rows: Rows) -> Row:
        """Keep what the worker has found in a file."""
        ...


class InThisFile:
    """Heads in a row of the open scene, and an action for each film."""

    table = "SynergyFace Batch"

    def __init__(self) -> None:
        self.heads: list[str] = []

    def has(self, context: bpy.types.Context, path: Path, rows: Rows) -> bool:
        """An earlier batch has done the file, and the scene still has what it gave."""
        row = rows.get(str(path))
        return row is not None and row.state == DONE and _in_scene(context.scene, path)

    def put(self, context: bpy.types.Context, item: Item, value: Any, rows: Rows) -> Row:
        """At the end of the row."""
        place = SPACING * sum(row.heads for row in rows.values())
        heads = item.put(context, value, Stage(context.scene, context.collection, place))
        self.heads += [head.name for head in heads]
        return Row(str(item.path), DONE, len(heads))


class FileEach:
    """A .blend file for each photo and film; the open file stays as it is.

    Parameters
    ----------
    folder
        Of the .blend files.
    paths
        All photos and films of the batch. Those that differ only in their endings keep these in
        the names of their .blend files.

    Raises
    ------
    Problem
        There is no such folder.
    """

    table = "SynergyFace Batch Files"

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        if not folder.is_dir():
            raise Problem(f"There is no folder {folder}.", "Make it, or choose another one.")
        self.heads: list[str] = []
        # Without case, for file systems that do not tell it.
        shared = Counter(path.stem.casefold() for path in paths)
        self._targets = {
            path: folder / f"{path.name if shared[path.stem.casefold()] > 1 else path.stem}.blend"
            for path in paths
        }

    def has(self, context: bpy.types.Context, path: Path, rows: Rows) -> bool:
        """The .blend file is there; it is never written over."""
        return self._targets[path].exists()

    def put(self, context: bpy.types.Context, item: Item, value: Any, rows: Rows) -> Row:
        """In a scene that is removed once it is written."""
        target = self._targets[item.path]
        with separate_scene(item.path.stem, context.scene) as scene:
            heads = item.put(context, value, Stage(scene, scene.collection, separate=True))
            scene.view_layers[0].objects.active = heads[-1] if heads else None
            write_scene(scene, target)
            return Row(str(item.path), DONE, len(heads), str(target))


def _in_scene(scene: bpy.types.Scene, path: Path) -> bool:
    source = str(path)
    return bool(identity.heads_of(scene.objects, source)) or any(
        head_of_take(scene, source, action[identity.FACE_INDEX])
        for action in bpy.data.actions
        if action.get(identity.SOURCE) == source
    )
