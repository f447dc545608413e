"""Which frames of a clip a head's texture is made of."""

from __future__ import annotations

import numpy as np
import pytest

from backend.morphable_model.boxes import RoiBox
from backend.tracking.best_views import BestViews, mouth_opening
from backend.tracking.sighting import Sighting

IMAGE = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)


def landmarks(opening: float) -> np.ndarray:
    """A mouth 40 pixels wide and `opening` pixels open; nothing else matters."""
    points = np.full((68, 3), 100, np.float32)
    points[48, 0], points[54, 0] = 80, 120
    points[66, 1] += opening
    return points


def sighting(opening: float = 4, sharpness: float = 200, yaw: float = 0) -> Sighting:
    """A face in the middle of the picture."""
    box = RoiBox(100, 100, 100)
    nothing = np.zeros(62, np.float32)
    return Sighting(
        box, nothing, landmarks(opening), box, yaw, 0.95, sharpness, np.zeros(192, np.uint8)
    )


def rows(*sightings: Sighting) -> list[int]:
    """Frames that are kept of a clip with these sightings of one face."""
    views = BestViews()
    for row, seen in enumerate(sightings):
        views.offer(IMAGE, row, 0, seen)
    return sorted(view.row for view in views.views.values())


@pytest.mark.parametrize("opening", [0, 10, 30])
def test_the_mouth_is_measured_in_its_own_width(opening: float) -> None:
    assert mouth_opening(landmarks(opening)) == pytest.approx(opening / 40)


def test_a_sharper_frame_is_better() -> None:
    assert rows(sighting(sharpness=100), sighting(sharpness=400), sighting(sharpness=200)) == [1]


def test_a_mouth_at_rest_is_better_than_bared_teeth() -> None:
    # As sharp as a smile made frames of a real clip: 440 against 395.
    calm, smile = sighting(5, 395), sighting(10, 440)
    assert rows(calm, smile) == [0]
    assert rows(smile, calm) == [1]


def test_a_face_that_never_rests_is_kept_as_well() -> None:
    assert rows(sighting(40)) == [0]


def test_every_side_has_its_own() -> None:
    assert rows(sighting(yaw=0), sighting(yaw=30), sighting(yaw=-50)) == [0, 1, 2]
