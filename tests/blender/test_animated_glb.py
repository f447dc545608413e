"""Blender's own importer reads the animated GLB: the head moves as the drawn clip's truth says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import backend_python
from mathutils import Matrix

WIDTH, HEIGHT = 320, 180
ROW = 13
WRITE = """
import sys
from pathlib import Path
import numpy as np
from backend.output.animated_glb import export_animated_glb
from backend.morphable_model.storage import load_model
from training.evaluation.clips.truth import read_truth
truth = read_truth(Path(sys.argv[1]))
model = load_model()
np.save(sys.argv[3], model.landmark_indices)
export_animated_glb(Path(sys.argv[2]), truth, truth.tracks[0], model)
"""


@pytest.fixture(scope="session")
def truth_file(files: Path) -> Path:
    """Truth of a drawn clip of a second at 25 frames a second."""
    clip = files / "turn.mp4"
    path = clip.with_suffix(".truth.npz")
    if not path.exists():
        size = ["--size", f"{WIDTH}x{HEIGHT}", "--seconds", "1"]
        backend_python("-m", "backend.cli", "data", "clip", *size, "-o", str(clip))
    return path


@pytest.fixture
def imported(scene: bpy.types.Scene, truth_file: Path) -> dict[str, Any]:
    """The objects of the file in a scene of 25 frames a second, at frame `ROW`."""
    path = truth_file.with_name("turn.glb")
    if not path.exists():
        indices = path.with_suffix(".landmarks.npy")
        backend_python("-c", WRITE, str(truth_file), str(path), str(indices))
    scene.render.fps, scene.render.fps_base = 25, 1.0
    bpy.ops.import_scene.gltf(filepath=str(path))
    scene.frame_set(ROW)
    return {thing.name: thing for thing in scene.objects}


def test_keys_are_not_cut_and_lie_on_frames(imported: dict[str, Any], truth_file: Path) -> None:
    truth = np.load(truth_file)
    blocks = imported["head"].data.shape_keys.key_blocks
    names = [f"Expression_{k:02d}" for k in range(10)]
    assert [block.name for block in blocks][1:] == names
    expected = truth["expression"][0, ROW]
    np.testing.assert_allclose([blocks[name].value for name in names], expected, atol=1e-4)
    # Some go where Blender's sliders do not go by themselves.
    assert truth["expression"][0].max() > 1 and truth["expression"][0].min() < 0


def test_the_mesh_through_the_camera_lies_on_the_landmarks(
    imported: dict[str, Any], truth_file: Path, scene: bpy.types.Scene
) -> None:
    """As far as perspective lets it: a nose is nearer by an eighth than the head's origin."""
    truth = np.load(truth_file)
    indices = np.load(truth_file.with_name("turn.landmarks.npy"))
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    graph: Any = bpy.context.evaluated_depsgraph_get()
    head, camera = (imported[name].evaluated_get(graph) for name in ("head", "camera"))
    points = np.empty(3 * len(head.data.vertices))
    head.data.vertices.foreach_get("co", points)
    seen = np.column_stack([points.reshape(-1, 3), np.ones(len(points) // 3)])[indices]
    lens: Matrix = camera.calc_matrix_camera(graph, x=WIDTH, y=HEIGHT)
    clip = seen @ np.array(lens @ camera.matrix_world.inverted() @ head.matrix_world).T
    pixels = (clip[:, :2] / clip[:, 3:] * [0.5, -0.5] + 0.5) * [WIDTH, HEIGHT] - 0.5
    landmarks = truth["landmarks"][0, ROW]
    # The pinhole formula, from the truth alone: 50 mm before a sensor of 36 mm.
    depth = 50 / 36 * WIDTH - landmarks[:, 2:]
    middle = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    expected = middle + (landmarks[:, :2] - middle) * (50 / 36 * WIDTH) / depth
    np.testing.assert_allclose(pixels, expected, atol=0.2)
    assert np.abs(pixels - landmarks[:, :2]).max() < 0.15 * np.ptp(landmarks[:, 1])
