"""A drawn clip, whose truth is known, in Blender: through the matched camera, and all the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import HERE, PYTHON, backend_python, ops, submodule
from fake_backend import contract
from test_animation import at_frame, curves, keys

WIDTH, HEIGHT = 640, 360
LEAST_OVERLAP = 0.9


@pytest.fixture(scope="module")
def drawn(files: Path) -> Path:
    """Folder of the clip."""
    folder = files / "drawn"
    if not (folder / "blank.mp4").exists():
        folder.mkdir(exist_ok=True)
        backend_python(str(HERE / "drawn_clip.py"), "draw", str(folder))
    return folder


@pytest.fixture
def truth(drawn: Path) -> Any:
    """What a perfect tracker finds."""
    return contract.decode_video((drawn / "truth.bin").read_bytes())


@pytest.fixture
def real_backend(addon: Any) -> Iterator[None]:
    """The add-on starts the real backend."""
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.mode, preferences.python = "python", PYTHON
    yield
    ops.synergyface.stop_backend()
    preferences.property_unset("mode")


def perform(scene: Any, drawn: Path, result: Any, **style: Any) -> Any:
    """The clip with its camera, not smoothed."""
    performance, recording = submodule("scene.clip_animation"), submodule("motion.recording")
    none = submodule("exchange.smoothing").Strengths(0, 0, 0)
    [head] = performance.perform(
        scene,
        scene.collection,
        submodule("scene.clip").clip_of_file(str(drawn / "clip.mp4")),
        contract.decode_model((drawn / "model.bin").read_bytes()),
        result,
        result.tracks,
        None,
        performance.Staging(recording.Style(none, matched=True, **style), use_camera=True),
    )
    return head


def seen(scene: Any, head: Any) -> np.ndarray:
    """(V, 2) pixels of the clip at which the camera sees the vertices, by Blender's projection."""
    graph = bpy.context.evaluated_depsgraph_get()
    evaluated = head.evaluated_get(graph)
    mesh = evaluated.to_mesh()
    points = np.ones((len(mesh.vertices), 4), np.float32)
    flat = np.empty(3 * len(points), np.float32)
    mesh.vertices.foreach_get("co", flat)
    points[:, :3] = flat.reshape(-1, 3)
    camera = scene.camera
    size = scene.render.resolution_x, scene.render.resolution_y
    projection = camera.calc_matrix_camera(graph, x=size[0], y=size[1])
    matrix = np.array(projection @ camera.matrix_world.inverted() @ evaluated.matrix_world)
    clipped = points @ matrix.T
    x, y = (clipped[:, :2] / clipped[:, 3:]).T
    return np.stack([(x + 1) / 2 * size[0] - 0.5, (1 - y) / 2 * size[1] - 0.5], axis=1)


def overlaps(
    scene: Any, head: Any, drawn: Path, truth: Any, tmp_path: Path, start: float = 1
) -> np.ndarray:
    """Intersection over union of the face in the clip and Blender's, at some frames."""
    rows = np.arange(0, len(truth.times), 12)
    points = []
    for row in rows:
        at_frame(scene, start + truth.times[row] * scene.render.fps / scene.render.fps_base)
        points.append(seen(scene, head))
    path = tmp_path / "points.npy"
    np.save(path, np.array(points, np.float32))
    script = str(HERE / "drawn_clip.py")
    run = backend_python(script, "overlap", str(drawn), str(path), *map(str, rows))
    found = np.array(run.stdout.split(), float)
    print(f"overlap {found.min():.3f} at least, {found.mean():.3f} on average")
    return found


@pytest.mark.parametrize("focal_length", [35.0, 85.0])
def test_the_head_covers_the_face_in_the_clip(
    scene: bpy.types.Scene, drawn: Path, truth: Any, tmp_path: Path, focal_length: float
) -> None:
    head = perform(scene, drawn, truth, focal_length=focal_length)
    camera: Any = scene.camera
    assert camera.data.lens == pytest.approx(focal_length)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (WIDTH, HEIGHT)
    assert overlaps(scene, head, drawn, truth, tmp_path).min() >= LEAST_OVERLAP
    # The head stays where it stood; the camera came to it.
    scene.frame_set(1)
    np.testing.assert_allclose(head.matrix_world.translation, (0, 0, 0), atol=1e-6)
    distance = camera.matrix_world.translation.length
    focal_pixels = focal_length / 36 * WIDTH
    assert distance == pytest.approx(focal_pixels / truth.tracks[0].scale[0] / 1000, rel=0.1)
    # Again: no second camera; and the head may stand elsewhere, turned.
    empty: Any = head.parent
    empty.animation_data.action = None
    empty.matrix_basis = submodule("scene.pose").Matrix(
        ((0, -1, 0, 3), (1, 0, 0, -2), (0, 0, 1, 1), (0, 0, 0, 1))
    )
    perform(scene, drawn, truth, focal_length=focal_length)
    assert [o for o in scene.objects if o.type == "CAMERA"] == [camera]
    assert overlaps(scene, head, drawn, truth, tmp_path).min() >= LEAST_OVERLAP


