"""Scenes that the open file never shows: built, written to a .blend file of their own, removed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ..files import written_together
from ..problems import Problem
from . import identity


@contextmanager
def separate_scene(name: str, like: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    """Return an empty scene; it is removed afterwards, with all data-blocks that were made
    meanwhile.

    Parameters
    ----------
    name
        Of the scene.
    like
        Has the frame rate that the scene begins with.
    """
    before = _data_blocks()
    scene = bpy.data.scenes.new(name)
    scene.render.fps, scene.render.fps_base = like.render.fps, like.render.fps_base
    try:
        yield scene
    finally:
        # Shape keys go with their mesh.
        made = _data_blocks() - before
        bpy.data.batch_remove([block for block in made if not isinstance(block, bpy.types.Key)])


def write_scene(scene: bpy.types.Scene, path: Path) -> None:
    """Write a scene and all that it needs to a .blend file that opens by itself.

    Raises
    ------
    Problem
        The folder cannot be written to. What was there before is then as it was.
    """
    with written_together(path.parent) as folder:
        try:
            # Not compressed: then Blender does not notice that the disk is full.
            bpy.data.libraries.write(str(folder / path.name), {scene}, path_remap="ABSOLUTE")
        except OSError as error:
            # Blender's own words are "Success" at times.
            raise Problem(
                f"Cannot write {path}.", "Free some space, or choose another folder."
            ) from error


def copied_head(head: bpy.types.Object, collection: bpy.types.Collection) -> bpy.types.Object:
    """Return an independent copy of a head, its Empty, and all that hangs from them or moves them.

    Parameters
    ----------
    head
        Mesh object that the add-on made, under its pose Empty.
    collection
        Takes the copies. They have another identity, so that nothing of the original is taken
        for theirs.
    """
    root = head.parent or head
    before, known = _data_blocks(), head[identity.UUID]
    # By way of a file, because that copies textures, materials and actions too.
    with tempfile.TemporaryDirectory(prefix="synergyface-") as folder:
        path = str(Path(folder) / "head.blend")
        libraries: Any = bpy.data.libraries
        libraries.write(path, {root, *root.children_recursive})
        with libraries.load(path) as (there, here):
            here.objects = list(there.objects)
        copies = dict(zip(there.objects, here.objects, strict=True))
    fresh = identity.new_uuid()
    for block in _data_blocks() - before:
        if block.get(identity.UUID) == known:
            block[identity.UUID] = fresh
    for copy in copies.values():
        collection.objects.link(copy)
    return copies[head.name]


def _data_blocks() -> set[bpy.types.ID]:
    data: Any = bpy.data
    return set(data.user_map())
