"""The README's picture of a head's parts, from what ``pictures.py reconstruct`` left in a folder:

.venvs/bpy-5.0.1/bin/python tests/blender/parts_picture.py FOLDER

It shows the regions in colours from two sides, the landmarks, and the head without ears and neck.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from pictures import SIZE, look, prepare, put_head

# Those further down cover those further up.
COLOURS = {
    "face": (0.72, 0.56, 0.45),
    "ears": (0.10, 0.25, 0.75),
    "neck": (0.12, 0.45, 0.16),
    "lips": (0.70, 0.06, 0.10),
    "eyes": (0.80, 0.62, 0.05),
}
HIDDEN = ("ears", "neck")
BALL_RADIUS = 0.0016


def main(folder: Path) -> None:
    """Write ``parts.png``."""
    scene = put_head(bpy, folder)
    [head] = [thing for thing in scene.objects if thing.get("synergyface_roi_box")]
    prepare(bpy, scene)

    def still(yaw: float) -> np.ndarray:
        look(scene, yaw)
        return rendered(scene, folder / "still.png")

    marked, cut = landmarks(scene, head, still), without_parts(head, still)
    head.data.materials[0] = region_material(head)
    write(np.hstack([still(0.0), still(-60.0), marked, cut]), folder / "parts.png")


def landmarks(scene: Any, head: Any, still: Callable[[float], np.ndarray]) -> np.ndarray:
    """The head with a ball on each landmark."""
    from addon.scene.landmarks import add_landmarks, landmarks_of, remove_landmarks

    shape = ball()
    for mark in add_landmarks(head):
        dot = bpy.data.objects.new("ball", shape)
        dot.parent = mark
        scene.collection.objects.link(dot)
    picture = still(-25.0)
    for mark in landmarks_of(head):
        bpy.data.batch_remove(mark.children)
    remove_landmarks(head)
    return picture


def without_parts(head: Any, still: Callable[[float], np.ndarray]) -> np.ndarray:
    """The head without ears and neck, subdivided."""
    from addon.scene import modifiers

    for region in HIDDEN:
        modifiers.show(head, region, False)
    modifiers.subdivide(head, 1)
    picture = still(-25.0)
    modifiers.subdivide(head, 0)
    for region in HIDDEN:
        modifiers.show(head, region, True)
    return picture


def region_material(head: Any) -> Any:
    """Skin that shows the vertex groups in their colours."""
    colours = np.ones((len(head.data.vertices), 4), np.float32)
    for name, colour in COLOURS.items():
        weights = group_weights(head, name)[:, None]
        colours[:, :3] += weights * (np.array(colour) - colours[:, :3])
    attribute: Any = head.data.color_attributes.new("regions", "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set("color", colours.reshape(-1))
    material, shader = plain_material("regions")
    source = material.node_tree.nodes.new("ShaderNodeVertexColor")
    source.layer_name = attribute.name
    material.node_tree.links.new(source.outputs["Color"], shader.inputs["Base Color"])
    return material


def group_weights(head: Any, name: str) -> np.ndarray:
    """(V,) weights of a vertex group."""
    index = head.vertex_groups[name].index
    return np.array(
        [
            next((element.weight for element in vertex.groups if element.group == index), 0.0)
            for vertex in head.data.vertices
        ]
    )


def ball() -> Any:
    """A small ball that shines, to show where an Empty is."""
    import bmesh  # only there once bpy is

    mesh = bpy.data.meshes.new("ball")
    shape = bmesh.new()
    bmesh.ops.create_icosphere(shape, subdivisions=2, radius=BALL_RADIUS)
    shape.to_mesh(mesh)
    shape.free()
    material, shader = plain_material("ball")
    shader.inputs["Emission Color"].default_value = (0.1, 0.9, 0.3, 1)
    shader.inputs["Emission Strength"].default_value = 1.0
    mesh.materials.append(material)
    return mesh


def plain_material(name: str) -> tuple[Any, Any]:
    """A material and its shader."""
    from addon.scene.compat import node_tree

    material = bpy.data.materials.new(name)
    tree: Any = node_tree(material)
    return material, tree.nodes["Principled BSDF"]


def rendered(scene: Any, path: Path) -> np.ndarray:
    """(SIZE, SIZE, 4) of a still, the first row below."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image: Any = bpy.data.images.load(str(path))
    pixels = np.empty(SIZE * SIZE * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    path.unlink()
    return pixels.reshape(SIZE, SIZE, 4)


def write(picture: np.ndarray, path: Path) -> None:
    """Save a picture whose first row is below."""
    height, width = picture.shape[:2]
    image: Any = bpy.data.images.new("sheet", width, height)
    image.pixels.foreach_set(picture.astype(np.float32).reshape(-1))
    image.file_format = "PNG"
    image.save(filepath=str(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
