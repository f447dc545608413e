"""What a face does: drawn points with known keys, in known poses, give the keys again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.exchange.expressions import EXPRESSION_NAMES, EXPRESSIONS, GAZE_DEGREES
from backend.expressions.keyed_points import KeyedPoints
from backend.geometry.pose import Pose
from backend.morphable_model.boxes import RoiBox
from backend.tracking.film_points import FaceReader, FilmPoints
from backend.tracking.gaze import EYES, RADIUS
from backend.tracking.head_frame import RIGID
from backend.tracking.history import History
from backend.tracking.live_performance import LivePerformance
from backend.tracking.performance import UNSEEN, Performance, perform
from backend.tracking.refit import Poses
from backend.tracking.rest import LIDS, LIPS

KEY = {name: index for index, name in enumerate(EXPRESSION_NAMES)}
SEEN = np.array([key.group != "gaze" for key in EXPRESSIONS])
FRAMES = 100
RATE = 25.0
# Millimetres: corners of the eyes, lids, lips, nose, chin, forehead.
PLACES = {
    33: (-44, 25, 0), 133: (-17, 25, 4), 362: (17, 25, 4), 263: (44, 25, 0), 1: (0, -10, 30),
    10: (0, 80, 0), 152: (0, -90, 10), 159: (-30, 29, 6), 145: (-30, 21, 6), 386: (30, 29, 6),
    374: (30, 21, 6), 13: (0, -40, 15), 14: (0, -41, 15), 61: (-26, -42, 8), 291: (26, -42, 8),
    107: (-15, 46, 12), 336: (15, 46, 12), 70: (-56, 40, 0), 300: (56, 40, 0), 168: (0, 25, 15),
}  # fmt: skip


@pytest.fixture(scope="module")
def head() -> KeyedPoints:
    """A made-up head: lids that shut, a jaw that opens, and other keys that move points at random.

    Keys of the eyes move nothing, and the model's first expression opens the jaw.
    """
    rng = np.random.default_rng(0)
    neutral = rng.uniform((-60, -80, -20), (60, 80, 20), (478, 3))
    for point, place in PLACES.items():
        neutral[point] = place
    for eye in EYES:
        middle = (neutral[eye.outer] + neutral[eye.inner]) / 2
        width = abs(neutral[eye.outer, 0] - neutral[eye.inner, 0])
        neutral[eye.iris] = middle
        neutral[eye.iris, :2] += np.multiply(width, eye.ahead)
    keys = rng.normal(0, 2, (52, 478, 3)) * (rng.random((52, 478, 1)) < 0.2)
    fixed = [*RIGID, *(p for pair in (*LIDS, LIPS) for p in pair), *(eye.iris for eye in EYES)]
    keys[:, fixed] = 0
    keys[[key.group == "gaze" for key in EXPRESSIONS]] = 0
    for side, (upper, lower) in zip(("Right", "Left"), LIDS, strict=True):
        keys[KEY[f"eyeBlink{side}"], upper, 1] = -7
        keys[KEY[f"eyeBlink{side}"], lower, 1] = 1
    keys[KEY["jawOpen"], LIPS[1], 1] = -25
    expression = np.zeros((10, 478, 3))
    expression[0] = keys[KEY["jawOpen"]] / 4
    reliable = np.arange(478) < 468
    return KeyedPoints(neutral, expression, keys, reliable)


def performed(
    head: KeyedPoints, keys: np.ndarray, moved: np.ndarray | None = None
) -> tuple[History, np.ndarray, Poses]:
    """Points of a person whose face lies elsewhere than the head says, turning and shifting."""
    rng = np.random.default_rng(1)
    offsets = rng.normal(0, 1.0, (478, 3))
    offsets[[*RIGID, 468, 473]] = 0
    offsets[[159, 145, 386, 374, 13, 14]] = 0
    points = head.neutral + offsets + np.tensordot(keys, head.keys, 1)
    if moved is not None:
        points = points + moved
    n = len(keys)
    phase = np.linspace(0, 6, n)
    turns = Rotation.from_rotvec(0.3 * np.column_stack([np.sin(phase), np.cos(phase), phase / 9]))
    rotation = turns.as_matrix() @ turns.as_matrix()[0].T
    scale = 2 + 0.3 * np.sin(phase)
    shift = np.column_stack([300 + 20 * phase, 250 + 5 * phase, 0 * phase])
    turned = points @ rotation.swapaxes(1, 2) * scale[:, None, None] * [1, -1, 1] + shift[:, None]
    box = np.column_stack([shift[:, :2], np.full(n, 400.0), np.zeros(n)]).astype(np.float32)
    history = History(
        row=np.arange(n),
        face=np.zeros(n, np.int64),
        box=box,
        parameters=np.zeros((n, 62), np.float32),
        landmarks=np.zeros((n, 68, 3), np.float32),
        confidence=np.ones(n, np.float32),
        sharpness=np.ones(n, np.float32),
        colors=np.zeros((n, 192), np.uint8),
        coded=coded(turned, box),
    )
    poses = Poses(Pose(rotation, scale, shift), np.zeros((n, 10)))
    return history, np.arange(n) / RATE, poses


def coded(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    places = (points - box[:, None, :3] * [1, 1, 0]) / box[:, None, 2:3]
    return np.round(places * 2**14).astype(np.int16)


def unread(history: History, rows: slice) -> History:
    points = history.coded.copy()
    points[rows] = np.iinfo(np.int16).min
    return replace(history, coded=points)


def acted() -> np.ndarray:
    """(F, 52): rest, two blinks of one eye each, talking, and every other key once."""
    keys = np.zeros((FRAMES, 52))
    keys[20:23, KEY["eyeBlinkLeft"]] = [0.5, 1.0, 0.6]
    keys[30:33, KEY["eyeBlinkRight"]] = [0.5, 1.0, 0.6]
    keys[40:60, KEY["jawOpen"]] = np.sin(np.linspace(0, np.pi, 20)) * 0.8
    others = [
        index for index, key in enumerate(EXPRESSIONS)
        if key.group not in ("gaze",) and key.name not in (*UNSEEN, "jawOpen", "eyeBlinkLeft",
                                                          "eyeBlinkRight")
    ]  # fmt: skip
    for number, index in enumerate(others):
        keys[60 + number, index] = 0.7
    return keys


def test_known_keys_are_found_again_from_any_face_and_pose(head: KeyedPoints) -> None:
    keys = acted()
    found = perform(*performed(head, keys), head)
    assert np.abs(found.keys - keys)[:, SEEN].max() < 0.06
    assert found.keys[:15, SEEN].max() < 0.02
    # A blink's depth and its frame.
    assert found.keys[21, KEY["eyeBlinkLeft"]] > 0.95
    assert found.keys[:, KEY["eyeBlinkLeft"]].argmax() == 21


def test_keys_that_points_cannot_tell_stay_0(head: KeyedPoints) -> None:
    keys = np.zeros((FRAMES, 52))
    keys[50:, [KEY[name] for name in UNSEEN]] = 1
    found = perform(*performed(head, keys), head).keys
    assert not found[:, [KEY[name] for name in UNSEEN]].any()


def test_a_mouth_that_is_always_open_is_not_taken_for_a_shut_one(head: KeyedPoints) -> None:
    keys = np.zeros((FRAMES, 52))
    keys[:, KEY["jawOpen"]] = 0.6
    found = perform(*performed(head, keys), head).keys[:, KEY["jawOpen"]]
    assert found.min() > 0.45
    named = perform(*performed(head, keys), head, neutral_time=1.0).keys[:, KEY["jawOpen"]]
    assert named.max() < 0.02


def test_the_network_carries_on_without_a_jump(head: KeyedPoints) -> None:
    keys = np.zeros((FRAMES, 52))
    keys[30:, KEY["jawOpen"]] = 0.5
    history, times, poses = performed(head, keys)
    # The network sees half of it.
    expression = np.zeros((FRAMES, 10))
    expression[:, 0] = 2 * keys[:, KEY["jawOpen"]]
    lost = unread(history, slice(50, 80))
    found = perform(lost, times, replace(poses, expression=expression), head).keys
    jaw = found[:, KEY["jawOpen"]]
    assert np.abs(np.diff(jaw[35:])).max() < 0.06
    assert jaw[65] == pytest.approx(0.25, abs=0.1)
    assert found[50:80, KEY["eyeBlinkLeft"]].max() < 0.05
    alone = perform(unread(history, slice(0, FRAMES)), times, replace(poses, expression=expression),
                    head).keys  # fmt: skip
    assert np.corrcoef(alone[:, KEY["jawOpen"]], keys[:, KEY["jawOpen"]])[0, 1] > 0.99


@pytest.mark.parametrize(("left", "up"), [(15.0, 0.0), (-12.0, 8.0), (0.0, -15.0)])
def test_gaze_is_found_again_and_turns_keys(head: KeyedPoints, left: float, up: float) -> None:
    moved = np.zeros((FRAMES, 478, 3))
    for eye in EYES:
        width = abs(head.neutral[eye.outer, 0] - head.neutral[eye.inner, 0])
        shift = width * (RADIUS * np.sin(np.radians([left, up])))
        moved[60:, eye.iris, :2] = shift
    keys = np.zeros((FRAMES, 52))
    history, times, poses = performed(head, keys, moved)
    # A camera straight ahead of the head.
    ahead = replace(poses, pose=Pose(np.tile(np.eye(3), (FRAMES, 1, 1)), poses.pose.scale,
                                     poses.pose.translation))  # fmt: skip
    found: Performance = perform(history, times, ahead, head)
    np.testing.assert_allclose(found.gaze[:55].reshape(-1), 0, atol=1.5)
    np.testing.assert_allclose(found.gaze[65:, 0], [[left, up]] * (FRAMES - 65), atol=1.5)
    np.testing.assert_allclose(found.gaze[65:, 1], [[left, up]] * (FRAMES - 65), atol=1.5)
    outwards, inwards = ("Out", "In") if left > 0 else ("In", "Out")
    expected = abs(left) / GAZE_DEGREES[outwards]
    assert found.keys[80, KEY[f"eyeLook{outwards}Left"]] == pytest.approx(expected, abs=0.08)
    assert found.keys[80, KEY[f"eyeLook{inwards}Left"]] < 0.08


def test_a_stream_learns_the_rest(head: KeyedPoints) -> None:
    keys = acted()
    history, times, poses = performed(head, keys)
    live = LivePerformance(head)
    found = [
        live.frame(points, expression, rotation[2], time)[0]
        for points, expression, rotation, time in zip(
            history.points, poses.expression, poses.pose.rotation, times, strict=True
        )
    ]
    off = np.abs(np.array(found) - keys)[:, SEEN]
    # From frame 60 on nothing rests any more.
    assert off[:60].max() < 0.06 and off.max() < 0.3
    lost = live.frame(np.full((478, 3), np.nan), np.zeros(10), np.array([0, 0, 1.0]), times[-1] + 9)
    assert lost[0][SEEN].max() < 0.02


class FakeFilm:
    """Sees a face in the middle of a bright square, and looks once where it was before."""

    def __init__(self) -> None:
        self.pictures: list[tuple[int, ...]] = []

    def points(self, image: np.ndarray, time: float) -> np.ndarray:
        self.pictures.append(image.shape)
        rows, columns = np.nonzero(image[..., 0])
        if not len(rows):
            return np.zeros((0, 478, 3), np.float32)
        points = np.zeros((1, 478, 3), np.float32)
        points[..., :2] = columns.mean(), rows.mean()
        return points


def square(x: int, y: int) -> np.ndarray:
    picture = np.zeros((400, 600, 3), np.uint8)
    picture[y - 10 : y + 11, x - 10 : x + 11] = 255
    return picture


def test_a_face_is_read_in_a_window_that_stays_while_it_can() -> None:
    film = FakeFilm()
    reader = FaceReader(film)
    for x in (200, 210, 220):
        found = reader.read(square(x, 150), RoiBox(x, 150, 100), x / 100)
        np.testing.assert_allclose(found[0], [x, 150, 0])
    assert len(film.pictures) == 3
    # Far off it is another window.
    found = reader.read(square(500, 300), RoiBox(500, 300, 100), 9)
    np.testing.assert_allclose(found[0], [500, 300, 0])
    # Another face is not taken for it.
    assert np.isnan(reader.read(square(440, 300), RoiBox(500, 300, 100), 10)).all()


def test_several_faces_are_read_in_another_thread_and_only_so_many() -> None:
    with FilmPoints(FakeFilm) as films:
        picture = np.maximum(square(100, 100), square(450, 300))
        boxes = {7: RoiBox(100, 100, 90), 3: RoiBox(450, 300, 90)}
        later = [films.later(picture, boxes, time / 25) for time in range(12)]
        for found in later:
            points = found.result()
            np.testing.assert_allclose(points[7][0, :2], [100, 100])
            np.testing.assert_allclose(points[3][0, :2], [450, 300])
        crowd = {number: RoiBox(100, 100, 50 + number) for number in range(20)}
        found = films.read(picture, crowd, 1.0)
        read = [number for number, points in found.items() if np.isfinite(points).all()]
        assert min(read) == 14
