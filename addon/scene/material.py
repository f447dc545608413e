"""Principled materials with the texture packed into the .blend file: of the skin and of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import StaticModel
from ..problems import Problem
from .compat import node_tree
from .identity import PART, UUID, owned

# Inputs of the Principled shader, but for its colour.
Finish = Mapping[str, float]

# Skin is neither matt nor shiny; measured faces lie around here.
SKIN = {"Roughness": 0.55}
TEXTURE_NODE = "SynergyFace Texture"
# Linear RGB of the dark between open lips, and the identity of the one material that has it.
MOUTH_COLOR = (0.022, 0.006, 0.005)
MOUTH = "mouth"


def put_texture(head: bpy.types.Object, name: str, png: NDArray[np.uint8]) -> None:
    """Give a head another texture; `name` is the stem of new data-blocks.

    Raises
    ------
    Problem
        Blender cannot read it. Nothing has changed then.
    """
    assert isinstance(head.data, bpy.types.Mesh)
    image = set_texture(f"{name} texture", head[UUID], png)
    set_material(head.data, f"{name} skin", head[UUID], image)


def set_texture(
    name: str, identity: str, png: NDArray[np.uint8], part: str | None = None
) -> bpy.types.Image | None:
    """Image of a head, made or refreshed in its data-block; None if there is no texture.

    Parameters
    ----------
    name
        Of a new data-block.
    identity
        Of the head.
    png
        (N,) bytes of a PNG file.
    part
        What it is of, if not of the skin.

    Raises
    ------
    Problem
        Blender cannot read the texture.
    """
    if not png.size:
        return None
    image: Any = owned(bpy.data.images, identity, part)
    made = image is None
    if image is None:
        image = bpy.data.images.new(name, 1, 1)
    data = png.tobytes()
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    # Not reload(): that looks for a file first, and complains that there is none.
    image.buffers_free()
    image.gl_free()
    if tuple(image.size) == (0, 0):
        if made:
            bpy.data.images.remove(image)
        raise Problem(
            "Blender cannot read the texture that the backend made.",
            "Update the add-on and the backend to the same version.",
        )
    image.colorspace_settings.name = "sRGB"
    image[UUID] = identity
    if part is not None:
        image[PART] = part
    return image


def set_material(
    mesh: bpy.types.Mesh, name: str, identity: str, image: bpy.types.Image | None
) -> bpy.types.Material:
    """Skin of a head with its texture: made if the mesh has none of ours, else kept.

    Other materials on the mesh, and what the user did to ours, stay as they are.
    """
    material = owned(filter(None, mesh.materials), identity)
    if material is None:
        material = bpy.data.materials.new(name)
        material[UUID] = identity
        if owned(filter(None, mesh.materials[:1]), MOUTH):
            # The user removed the skin's slot, and the mouth moved up into its place.
            mesh.materials[0] = material
        else:
            mesh.materials.append(material)
        _add_nodes(material, SKIN)
    if image is not None:
        _show(node_tree(material), image)
    return material


def new_part_material(
    name: str, identity: str, part: str, image: bpy.types.Image | None, finish: Finish
) -> bpy.types.Material:
    """Material of a part of a head, with its picture."""
    material: Any = bpy.data.materials.new(name)
    material[UUID], material[PART] = identity, part
    _add_nodes(material, finish)
    if image is not None:
        _show(node_tree(material), image)
    return material


def darken_mouth(mesh: bpy.types.Mesh, model: StaticModel) -> None:
    """Give the triangles between the lips a dark material, unless they have left the skin's slot.

    All heads of a file share it.

    Parameters
    ----------
    mesh
        A head's, with the model's triangles and then those of its mouth, if it has them.
    """
    indices = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", indices)
    mouth = indices[len(model.triangles) :]
    if not mouth.size or mouth.any():
        return
    material = owned(bpy.data.materials, MOUTH) or _mouth_material()
    if material not in list(mesh.materials):
        mesh.materials.append(material)
    mouth[:] = list(mesh.materials).index(material)
    mesh.polygons.foreach_set("material_index", indices)


def _mouth_material() -> bpy.types.Material:
    material: Any = bpy.data.materials.new("Mouth")
    material[UUID] = MOUTH
    material.diffuse_color = (*MOUTH_COLOR, 1)
    tree = node_tree(material)
    tree.nodes.clear()
    # What would be a hollow mirrors nothing.
    shader = _add_shader(tree, SKIN | {"Specular IOR Level": 0.0})
    shader.inputs["Base Color"].default_value = (*MOUTH_COLOR, 1)
    return material


def _show(tree: bpy.types.NodeTree, image: bpy.types.Image) -> None:
    """Let the texture node, unless the user removed it, have an image."""
    node: Any = tree.nodes.get(TEXTURE_NODE)
    if node is None:
        return
    shader = next((other for other in tree.nodes if other.type == "BSDF_PRINCIPLED"), None)
    if node.image is None and shader is not None:
        tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    if node.image != image:
        node.image = image


def _add_nodes(material: bpy.types.Material, finish: Finish) -> None:
    tree = node_tree(material)
    tree.nodes.clear()
    _add_shader(tree, finish)
    # The texture is linked once it has an image: Blender shows one that has none in magenta.
    texture: Any = tree.nodes.new("ShaderNodeTexImage")
    texture.name = texture.label = TEXTURE_NODE
    texture.location = (-650, 0)


def _add_shader(tree: bpy.types.NodeTree, finish: Finish) -> Any:
    """Return a Principled shader, linked to an output."""
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader: Any = tree.nodes.new("ShaderNodeBsdfPrincipled")
    for name, value in finish.items():
        shader.inputs[name].default_value = value
    shader.location = (-300, 0)
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    return shader
