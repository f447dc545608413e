"""What stands beside a face in a whole head: skull, eyes, teeth, tongue, the inside of the mouth.

Each part is a mesh object under the head's pose Empty. Of the face's keys it has those that move
it, and a driver on each takes the value of the face's slider of that name.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..exchange.contract import PartShape, StaticModel, StaticPart, WholeHead
from ..exchange.expressions import EXPRESSION_NAMES
from ..problems import Problem
from . import identity, material, mesh_data, modifiers
from .identity import PART, UUID
from .key_sets import HARD_LIMIT
from .own_keys import own_keys_kept

# What is shown and hidden together, by the first words of the parts' names.
GROUPS = {"eyes": ("eye", "lids"), "teeth": ("teeth", "gums", "tongue"), "skull": ("skull",)}
# Regions of the face that a group takes the place of.
REPLACED = {"eyes": "eye_patches"}
# Material of the parts that are of the face's skin.
SKIN = "skin"
# Inputs of the Principled shader, by the first word of a part's name: what is wet is glossy.
FINISHES: dict[str, material.Finish] = {
    "skull": material.SKIN,
    "eye": {"Roughness": 0.08, "Coat Weight": 0.6, "Coat Roughness": 0.03},
    "teeth": {"Roughness": 0.22, "Coat Weight": 0.3, "Coat Roughness": 0.1},
    "gums": {"Roughness": 0.35, "Coat Weight": 0.25, "Coat Roughness": 0.15},
    "tongue": {"Roughness": 0.45, "Coat Weight": 0.2, "Coat Roughness": 0.25},
    # What would be a hollow mirrors little.
    "cavity": {"Roughness": 0.6, "Specular IOR Level": 0.2},
}
NO_PICTURE = np.zeros(0, np.uint8)


def parts_of(head: bpy.types.Object) -> dict[str, bpy.types.Object]:
    """Return the parts of a head that are there, by their names in the backend's answer."""
    children = head.parent.children if head.parent else ()
    return {
        child[PART]: child
        for child in children
        if child.type == "MESH" and PART in child and child.get(UUID) == head.get(UUID)
    }


def put_parts(
    head: bpy.types.Object,
    stem: str,
    model: StaticModel,
    whole: WholeHead,
    skin: bpy.types.Material,
) -> list[bpy.types.Object]:
    """Give a head's parts a person's shape, and make those that it lacks.

    Parameters
    ----------
    head
        Mesh object of the face, with its named keys, under its Empty.
    stem
        Of the names of new data-blocks.
    model, whole
        What parts are made of, and their shapes.
    skin
        The face's material.

    Returns
    -------
    New parts, in no collection yet.

    Raises
    ------
    Problem
        The data cannot be used. No part has been made then.
    """
    there, made = parts_of(head), {}
    sent = [name for name in model.parts if name in whole.parts]
    pictures = _Pictures(stem, head[UUID], whole, skin)
    try:
        for name in sent:
            if name not in there:
                look = pictures.material(name, model.parts[name].material)
                made[name] = _new_part(head, stem, name, model.parts[name], whole.parts[name])
                mesh_data.mesh_of(made[name]).materials.append(look)
    except Exception:
        bpy.data.batch_remove([*map(mesh_data.mesh_of, made.values()), *pictures.made])
        raise
    for name in sent:
        if name in there:
            _reshape(head, there[name], model.parts[name], whole.parts[name])
    pictures.refresh()
    for group, region in REPLACED.items():
        if region in model.regions and any(_is_of(name, group) for name in made):
            modifiers.show(head, region, shown=False)
    return list(made.values())


def group_of(head: bpy.types.Object, group: str) -> list[bpy.types.Object]:
    """Return the parts of a head that are shown and hidden together."""
    return [part for name, part in parts_of(head).items() if _is_of(name, group)]


def is_shown(head: bpy.types.Object, group: str) -> bool:
    """Whether any of the parts of a group is shown."""
    return any(not part.hide_viewport for part in group_of(head, group))


def show(head: bpy.types.Object, group: str, shown: bool) -> None:
    """Show or hide the parts of a group, and what the face has in place of them otherwise.

    Raises
    ------
    Problem
        The head has none of them.
    """
    found = group_of(head, group)
    if not found:
        raise Problem(
            f"The head {head.name!r} has no {group} of its own.",
            "Make a whole head: set Parts in the panel Face, and run Face from Image.",
        )
    for part in found:
        part.hide_viewport = part.hide_render = not shown
    region = REPLACED.get(group)
    if region is not None and region in head.vertex_groups:
        modifiers.show(head, region, not shown)


def words(name: str) -> str:
    """Return a part's name for people: ``eye_left`` is the left eye."""
    kind, _, where = name.partition("_")
    return f"{where} {kind}".replace("_", " ").strip()


