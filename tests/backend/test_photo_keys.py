"""The 52 keys of a photo, on heads whose keys are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES, EXPRESSIONS
from backend.expressions.basis import ExpressionBasis
from backend.expressions.keyed_points import KeyedPoints
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.model import MorphableModel
from backend.tracking.gaze import EYES
from backend.tracking.photo_keys import UNSEEN, photo_keys
from backend.tracking.rest_faces import RestFaces, load_rest_faces, measure_rest_faces

Float = NDArray[np.floating]

# Too like the others, or hardly moving the points.
WEAK = ("mouthShrugLower", "mouthRollLower", "mouthRollUpper", "mouthShrugUpper")


@pytest.fixture(scope="module")
def points(expressions: ExpressionBasis, model: MorphableModel) -> KeyedPoints:
    return KeyedPoints.of_person(model, expressions, np.zeros(40))


@pytest.fixture(scope="module")
def people() -> RestFaces:
    return load_rest_faces()


def seen(face: Float) -> Float:
    """The points of a face that looks at the camera, in pixels of a photo, from half aside."""
    face = face.copy()
    for eye in EYES:
        corners = face[[eye.outer, eye.inner]]
        width = abs(corners[0, 0] - corners[1, 0])
        face[eye.iris] = corners.mean(axis=0) + width * np.array([*eye.ahead, 0])
    turned = 3.1 * face @ rotation_from_euler(12, -6, 9).T
    return turned * [1, -1, 1] + (400, 300, 0)


def read(points: KeyedPoints, people: RestFaces, faces: list[Float]) -> Float:
    return np.stack([photo_keys(seen(face), points, people) for face in faces])


def test_resting_people_show_next_to_nothing(points: KeyedPoints, people: RestFaces) -> None:
    """Whatever they differ by: a standard deviation of every mode to either side."""
    faces = [points.neutral + people.mean + sign * m for m in people.modes[:12] for sign in (-1, 1)]
    found = read(points, people, faces)
    assert found.mean() < 0.03
    assert found.max() < 0.4


def test_each_key_is_recognised(points: KeyedPoints, people: RestFaces) -> None:
    rest = points.neutral + people.mean
    found = read(points, people, [rest + delta for delta in points.keys])
    for index, key in enumerate(EXPRESSIONS):
        if key.group == "gaze" or key.name in (*UNSEEN, *WEAK):
            continue
        assert found[index, index] > 0.75, key.name
        others = np.delete(found[index], index)
        assert others.max() < 0.35, (key.name, EXPRESSION_NAMES[int(found[index].argsort()[-2])])


def test_half_a_blink_is_half(points: KeyedPoints, people: RestFaces) -> None:
    blink = EXPRESSION_NAMES.index("eyeBlinkLeft")
    found = read(points, people, [points.neutral + people.mean + 0.5 * points.keys[blink]])
    assert found[0, blink] == pytest.approx(0.5, abs=0.06)


def test_lids_of_a_blink_meet_in_the_points(points: KeyedPoints) -> None:
    shut = points.neutral + points.keys[EXPRESSION_NAMES.index("eyeBlinkLeft")]
    # 386 and 374 are the middles of the left lids.
    assert points.neutral[386, 1] - points.neutral[374, 1] > 6
    assert abs(shut[386, 1] - shut[374, 1]) < 0.6


def test_rest_faces_are_measured_symmetrically() -> None:
    random = np.random.default_rng(3)
    partners = np.arange(478)
    partners[[0, 1]] = 1, 0
    faces = measure_rest_faces(random.normal(size=(30, 478, 3)), partners, 5)
    np.testing.assert_allclose(faces.mean[0], faces.mean[1] * [-1, 1, 1])
    assert faces.modes.shape == (5, 478, 3)
