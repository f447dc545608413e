"""Put reconstructed faces into the scene: make new heads, or update those of the same photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy

from ..exchange.contract import FacesResult, StaticModel
from ..problems import NotNow, Problem
from . import head as head_mesh
from . import identity, material, modifiers, parts, regions
from .appearance import Appearance, has_cavity, key_set_of
from .key_sets import NAMED, key_set
from .mesh_data import mesh_of
from .places import free_place
from .pose import has_pose_empty, pose_empty

# Its arrows reach a finger's breadth out of the head, so that they can be clicked.
EMPTY_SIZE = 0.11


def put_faces(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    source: str,
    name: str,
    model: StaticModel,
    result: FacesResult,
    subdivision: int = 0,
    in_sight: bool = False,
) -> list[bpy.types.Object]:
    """Make or update one head per face.

    Parameters
    ----------
    scene
        Heads of the same photo are looked for in it.
    collection
        Takes new objects.
    source
        Identity of the photo: its absolute path, or ``image:`` and a data-block's name.
    name
        Stem of the names of new data-blocks.
    model, result
        From the backend.
    subdivision
        Levels that new heads have in renders.
    in_sight
        As in `places.free_place`.

    Returns
    -------
    The heads, in the order of the faces: mesh objects with identity transform, each under a pose
    Empty. The Empty of an updated head keeps its transform, new ones stand in a row.

    Raises
    ------
    NotNow
        A head that should be updated is being edited. The scene is as before.
    Problem
        The data cannot be used.
    """
    # A copy that the user made of a head has the same identity: the first is the original.
    known = identity.heads_of(scene.objects, source)
    heads = {head[identity.UUID]: head for head in reversed(known)}
    matches = identity.match_faces(
        [identity.known_face(head) for head in heads.values()],
        [face.roi_box for face in result.faces],
    )
    for match in filter(None, matches):
        _check_not_edited(heads[match])
    placed = []
    for index, (face, match) in enumerate(zip(result.faces, matches, strict=True)):
        stem = name if len(result.faces) == 1 else f"{name} face {index}"
        if match is None:
            place = free_place(scene, in_sight=in_sight)
            head = new_head(collection, stem, model, face)
            pose_empty(head).location = place
            modifiers.subdivide(head, subdivision)
        else:
            head = update_head(heads[match], stem, model, face)
        identity.write_properties(head, head[identity.UUID], source, index, face, result.image_size)
        placed.append(head)
    return placed


def replace_faces(
    heads: Sequence[bpy.types.Object], source: str, model: StaticModel, result: FacesResult
) -> None:
    """Make heads anew from another photo, or from their own that lies elsewhere now.

    Parameters
    ----------
    heads
        Each takes the face at its place in the photo, else the largest that is left.
    source, model, result
        As in `put_faces`.

    Raises
    ------
    NotNow
        One of them is being edited. The scene is as before.
    Problem
        The photo has fewer faces, or the data cannot be used.
    """
    if len(result.faces) < len(heads):
        count = f"{len(result.faces)} face{'s' if len(result.faces) != 1 else ''}"
        raise Problem(
            f"The photo shows {count}, but {len(heads)} heads are selected.",
            "Select fewer heads, or choose another photo.",
        )
    for head in heads:
        _check_not_edited(head)
    known = [_share(identity.known_face(head).roi_box, head[identity.IMAGE_SIZE]) for head in heads]
    found = [_share(face.roi_box, result.image_size) for face in result.faces]
    for head, index in zip(heads, identity.faces_for(known, found), strict=True):
        face = result.faces[index]
        update_head(head, head.name, model, face)
        identity.write_properties(head, head[identity.UUID], source, index, face, result.image_size)


def _share(box: identity.Box, image_size: Sequence[int]) -> identity.Box:
    """Return a box in parts of its photo, so that photos of other sizes can be compared."""
    return [value / image_size[axis % 2] for axis, value in enumerate(box)]


def _check_not_edited(head: bpy.types.Object) -> None:
    if head.mode != "OBJECT":
        raise NotNow(
            f"The head {head.name!r} is being edited.", "Switch to Object Mode, and try again."
        )


def new_head(
    collection: bpy.types.Collection, name: str, model: StaticModel, face: Appearance
) -> bpy.types.Object:
    """Make a head with its Empty and its parts, without motion or memory of where it came from.

    Raises
    ------
    Problem
        The data cannot be used. Nothing has been made then.
    """
    key = identity.new_uuid()
    made: list[Callable[[], None]] = []
    try:
        image = material.set_texture(f"{name} texture", key, face.texture_png)
        if image is not None:
            made.append(lambda: bpy.data.images.remove(image))
        mesh = head_mesh.new_mesh(f"{name} head", model, face.neutral, open_mouth=has_cavity(face))
        made.append(lambda: bpy.data.meshes.remove(mesh))
        skin = material.set_material(mesh, f"{name} skin", key, image)
        made.append(lambda: bpy.data.materials.remove(skin))
        head = bpy.data.objects.new(f"{name} head", mesh)
        head[identity.UUID], head[identity.KEYS] = key, key_set_of(face).identifier
        head_mesh.set_keys(head, model, face)
        regions.set_regions(head, model)
        material.darken_mouth(mesh, model)
        head.parent = empty = _new_empty(f"{name} pose", key)
        made.append(lambda: bpy.data.objects.remove(empty))
        if face.whole is not None:
            parts.put_parts(head, name, model, face.whole, skin)
    except Exception:
        for undo in reversed(made):
            undo()
        raise
    for object in (empty, head, *parts.parts_of(head).values()):
        collection.objects.link(object)
    return head


def _new_empty(name: str, key: str) -> bpy.types.Object:
    empty = bpy.data.objects.new(name, None)
    empty[identity.UUID] = key
    empty.empty_display_type = "ARROWS"
    empty.empty_display_size = EMPTY_SIZE
    empty.rotation_mode = "QUATERNION"
    return empty


def update_head(
    head: bpy.types.Object, name: str, model: StaticModel, face: Appearance
) -> bpy.types.Object:
    """Give a head another shape, expression and texture; what the user did to it stays.

    It keeps its kind of keys. Parts that it lacks are made, if it has named keys.
    """
    material.put_texture(head, name, face.texture_png)
    head_mesh.reshape(head, model, face)
    regions.set_regions(head, model)
    mesh = mesh_of(head)
    material.darken_mouth(mesh, model)
    if face.whole is not None and key_set(head) == NAMED and has_pose_empty(head):
        skin = material.set_material(mesh, f"{name} skin", head[identity.UUID], None)
        for part in parts.put_parts(head, name, model, face.whole, skin):
            for collection in head.users_collection:
                collection.objects.link(part)
    return head