def _is_of(name: str, group: str) -> bool:
    return name.split("_")[0] in GROUPS[group]


def _new_part(
    head: bpy.types.Object, stem: str, name: str, static: StaticPart, shape: PartShape
) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(f"{stem} {words(name)}")
    try:
        mesh_data.fill(mesh, shape.vertices, static.corners, static.sizes, static.uv)
        part = bpy.data.objects.new(mesh.name, mesh)
        part[UUID], part[PART] = head[UUID], name
        part.parent = head.parent
        _set_keys(head, part, shape)
    except Exception:
        bpy.data.meshes.remove(mesh)
        raise
    return part


def _reshape(
    head: bpy.types.Object, part: bpy.types.Object, static: StaticPart, shape: PartShape
) -> None:
    """Give a part another shape; what the user did to it stays, but for another topology."""
    mesh = mesh_data.mesh_of(part)
    same = np.array_equal(mesh_data.corners_of(mesh), static.corners)
    if same and len(mesh.vertices) == len(shape.vertices):
        mesh_data.move(mesh, shape.vertices)
    else:
        mesh_data.empty(part)
        mesh_data.fill(mesh, shape.vertices, static.corners, static.sizes, static.uv)
    _set_keys(head, part, shape)
    mesh.update()


def _set_keys(head: bpy.types.Object, part: bpy.types.Object, shape: PartShape) -> None:
    """Make or refresh the keys that move a part; the user's own follow its shape."""
    with own_keys_kept(part, frozenset(EXPRESSION_NAMES)):
        for key in _keys(part):
            if key.name in EXPRESSION_NAMES and key.name not in shape.keys.names:
                key.driver_remove("value")
                part.shape_key_remove(key)
        if not shape.keys.names and not _keys(part):
            return
        mesh_data.set_basis(part, shape.vertices)
        for name in shape.keys.names:
            moved, offsets = shape.keys.of(name)
            vertices = shape.vertices.copy()
            vertices[moved] += offsets
            drive(mesh_data.set_key(part, name, vertices), head)
    mesh_data.mesh_of(part).update()


def _keys(part: bpy.types.Object) -> list[Any]:
    keys = mesh_data.mesh_of(part).shape_keys
    return list(keys.key_blocks)[1:] if keys else []


def drive(key: Any, head: bpy.types.Object) -> None:
    """Have a part's key follow the face's of its name, by a driver that needs no permission."""
    key.slider_max = HARD_LIMIT
    driver = (_driver_of(key) or key.driver_add("value")).driver
    driver.type = "SUM"
    variable = driver.variables[0] if driver.variables else driver.variables.new()
    # By the object: its mesh may be exchanged for another one.
    variable.targets[0].id = head
    variable.targets[0].data_path = f'data.shape_keys.key_blocks["{key.name}"].value'


def is_driven(key: Any) -> bool:
    """Whether a driver moves a key."""
    return _driver_of(key) is not None


def _driver_of(key: Any) -> Any | None:
    animation, path = key.id_data.animation_data, key.path_from_id("value")
    drivers = animation.drivers if animation else ()
    return next((driver for driver in drivers if driver.data_path == path), None)


class _Pictures:
    """Materials of a head's parts, and the pictures in them, each made when it is first needed.

    Attributes
    ----------
    made
        What the file did not have yet.
    """

    def __init__(self, stem: str, key: str, whole: WholeHead, skin: bpy.types.Material) -> None:
        self.made: list[bpy.types.ID] = []
        self._stem, self._key, self._whole, self._skin = stem, key, whole, skin

    def material(self, name: str, picture: str) -> bpy.types.Material:
        """For a part of that name with that picture; parts of a kind share one."""
        if picture == SKIN:
            return self._skin
        kind = name.split("_")[0]
        known = identity.owned(bpy.data.materials, self._key, kind)
        if known is not None:
            return known
        stem, finish = f"{self._stem} {kind}", FINISHES.get(kind, {})
        look = material.new_part_material(stem, self._key, kind, self._image(picture), finish)
        self.made.append(look)
        return look

    def refresh(self) -> None:
        """Give the pictures that the file has already their present content."""
        for picture in self._whole.images:
            if identity.owned(bpy.data.images, self._key, picture):
                self._set(picture)

    def _image(self, picture: str) -> bpy.types.Image | None:
        known = identity.owned(bpy.data.images, self._key, picture)
        if known is not None:
            return known
        image = self._set(picture)
        if image is not None:
            self.made.append(image)
        return image

    def _set(self, picture: str) -> bpy.types.Image | None:
        png = self._whole.images.get(picture, NO_PICTURE)
        return material.set_texture(f"{self._stem} {picture} texture", self._key, png, picture)
