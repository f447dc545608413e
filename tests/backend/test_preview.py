"""The preview shows the head the right way round and marks the right places."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.model import MorphableModel
from backend.output.preview import GAP, PANEL, overlay, preview_sheet, render_head
from backend.texture.uv_map import texel_position

if TYPE_CHECKING:
    from backend.pipeline import Face

SIZE = 160


def spotted(model: MorphableModel, mark: int) -> np.ndarray:
    """White texture with a blue spot at a landmark."""
    texture = np.full((256, 256, 3), 255, np.uint8)
    centre = texel_position(model.uv[model.landmark_indices[[mark]]], 256)[0]
    y, x = np.mgrid[:256, :256]
    texture[np.hypot(x - centre[0], y - centre[1]) < 7] = (0, 0, 255)
    return texture


def blue_centre(picture: np.ndarray) -> np.ndarray:
    color = picture.astype(int)
    y, x = np.nonzero(color[..., 2] - color[..., 0] > 60)
    assert len(x) > 5
    return np.array([x.mean(), y.mean()])


@pytest.mark.parametrize("mark", [36, 45, 8])
@pytest.mark.parametrize("yaw", [0, 25])
def test_render_puts_the_texture_where_the_model_is(
    model: MorphableModel, mark: int, yaw: float
) -> None:
    picture = render_head(model.mean, model, spotted(model, mark), yaw, 0, SIZE)
    turned = model.mean @ rotation_from_euler(yaw, 0, 0).T
    middle = (turned.min(axis=0) + turned.max(axis=0)) / 2
    x, y, _ = turned[model.landmark_indices[mark]] - middle
    expected = np.array([x, -y]) * SIZE / 236 + (SIZE - 1) / 2
    np.testing.assert_allclose(blue_centre(picture), expected, atol=3)


def test_background_is_plain_and_an_open_mouth_is_dark(model: MorphableModel) -> None:
    first = np.eye(10, dtype=np.float32)[0] * -2 * model.expression_sigma
    open_mouth = model.vertices(np.zeros(40, np.float32), first)
    picture = render_head(open_mouth, model, None, 0, 0, SIZE)
    corner = picture[0, 0]
    assert (picture[[0, -1]] == corner).all()
    assert (picture[:, [0, -1]] == corner).all()
    head = (picture != corner).any(axis=2)
    assert 0.3 < head.mean() < 0.9
    middle = (open_mouth.min(axis=0) + open_mouth.max(axis=0)) / 2
    gap = (open_mouth[model.landmark_indices[[62, 66]]].mean(axis=0) - middle)[:2]
    column, row = np.round(gap * [1, -1] * SIZE / 236 + (SIZE - 1) / 2).astype(int)
    assert picture[row, column].max() < 60


def test_overlay_changes_the_photo_only_on_the_face(model: MorphableModel) -> None:
    photo = np.full((200, 200, 3), (0, 160, 0), np.uint8)
    vertices = (model.mean * [0.5, -0.5, 0.5] + [100, 100, 0]).astype(np.float32)
    shown = overlay(photo, vertices, model)
    changed = (shown != photo).any(axis=2)
    x, y = np.round(vertices[model.landmark_indices[30], :2]).astype(int)
    assert changed[y, x]
    assert shown[y, x, 1] > shown[y, x, 0] > 0
    rows, columns = np.nonzero(changed)
    assert rows.min() >= vertices[:, 1].min() - 1
    assert columns.max() <= vertices[:, 0].max() + 1


def test_sheet_shows_everything(model: MorphableModel) -> None:
    photo = np.full((300, 260, 3), 90, np.uint8)
    vertices = (model.mean * [0.9, -0.9, 0.9] + [130, 140, 0]).astype(np.float32)
    face = SimpleNamespace(
        vertices_image=vertices,
        landmarks=vertices[model.landmark_indices],
        head=model.mean,
        texture=spotted(model, 30),
    )
    sheet = preview_sheet(photo, cast("Face", face), model)
    assert sheet.shape == (2 * PANEL + 3 * GAP, 3 * PANEL + 4 * GAP, 3)

    def panel(row: int, column: int) -> np.ndarray:
        y, x = GAP + row * (PANEL + GAP), GAP + column * (PANEL + GAP)
        return sheet[y : y + PANEL, x : x + PANEL]

    marked = panel(0, 1).astype(int)
    greenest = np.argwhere(marked[..., 1] - marked[..., 0] > 80)
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    scale = PANEL / ((high - low).max() * 1.25)
    points = (face.landmarks[:, :2] - (low + high) / 2) * scale + PANEL / 2
    distance = np.linalg.norm(greenest[:, None, ::-1] - points[None], axis=2)
    assert distance.min(axis=1).max() < 5
    assert distance.min(axis=0).max() < 3
    blue_centre(panel(0, 2))
    assert blue_centre(panel(1, 0))[0] == pytest.approx(PANEL / 2, abs=6)
    assert abs(blue_centre(panel(1, 2))[0] - PANEL / 2) > 60

    face.texture = None
    assert preview_sheet(photo, cast("Face", face), model).shape == sheet.shape
