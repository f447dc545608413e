"""A whole head from the real backend: named keys move face, eyes, jaw and teeth together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import PYTHON, ops, submodule
from test_scene import evaluated

# Degrees that eyes turn to the nose at 1, and the least that a lower jaw's teeth go down (metres).
INWARD, JAW = 28.0, 0.01


@pytest.fixture
def parts(scene: bpy.types.Scene, preferences: Any, photo: Path) -> dict[str, Any]:
    """The astronaut's face and what stands beside it, by their names in the backend's answer."""
    preferences.mode, preferences.python = "python", PYTHON
    ops.synergyface.face_from_image(filepath=str(photo), texture_size="512")
    head = bpy.context.view_layer.objects.active
    return {"head": head} | submodule("scene.parts").parts_of(head)


def express(head: Any, **amounts: float) -> None:
    """Set the face's sliders, all others to 0."""
    for key in head.data.shape_keys.key_blocks[1:]:
        key.value = amounts.get(key.name, 0.0)
    bpy.context.view_layer.update()


def test_one_set_of_sliders_moves_all_of_it(parts: dict[str, Any]) -> None:
    head = parts["head"]
    names = set(submodule("exchange.expressions").EXPRESSION_NAMES)
    assert {key.name for key in head.data.shape_keys.key_blocks[1:]} == names
    assert {"skull", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue"} <= set(parts)
    express(head)
    still = {name: evaluated(part) for name, part in parts.items()}
    for part in parts.values():
        assert part.parent == head.parent

    express(head, eyeLookInLeft=1.0)
    eye = evaluated(parts["eye_left"])
    turned = _turn(still["eye_left"], eye)
    assert turned == pytest.approx(INWARD, abs=2)
    np.testing.assert_allclose(evaluated(parts["eye_right"]), still["eye_right"], atol=1e-6)

    express(head, jawOpen=1.0)
    lower, upper = (still[name][:, 2] - evaluated(parts[name])[:, 2] for name in _TEETH)
    assert np.median(lower) > JAW and np.abs(np.median(upper)) < JAW / 10


def test_shut_lids_hide_the_eyes(parts: dict[str, Any]) -> None:
    """Seen from the front, as a camera does: every ray to the eye's middle meets lids first."""
    head, eye = parts["head"], parts["eye_left"]
    for amount, seen in ((0.0, "eye"), (1.0, "head")):
        express(head, eyeBlinkLeft=amount)
        center = evaluated(eye).mean(axis=0)
        graph = bpy.context.evaluated_depsgraph_get()
        hit, _, _, _, met, _ = bpy.context.scene.ray_cast(
            graph, (center[0], center[1] - 1, center[2]), (0, 1, 0)
        )
        assert hit and met.name.split(" ", 1)[1].endswith(seen), (amount, met.name)


_TEETH = ("teeth_lower", "teeth_upper")


def _turn(before: np.ndarray, after: np.ndarray) -> float:
    """Degrees by which points have turned about their middle (Kabsch)."""
    a, b = before - before.mean(axis=0), after - after.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    return float(np.degrees(np.arccos(np.clip((np.trace(u @ vt) - 1) / 2, -1, 1))))
