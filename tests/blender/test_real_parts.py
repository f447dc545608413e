"""Parts and export of a head of full size, from the real backend."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import PYTHON, ops
from test_export import read_again
from test_head_parts import group_weights, hide
from test_scene import evaluated


@pytest.fixture
def head(scene: bpy.types.Scene, preferences: Any, photo: Path) -> Any:
    """The astronaut, by the operator."""
    preferences.mode, preferences.python = "python", PYTHON
    ops.synergyface.face_from_image(filepath=str(photo), texture_size="512", keys="bfm")
    return bpy.context.view_layer.objects.active


@pytest.mark.usefixtures("gltf_exporter")
def test_a_head_without_neck_keeps_its_shape_keys(head: Any, tmp_path: Path) -> None:
    neck, lips = group_weights(head, "neck"), group_weights(head, "lips")
    points = evaluated(head)
    assert 5_000 < (neck > 0.5).sum() < 15_000 and 400 < (lips > 0.5).sum() < 1_500
    # The neck is what hangs below the face, the lips are in its middle and at its front.
    assert points[neck > 0.5][:, 2].mean() < points[neck < 0.5][:, 2].mean() - 0.05
    assert np.abs(points[lips > 0.5][:, 0].mean()) < 0.01

    hide("neck")
    cut = evaluated(head)
    path = tmp_path / "head.glb"
    wall, processor = time.perf_counter(), time.process_time()
    ops.synergyface.export_head(filepath=str(path))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(
        f"GLB in {wall:.1f} s, {processor:.1f} s of processor time, {path.stat().st_size:,} bytes"
    )
    again = read_again(path)
    assert len(again.data.shape_keys.key_blocks) == 11
    # glTF repeats vertices at the rim of the cut.
    assert len(cut) <= len(again.data.vertices) < len(cut) + 1_500
    found = evaluated(again)
    np.testing.assert_allclose(found.min(axis=0), cut.min(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.max(axis=0), cut.max(axis=0), atol=1e-4)