def test_the_background_shows_the_picture_of_the_time(
    scene: bpy.types.Scene, drawn: Path, truth: Any
) -> None:
    scene.render.fps = 60
    perform(scene, drawn, truth, start=11.0, first_second=0.5)
    camera: Any = scene.camera
    [background] = camera.data.background_images
    assert background.image.source == "MOVIE" and tuple(background.image.size) == (WIDTH, HEIGHT)
    for frame in (11, 12, 13, 50, 133, 200):
        scene.frame_set(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        user = camera.data.evaluated_get(graph).background_images[0].image_user
        picture = (0.5 + (frame - 11) / 60) * truth.frame_rate
        shown = min(frame - user.frame_start + 1, user.frame_duration) + user.frame_offset - 1
        assert abs(shown - picture) <= 0.51
    action = camera.data.animation_data.action
    perform(scene, drawn, truth)
    assert camera.data.animation_data.action == action, "an action for each clip, not for each run"


def test_a_clip_becomes_an_animated_head(
    scene: bpy.types.Scene, drawn: Path, truth: Any, real_backend: None, tmp_path: Path
) -> None:
    # All of the face is compared, what eyeballs would stand for too.
    settings: Any = scene
    settings.synergyface.parts = "face"
    # The clip is drawn without perspective, of which a long lens has little.
    assert ops.synergyface.animate_from_video(
        filepath=str(drawn / "clip.mp4"), use_camera=True, use_scene_rate=True, focal_length=100
    ) == {"FINISHED"}
    head: Any = bpy.context.view_layer.objects.active
    assert scene.render.fps == 30 and scene.render.fps_base == pytest.approx(1.001, rel=1e-5)
    assert (scene.frame_start, scene.frame_end) == (1, len(truth.times))
    found = curves(head)
    times = keys(found["location", 0])[:, 0]
    np.testing.assert_allclose(times, 1 + truth.times * 30 / 1.001, atol=2e-3)
    image = head.data.materials[0].node_tree.nodes["SynergyFace Texture"].image
    assert tuple(image.size) == (1024, 1024)
    assert overlaps(scene, head, drawn, truth, tmp_path).min() >= LEAST_OVERLAP
    # The head turns as the face does.
    scene.frame_set(1)
    yaw = []
    for row in range(0, len(truth.times), 4):
        at_frame(scene, times[row])
        forward = head.matrix_world.to_3x3() @ submodule("scene.pose").Vector((0, -1, 0))
        yaw.append(np.degrees(np.arctan2(forward.x, -forward.y)))
    w, _, _, z = truth.tracks[0].quaternions[::4].T
    expected = np.degrees(2 * np.arctan2(z, w))
    assert np.corrcoef(yaw, expected)[0, 1] > 0.99
    # Saved, opened, smoothed otherwise: all without a backend.
    ops.synergyface.stop_backend()
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "clip.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "clip.blend"))
    head = bpy.data.objects[name]
    bpy.context.view_layer.objects.active = head
    assert ops.synergyface.smooth_again(rotation=1.0, position=1.0) == {"FINISHED"}
    rough, smooth = (np.diff(heights(head, strength), 3).std() for strength in (0.0, 1.0))
    assert smooth < 0.5 * rough


def heights(head: Any, strength: float) -> np.ndarray:
    """Keys of the height, after smoothing of the position with a strength."""
    ops.synergyface.smooth_again(position=strength)
    return keys(curves(head)["location", 2])[:, 1]


def test_a_movie_clip_of_the_file_is_taken_in_part(
    scene: bpy.types.Scene, drawn: Path, real_backend: None
) -> None:
    clip = bpy.data.movieclips.load(str(drawn / "clip.mp4"))
    ops.synergyface.animate_from_video(clip=clip.name, first_second=1.0, last_second=2.0)
    head: Any = bpy.context.view_layer.objects.active
    frames = keys(curves(head)["location", 0])[:, 0]
    # 29.97 pictures in a second of 24 frames.
    assert 1 <= frames[0] < 2 and 24 < frames[-1] <= 25
    np.testing.assert_allclose(np.diff(frames), 24 / (30 / 1.001), atol=1e-3)


def test_a_clip_without_a_face_is_explained(
    scene: bpy.types.Scene, drawn: Path, real_backend: None, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=r"[Nn]o face"):
        ops.synergyface.animate_from_video(filepath=str(drawn / "blank.mp4"))
    text = tmp_path / "text.mp4"
    text.write_text("This is no film.")
    with pytest.raises(RuntimeError, match="not a video"):
        ops.synergyface.animate_from_video(filepath=str(text))
    assert not scene.objects and not bpy.data.actions
