"""The whole way with the real backend: a photo becomes a head, is saved, rendered, exported."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import PYTHON, backend_python, ops, slowness, submodule
from mathutils import Vector

N_VERTICES, N_TRIANGLES = 53_215, 105_840
# A strip between loops of 78 vertices in all, if the two corners are one vertex each.
N_MOUTH = 76
EXPRESSION_KEYS = [f"Expression_{index:02d}" for index in range(10)]
RENDER_SIZE = 192
# iBUG-68: corners and middles of the inner lips.
LEFT, UPPER, RIGHT, LOWER = 60, 62, 64, 66


@pytest.fixture(scope="module", autouse=True)
def backend(addon: Any) -> Iterator[Any]:
    """The real backend, started by the add-on for all tests of this module."""
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.mode, preferences.python = "python", PYTHON
    yield submodule("runtime").runtime().connection
    ops.synergyface.stop_backend()
    preferences.property_unset("mode")


@pytest.fixture(scope="module")
def reconstruction(backend: Any, photo: Path) -> Any:
    """The backend's answer for the astronaut, without Blender."""
    module, tasks = submodule("connection.reconstruction"), submodule("tasks")
    location = submodule("connection.connection").Location("python", PYTHON)
    return tasks.Task(
        lambda report: module.reconstruct(
            backend, location, photo.read_bytes, module.PhotoOrder(keys="bfm"), report
        )
    ).run_to_end()


@pytest.fixture
def head(scene: bpy.types.Scene, photo: Path, reconstruction: Any) -> Any:
    """The astronaut's head, as the operator makes it of that answer."""
    return put(scene, photo, reconstruction)


def put(scene: bpy.types.Scene, photo: Path, reconstruction: Any) -> Any:
    """Write the head into the scene."""
    [head] = submodule("scene.build").put_faces(
        scene,
        scene.collection,
        str(photo.resolve()),
        photo.stem,
        reconstruction.model,
        reconstruction.result,
    )
    return head


def positions(mesh: Any) -> np.ndarray:
    """(V, 3) of a mesh."""
    values = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def evaluated(object: Any) -> np.ndarray:
    """(V, 3) in the world, with shape keys, modifiers and transforms."""
    bpy.context.view_layer.update()
    mesh = object.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    matrix = np.array(object.matrix_world)
    return positions(mesh) @ matrix[:3, :3].T + matrix[:3, 3]


def check_head(head: Any, photo: Path) -> None:
    """What must hold of the astronaut's head, freshly made or read from a file."""
    mesh, empty = head.data, head.parent
    assert (len(mesh.vertices), len(mesh.polygons)) == (N_VERTICES, N_TRIANGLES + N_MOUTH)
    assert {polygon.loop_total for polygon in mesh.polygons[:100]} == {3}
    assert all(polygon.use_smooth for polygon in mesh.polygons[:100])
    for object in (head, empty):
        assert np.allclose(object.matrix_world, np.eye(4)), object.name

    points = positions(mesh)
    extent = np.ptp(points, axis=0)
    assert (extent > [0.14, 0.12, 0.18]).all() and (extent < [0.22, 0.20, 0.26]).all()
    nose = points[points[:, 1].argmin()]
    assert abs(nose[0]) < 0.01 and abs(nose[2]) < 0.03, "the nose is not where the face looks"
    # The mean of the outward normals of the face's front looks along -Y.
    front = points[:, 1] < points[:, 1].min() + 0.05
    normals = np.empty(N_VERTICES * 3, np.float32)
    mesh.vertices.foreach_get("normal", normals)
    assert normals.reshape(-1, 3)[front].mean(axis=0)[1] < -0.5

    keys = mesh.shape_keys.key_blocks
    assert keys.keys() == ["Basis", *EXPRESSION_KEYS]
    assert all(key.slider_min == -key.slider_max <= -3 for key in keys[1:])
    offsets = np.zeros_like(points)
    basis = np.empty(N_VERTICES * 3, np.float32)
    for key in keys[1:]:
        key.data.foreach_get("co", basis)
        offsets += key.value * (basis.reshape(-1, 3) - points)
    assert 1e-4 < np.abs(offsets).max() < 0.05, "she smiles"
    np.testing.assert_allclose(evaluated(head), points + offsets, atol=1e-6)

    assert len(mesh.uv_layers) == 1 and len(mesh.uv_layers[0].uv) == 3 * len(mesh.polygons)
    uv = np.empty(6 * len(mesh.polygons), np.float32)
    mesh.uv_layers[0].uv.foreach_get("vector", uv)
    assert uv.min() >= 0 and uv.max() <= 1 and np.ptp(uv) > 0.9
    material, mouth = mesh.materials
    assert mouth.name.startswith("Mouth")
    image = material.node_tree.nodes["SynergyFace Texture"].image
    assert image.packed_file is not None and tuple(image.size) == (1024, 1024)
    assert image.colorspace_settings.name == "sRGB"
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert 0.5 <= shader.inputs["Roughness"].default_value <= 0.6

    assert head["synergyface_source"] == str(photo.resolve())
    assert len(head["synergyface_parameters"]) == 62
    assert len(head["synergyface_expression"]) == 10
    x0, y0, x1, y1 = head["synergyface_roi_box"]
    assert x0 < 224 < x1 and y0 < 120 < y1, "her nose lies near (224, 120)"
    assert abs(head["synergyface_yaw"]) < 40 and abs(head["synergyface_pitch"]) < 40


