"""The crop against closed forms: a linear gradient, a marker, a checkerboard."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from backend.morphable_model.boxes import RoiBox
from backend.vision.crop import crop

SLOPE_X, SLOPE_Y, OFFSET = 0.15, 0.1, 20.0
HEIGHT, WIDTH = 720, 1000


def gradient() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    values = np.rint(OFFSET + SLOPE_X * x + SLOPE_Y * y).astype(np.uint8)
    return np.repeat(values[..., None], 3, axis=2)


@pytest.mark.parametrize("size", [120, 200])
@pytest.mark.parametrize(
    "box",
    [
        RoiBox(500, 350, 120),
        RoiBox(500.3, 350.7, 45.5),
        RoiBox(480, 360, 171, roll=30),
        RoiBox(500, 350, 437, roll=-100),
        RoiBox(510, 360, 700),
        RoiBox(490.25, 361.5, 480, roll=180),
    ],
)
def test_every_pixel_shows_its_place(box: RoiBox, size: int) -> None:
    """On a linear picture any symmetric filter returns the value at its own middle."""
    j, i = np.mgrid[:size, :size]
    step = box.side / size
    right, down = (i - size / 2) * step, (j - size / 2) * step
    turn = np.radians(box.roll)
    x = box.x + np.cos(turn) * right + np.sin(turn) * down
    y = box.y - np.sin(turn) * right + np.cos(turn) * down
    seen = crop(gradient(), box, size)
    assert seen.shape == (size, size, 3)
    # Half a step of rounding in the picture, half in the crop, 1/32 pixel in OpenCV's tables.
    assert np.abs(seen[..., 0] - (OFFSET + SLOPE_X * x + SLOPE_Y * y)).max() < 1.05


def test_a_face_that_leans_left_is_shown_upright() -> None:
    """Roll is anticlockwise as seen: the forehead of a leaning head lies up and to the left."""
    image = np.zeros((400, 400, 3), np.uint8)
    lean = np.radians(30)
    x, y = 200 - 90 * np.sin(lean), 200 - 90 * np.cos(lean)
    image[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5] = 255
    seen = crop(image, RoiBox(200, 200, 240, roll=30))[..., 0].astype(float)
    j, i = np.mgrid[:120, :120]
    middle = np.array([(i * seen).sum(), (j * seen).sum()]) / seen.sum()
    np.testing.assert_allclose(middle, [60, 60 - 90 * 120 / 240], atol=0.5)


def test_outside_is_black() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    seen = crop(image, RoiBox(0, 0, 240))
    assert (seen[62:108, 62:108] == 200).all()
    assert (seen[:58] == 0).all()
    assert (seen[:, :58] == 0).all()
    assert (crop(image, RoiBox(-500, 50, 100)) == 0).all()
    assert (crop(image, RoiBox(50, 5000, 600, roll=20)) == 0).all()


@pytest.mark.parametrize("roll", [0.0, 20.0])
def test_detail_finer_than_the_crop_does_not_alias(roll: float) -> None:
    image = np.indices((720, 720)).sum(axis=0) % 2 * 255
    image = np.repeat(image[..., None], 3, axis=2).astype(np.uint8)
    for side in (360, 480, 500):
        seen = crop(image, RoiBox(360, 360, side, roll)).astype(int)
        assert np.abs(seen - 127.5).max() < 30


@pytest.mark.parametrize("side", [1e5, 1e8, 1e12])
@pytest.mark.parametrize("shape", [(60, 80, 3), (16, 4000, 3)])
def test_a_region_far_larger_than_the_image_takes_no_more_memory(
    side: float, shape: tuple[int, int, int]
) -> None:
    image = np.full(shape, 200, np.uint8)
    tracemalloc.start()
    seen = crop(image, RoiBox(30, 8, side))
    assert tracemalloc.get_traced_memory()[1] < 10 * image.nbytes + 2**20
    tracemalloc.stop()
    # All of the picture is in a few pixels in the middle.
    assert seen.shape == (120, 120, 3)
    assert seen.max() == seen[58:63, :].max()
