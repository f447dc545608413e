"""The mouth's triangles: which material they have, and what they leave alone."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from conftest import submodule
from fake_backend import IMAGE_SIZE, contract, dome, face


def put(scene: bpy.types.Scene, left: float, source: str = "/photos/somebody.png") -> Any:
    """A dome in the scene, as the operators make it."""
    result = contract.FacesResult((face(left),), IMAGE_SIZE)
    build = submodule("scene.build")
    [head] = build.put_faces(scene, scene.collection, source, "somebody", dome(), result)
    return head


def slots(head: Any) -> tuple[set[int], set[int]]:
    """Material slots of the skin's triangles, and of the mouth's."""
    indices = [polygon.material_index for polygon in head.data.polygons]
    count = len(dome().triangles)
    return set(indices[:count]), set(indices[count:])


def test_all_mouths_of_a_file_share_a_dark_material(scene: bpy.types.Scene) -> None:
    one, other = put(scene, 100), put(scene, 100, "/photos/other.png")
    assert slots(one) == slots(other) == ({0}, {1})
    mouth, mouths = one.data.materials[1], [m for m in bpy.data.materials if "Mouth" in m.name]
    assert mouths == [mouth] and other.data.materials[1] == mouth
    shader = next(n for n in mouth.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert max(shader.inputs["Base Color"].default_value[:3]) < 0.05


def test_a_mouth_of_the_users_own_colour_stays(scene: bpy.types.Scene) -> None:
    head = put(scene, 100)
    head.data.materials[1] = bpy.data.materials.new("teeth")
    put(scene, 101)
    assert head.data.materials.keys() == ["somebody skin", "teeth"]
    assert slots(head) == ({0}, {1})


def test_a_skin_that_was_removed_comes_back_without_darkening_the_head(
    scene: bpy.types.Scene,
) -> None:
    head = put(scene, 100)
    head.data.materials.pop(index=0)
    assert head.data.materials.keys() == ["Mouth"]
    put(scene, 101)
    assert [material.name[:8] for material in head.data.materials] == ["somebody", "Mouth"]
    assert slots(head) == ({0}, {1})


def test_a_mesh_that_is_built_anew_has_its_mouth_again(scene: bpy.types.Scene) -> None:
    head = put(scene, 100)
    head.data.materials.append(bpy.data.materials.new("hair"))
    head.shape_key_clear()
    head.data.clear_geometry()
    put(scene, 101)
    assert head.data.materials.keys() == ["somebody skin", "Mouth", "hair"]
    assert slots(head) == ({0}, {1})


def test_subdivision_leaves_the_lips_where_they_were(scene: bpy.types.Scene) -> None:
    """As if the mouth were open: a creased edge is smoothed along itself, as a border is."""
    head = put(scene, 100)
    head.modifiers.new("smooth", "SUBSURF").levels = 1
    rim = np.unique(dome().mouth)

    def subdivided() -> np.ndarray:
        bpy.context.view_layer.update()
        mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        positions = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", positions)
        return positions.reshape(-1, 3)[rim]

    closed = subdivided()
    remove_mouth(head)
    np.testing.assert_allclose(closed, subdivided(), atol=1e-7)


def remove_mouth(head: Any) -> None:
    import bmesh

    mesh: Any = bmesh.new()
    mesh.from_mesh(head.data)
    mesh.faces.ensure_lookup_table()
    bmesh.ops.delete(mesh, geom=mesh.faces[len(dome().triangles) :], context="FACES_ONLY")
    mesh.to_mesh(head.data)
    mesh.free()
