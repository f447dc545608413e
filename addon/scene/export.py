"""Files of a head for other programs, by Blender's own exporters.

Hidden parts are left out, shape keys and motion are kept where the format has them. OBJ has no
shape keys: each becomes a file of its own, with the vertices in the same order. With its material
and texture these lie beside the file that the user has named, and take the place of no other file.
"""

from __future__ import annotations

import filecmp
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any

import bpy

from ..files import written_together
from ..problems import Problem
from .baking import drivers_baked, modifiers_baked, one_key_at_a_time
from .identity import PART, UUID
from .key_sets import NAMED, key_set
from .motion_table import frames_of, is_animated
from .parts import parts_of

Export = Callable[..., None]

# Blender's exporters, and the add-on of Blender's own that has them, if it is not built in.
EXPORTERS = {
    "glb": ("export_scene", "gltf", "glTF 2.0 format"),
    "fbx": ("export_scene", "fbx", "FBX format"),
    "obj": ("wm", "obj_export", ""),
}
# In the name of a file, on one system or the other; and more than 255 bytes.
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
LONGEST = 60


def export_head(
    context: bpy.types.Context,
    head: bpy.types.Object,
    path: Path,
    *,
    shape_keys: bool = True,
    motion: bool = True,
    overwrite: bool = False,
) -> str:
    """Write a head and its parts under its pose Empty; the suffix of `path` chooses the format.

    Parameters
    ----------
    context
        Its view layer must show the head.
    head
        Mesh object that the add-on made.
    path
        Ends in ``.glb``, ``.fbx`` or ``.obj``.
    shape_keys
        With OBJ, write one more file for each.
    motion
        With GLB and FBX, write the present animation too.
    overwrite
        With OBJ, let the files beside `path` take the place of others. Otherwise they have another
        stem if files of their names are there that differ.

    Returns
    -------
    Stem of the files beside `path`.

    Raises
    ------
    Problem
        The head is being edited or is hidden, the format is unknown, Blender's exporter is
        switched off or fails, or the folder cannot be written to. No file has changed then.
    """
    file_format = path.suffix.lower().lstrip(".")
    if file_format not in EXPORTERS:
        raise Problem(
            f"The add-on cannot write files that end in {path.suffix!r}.", "Use .glb, .fbx or .obj."
        )
    if head.mode != "OBJECT":
        raise Problem(
            f"The head {head.name!r} is being edited.", "Switch to Object Mode, and try again."
        )
    export = _exporter(file_format)
    parts = [part for part in parts_of(head).values() if part.visible_get()]
    with (
        written_together(path.parent) as folder,
        _alone_selected(context, head, parts),
        ExitStack() as baked,
    ):
        for object in (head, *parts):
            baked.enter_context(modifiers_baked(object))
        target = folder / path.name
        if file_format == "obj":
            return _write_obj_beside(export, target, [head, *parts], shape_keys, overwrite)
        baked.enter_context(drivers_baked(head, parts))
        moved = motion and is_animated(head)
        if file_format == "fbx" and moved:
            baked.enter_context(_only_frames_of(head, context.scene))
        if file_format == "fbx":
            # Blender 4.2 takes packed textures without a file's name for one and the same.
            baked.enter_context(_textures_named(head, target, written=False))
        if file_format == "glb":
            # Normals of 52 keys would be three quarters of the file, and take a minute.
            _write_glb(export, target, moved, key_normals=key_set(head) != NAMED)
        else:
            _write_fbx(export, target, moved)
        return path.stem


def _exporter(file_format: str) -> Export:
    group, name, addon = EXPORTERS[file_format]
    exporter = getattr(getattr(bpy.ops, group), name)
    if name not in dir(getattr(bpy.ops, group)):
        raise Problem(
            f"Blender's {addon} exporter is turned off.",
            f"Turn on the add-on {addon!r} in Blender's preferences.",
        )

    def export(**options: Any) -> None:
        try:
            finished = exporter(**options) == {"FINISHED"}
        except RuntimeError as error:
            raise Problem(f"Blender's exporter failed. {error}".strip()) from error
        if not finished:
            raise Problem("Blender's exporter failed.", "Blender's console says why.")

    return export


def _write_glb(export: Export, path: Path, motion: bool, *, key_normals: bool) -> None:
    export(
        filepath=str(path),
        export_format="GLB",
        use_selection=True,
        export_animations=motion,
        export_morph_normal=key_normals,
        # Pose and expression are one animation, though two data-blocks have them.
        export_animation_mode="ACTIVE_ACTIONS",
    )


def _write_fbx(export: Export, path: Path, motion: bool) -> None:
    export(
        filepath=str(path),
        use_selection=True,
        object_types={"EMPTY", "MESH"},
        # Applying modifiers would cost the shape keys; they are baked already.
        use_mesh_modifiers=False,
        # The present animation of everything. For all actions it would leave out shape keys.
        bake_anim=motion,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        path_mode="COPY",
        embed_textures=True,
    )


