"""Skin: a Principled material with the texture packed into the .blend file."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..problems import Problem
from .compat import node_tree
from .identity import UUID, owned

# Skin is neither matt nor shiny; measured faces lie around here.
ROUGHNESS = 0.55
TEXTURE_NODE = "SynergyFace Texture"


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


def set_texture(name: str, identity: str, png: NDArray[np.uint8]) -> bpy.types.Image | None:
    """Image of a head, made or refreshed in its data-block; None if there is no texture.

    Raises
    ------
    Problem
        Blender cannot read the texture.
    """
    if not png.size:
        return None
    image: Any = owned(bpy.data.images, identity)
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
    return image


def set_material(
    mesh: bpy.types.Mesh, name: str, identity: str, image: bpy.types.Image | None
) -> bpy.types.Material:
    """Material of a head with its texture: made if the mesh has none of ours, else kept.

    Other materials on the mesh, and what the user did to ours, stay as they are.
    """
    material = owned((slot for slot in mesh.materials if slot), identity)
    if material is None:
        material = bpy.data.materials.new(name)
        material[UUID] = identity
        mesh.materials.append(material)
        _add_nodes(material)
    if image is not None:
        _show(node_tree(material), image)
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


def _add_nodes(material: bpy.types.Material) -> None:
    tree = node_tree(material)
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader: Any = tree.nodes.new("ShaderNodeBsdfPrincipled")
    texture: Any = tree.nodes.new("ShaderNodeTexImage")
    texture.name = texture.label = TEXTURE_NODE
    shader.inputs["Roughness"].default_value = ROUGHNESS
    shader.location = (-300, 0)
    texture.location = (-650, 0)
    # The texture is linked once it has an image: Blender shows one that has none in magenta.
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