def test_a_photo_becomes_a_head_that_survives_saving(
    scene: bpy.types.Scene, photo: Path, tmp_path: Path
) -> None:
    assert ops.synergyface.face_from_image(filepath=str(photo), keys="bfm") == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    check_head(head, photo)
    before = evaluated(head)
    name = head.name
    path = tmp_path / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    again = bpy.data.objects[name]
    check_head(again, photo)
    np.testing.assert_array_equal(evaluated(again), before)


def test_the_same_photo_again_updates_its_head(head: Any, photo: Path) -> None:
    kinds = ("objects", "meshes", "materials", "images", "shape_keys")
    counts = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    head.parent.location.x = 0.7
    head.data.shape_keys.key_blocks["Expression_00"].value = 3
    ops.synergyface.face_from_image(filepath=str(photo), which="all", keys="bfm")
    assert counts == {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    assert head.parent.location.x == pytest.approx(0.7)
    head.parent.location.x = 0
    bpy.context.view_layer.update()
    check_head(head, photo)


def test_an_image_data_block_gives_the_same_head(head: Any, photo: Path) -> None:
    image = bpy.data.images.load(str(photo))
    image.pack()
    before = evaluated(head)
    ops.synergyface.face_from_active_image(image=image.name)
    np.testing.assert_array_equal(evaluated(head), before)


def test_the_object_is_made_fast(scene: bpy.types.Scene, photo: Path, reconstruction: Any) -> None:
    """At most 0.25 s of processor time, so that a busy computer does not decide."""
    for name in ("made", "updated"):
        wall, processor = time.perf_counter(), time.process_time()
        put(scene, photo, reconstruction)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        print(f"Blender object {name} in {wall:.3f} s, {processor:.3f} s of processor time")
        assert processor / slowness() < 0.25


def test_the_photos_pose_puts_the_landmarks_where_they_are_seen(
    head: Any, scene: bpy.types.Scene, reconstruction: Any
) -> None:
    code = (
        "from backend.morphable_model.storage import load_model; "
        "print(*load_model().landmark_indices)"
    )
    indices = [int(index) for index in backend_python("-c", code).stdout.split()]
    bpy.context.view_layer.objects.active = head
    ops.synergyface.apply_photo_pose()
    [face], (width, height) = reconstruction.result.faces, reconstruction.result.image_size
    points = evaluated(head)[indices] * 1000 * face.pose.scale
    seen = np.stack([points[:, 0] + (width - 1) / 2, (height - 1) / 2 - points[:, 2]], axis=1)
    # The network's matrix is not quite a scaled rotation, so a little remains.
    distance = np.linalg.norm(seen - face.landmarks_coarse[:, :2], axis=1)
    assert distance.mean() < 0.02 * np.ptp(face.landmarks_coarse[:, 0])


def test_a_render_shows_the_head(head: Any, scene: bpy.types.Scene, tmp_path: Path) -> None:
    picture = render(scene, tmp_path / "head.png")
    covered = picture[..., 3] > 0.5
    assert 0.25 < covered.mean() < 0.8
    # Skin: red above green above blue, with eyes, brows and hair to vary it.
    red, green, blue = (picture[covered][:, c].mean() for c in range(3))
    assert red > green > blue
    assert picture[covered][:, :3].std() > 0.08
    photo_of_image = submodule("scene.photo").photo_of_image
    result = photo_of_image(bpy.data.images["Render Result"], scene)
    assert result.read().startswith(b"\x89PNG")


def render(scene: Any, path: Path) -> np.ndarray:
    """(H, W, 4) of a still from the front."""
    camera: Any = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0, -0.9, -0.01), (np.pi / 2, 0, 0)
    camera.data.angle = 0.3
    light: Any = bpy.data.objects.new("light", bpy.data.lights.new("light", "AREA"))
    light.location, light.rotation_euler = (0.3, -1.2, 0.4), (1.2, 0, 0.25)
    light.data.energy, light.data.size = 25, 1.0
    for object in (camera, light):
        scene.collection.objects.link(object)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.device, scene.cycles.use_denoising = 6, "CPU", False
    scene.render.resolution_x = scene.render.resolution_y = RENDER_SIZE
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image: Any = bpy.data.images.load(str(path))
    pixels = np.empty(RENDER_SIZE * RENDER_SIZE * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(RENDER_SIZE, RENDER_SIZE, 4)[::-1]


@pytest.mark.parametrize("yaw", [-60, -30, 0, 30, 60])
def test_nobody_sees_the_inside_of_a_cheek_through_the_lips(head: Any, yaw: float) -> None:
    """Rays at the opening of the mouth, from in front and from both sides."""
    for key in head.data.shape_keys.key_blocks[1:]:
        key.value = 0
    head.data.shape_keys.key_blocks["Expression_00"].value = -3
    bpy.context.view_layer.update()
    seen = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = [seen.data.vertices[index].co for index in head.data["synergyface_landmark_indices"]]
    assert (points[UPPER] - points[LOWER]).length > 0.005, "the mouth is open"
    looking = Vector((np.sin(np.radians(yaw)), np.cos(np.radians(yaw)), 0))
    hits = set()
    for across in np.linspace(0.1, 0.9, 17):
        for down in np.linspace(0.1, 0.9, 9):
            middle = points[LEFT].lerp(points[RIGHT], across)
            target = middle + (points[LOWER] - points[UPPER]) * float(down - 0.5)
            hit, _, normal, polygon = seen.ray_cast(target - looking, looking)
            assert hit, "the world shows through the mouth"
            of_mouth = seen.data.polygons[polygon].material_index == 1
            assert of_mouth or normal.dot(looking) < 0, "the inside of the skin shows"
            hits.add(of_mouth)
    assert True in hits


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
def test_exports_lie_where_the_blender_object_does(
    head: Any, reconstruction: Any, exported: Path, kind: str
) -> None:
    expected = evaluated(head)
    path = str(exported / f"head.{kind}")
    if kind == "glb":
        bpy.ops.import_scene.gltf(filepath=path)
    elif kind == "obj":
        bpy.ops.wm.obj_import(filepath=path)
    else:
        # PLY knows no axes, and Blender takes Z for up where the format's other readers take Y.
        bpy.ops.wm.ply_import(filepath=path, forward_axis="NEGATIVE_Z", up_axis="Y")
    imported: Any
    [imported] = [o for o in bpy.context.selected_objects if o.type == "MESH"]
    # Blender makes vertices of their own for the second material of a GLB file.
    lips, mouth = (len(np.unique(reconstruction.model.mouth)), N_MOUTH) if kind == "glb" else (0, 0)
    assert len(imported.data.vertices) == N_VERTICES + lips
    assert len(imported.data.polygons) == N_TRIANGLES + mouth
    np.testing.assert_allclose(evaluated(imported)[:N_VERTICES], expected, atol=1e-5)
    if kind != "ply":
        pictures = [
            node.image
            for material in imported.data.materials
            for node in material.node_tree.nodes
            if node.type == "TEX_IMAGE"
        ]
        assert tuple(pictures[0].size) == (1024, 1024)


def test_a_photo_without_a_face_is_explained(scene: bpy.types.Scene, tmp_path: Path) -> None:
    blank: Any = bpy.data.images.new("blank", 320, 240)
    assert blank.size[0] == 320
    with pytest.raises(RuntimeError, match="No face was found"):
        ops.synergyface.face_from_active_image(image="blank")
    text = tmp_path / "text.png"
    text.write_text("This is no picture.")
    with pytest.raises(RuntimeError, match="not an image"):
        ops.synergyface.face_from_image(filepath=str(text))
    assert not scene.objects


@pytest.mark.parametrize("times", [1, 2])
def test_a_backend_killed_in_mid_job(
    scene: bpy.types.Scene, photo: Path, backend: Any, times: int
) -> None:
    """Once: it is started again and the photo done. Again: that is reported, and nothing made."""
    ops.synergyface.start_backend()
    begun = submodule("connection.client").BackendClient.submit_face
    killed = []

    def submit_and_kill(self: Any, *arguments: Any) -> str:
        job = begun(self, *arguments)
        if len(killed) < times:
            killed.append(job)
            backend._process._process.send_signal(signal.SIGKILL)
        return job

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submodule("connection.client").BackendClient, "submit_face", submit_and_kill)
        if times == 1:
            assert ops.synergyface.face_from_image(filepath=str(photo), keys="bfm") == {"FINISHED"}
            assert len(scene.objects) == 2
        else:
            with pytest.raises(RuntimeError, match=r"system ended the backend.*try again"):
                ops.synergyface.face_from_image(filepath=str(photo), keys="bfm")
            assert not scene.objects
            assert ops.synergyface.face_from_image(filepath=str(photo), keys="bfm") == {"FINISHED"}
    assert len(killed) == times


def test_the_backend_ends_with_the_addon(backend: Any) -> None:
    ops.synergyface.start_backend()
    process = backend._process
    ops.synergyface.stop_backend()
    assert process._process.poll() is not None
    assert backend.status.state == "stopped"