def _write_obj_beside(
    export: Export, path: Path, objects: list[Any], shape_keys: bool, overwrite: bool
) -> str:
    """Write a head and its parts into a folder whose files are then moved one up.

    Returns
    -------
    Stem of the files beside.
    """
    _write_obj(export, path, objects, shape_keys)
    there = path.parent.parent
    beside = [file for file in path.parent.iterdir() if file != path]
    if overwrite or not any(_differs(file, there) for file in beside):
        for file in beside:
            if not overwrite and (there / file.name).exists():
                file.unlink()
        return path.stem
    for file in beside:
        file.unlink()
    stem = _free_stem(path.stem, [file.name for file in beside], there)
    # The files name each other: so they are not renamed, but written anew.
    written = path.with_stem(stem)
    _write_obj(export, written, objects, shape_keys)
    written.replace(path)
    return stem


def _differs(file: Path, folder: Path) -> bool:
    """Tell whether a folder has something else under a file's name."""
    other = folder / file.name
    same = other.is_file() and filecmp.cmp(file, other, shallow=False)
    return _is_taken(other) and not same


def _free_stem(stem: str, names: list[str], folder: Path) -> str:
    """Return the first of stem-2, stem-3, ... of which a folder has none of the names."""

    def free(other: str) -> bool:
        return not any(_is_taken(folder / (other + name.removeprefix(stem))) for name in names)

    return next(filter(free, (f"{stem}-{number}" for number in count(2))))


def _is_taken(path: Path) -> bool:
    # A link that leads nowhere is somebody's, too.
    return path.exists() or path.is_symlink()


def _write_obj(export: Export, path: Path, objects: list[Any], shape_keys: bool) -> None:
    with _textures_named(objects[0], path, written=True):
        _write_shape(export, path, materials=True)
    keys = objects[0].data.shape_keys
    if shape_keys and keys is not None:
        names = [key.name for key in keys.key_blocks]
        with one_key_at_a_time(*objects) as choose:
            for name, file in zip(names, _file_names(names), strict=True):
                choose(name)
                _write_shape(export, path.with_stem(f"{path.stem}_{file}"), materials=False)


def _file_names(names: Iterable[str]) -> Iterator[str]:
    """Yield what may stand in a file's name, in place of names that may hold anything."""
    taken: set[str] = set()
    for name in names:
        clean = FORBIDDEN.sub("_", name)[:LONGEST]
        choices = chain([clean], (f"{clean}-{number}" for number in count(2)))
        # Some file systems do not tell upper case from lower.
        unique = next(choice for choice in choices if choice.casefold() not in taken)
        taken.add(unique.casefold())
        yield unique


def _write_shape(export: Export, path: Path, materials: bool) -> None:
    export(
        filepath=str(path),
        export_selected_objects=True,
        export_materials=materials,
        export_triangulated_mesh=False,
        # The texture lies beside: its name will do.
        path_mode="STRIP",
    )


@contextmanager
def _alone_selected(context: Any, head: Any, parts: list[Any]) -> Iterator[None]:
    """Only the head, its parts and its Empty are selected; afterwards what was before."""
    layer = context.view_layer
    before, active = list(layer.objects.selected), layer.objects.active
    if head.name not in layer.objects or not head.visible_get():
        raise _hidden(head)
    wanted = [object for object in (head.parent, head, *parts) if object is not None]
    with ExitStack() as shown:
        for object in wanted:
            shown.enter_context(_selectable(layer, object))
        try:
            for object in layer.objects.selected:
                object.select_set(False)
            for object in wanted:
                object.select_set(True)
            layer.objects.active = head
            yield
        finally:
            for object in wanted:
                object.select_set(False)
            for object in before:
                object.select_set(True)
            layer.objects.active = active


@contextmanager
def _selectable(layer: Any, object: Any) -> Iterator[None]:
    """Show an object for a while; an Empty is hidden at times, because it is in the way."""
    if object.name not in layer.objects:
        raise _hidden(object)
    before = object.hide_get(), object.hide_viewport, object.hide_select
    try:
        _hide(object, False, False, False)
        layer.update()
        if not object.visible_get():
            raise _hidden(object)
        yield
    finally:
        _hide(object, *before)


def _hide(object: Any, eye: bool, viewport: bool, select: bool) -> None:
    object.hide_viewport, object.hide_select = viewport, select
    object.hide_set(eye)


def _hidden(object: Any) -> Problem:
    return Problem(f"{object.name!r} is hidden.", "Show it, and try again.")


@contextmanager
def _only_frames_of(head: Any, scene: Any) -> Iterator[None]:
    """For a while, the scene is as long as the head's animation."""
    before = scene.frame_start, scene.frame_end
    first, last = frames_of(head)
    try:
        scene.frame_start, scene.frame_end = math.floor(first), math.ceil(last)
        yield
    finally:
        scene.frame_start, scene.frame_end = before


@contextmanager
def _textures_named(head: Any, path: Path, *, written: bool) -> Iterator[None]:
    """For a while, the head's images name files beside `path`, which are written if need be."""
    images: list[Any] = [
        image
        for image in bpy.data.images
        if image.get(UUID) == head[UUID] and image.packed_file is not None
    ]
    before = [image.filepath_raw for image in images]
    try:
        for image in images:
            stem = f"{path.stem}_{image[PART]}" if PART in image else path.stem
            file = path.with_name(f"{stem}.png")
            if written:
                file.write_bytes(image.packed_file.data)
            image.filepath_raw = str(file)
        yield
    finally:
        for image, filepath in zip(images, before, strict=True):
            image.filepath_raw = filepath
