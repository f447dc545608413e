"""Tracks of clips whose motion is known: a photo moved about by affine maps.

The sample is scikit-image's portrait of Eileen Collins (NASA, public domain).
"""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from collections.abc import Callable, Generator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from backend import clip_pipeline
from backend.clip_pipeline import ClipRequest, track_from_video
from backend.errors import BadInputError, CancelledError, NoFaceError
from backend.exchange.smoothing import Strengths
from backend.geometry.pose import euler_angles
from backend.output.clip_preview import write_overlay
from backend.output.clips import timecode, write_clip
from backend.pipeline import FaceReconstructor
from backend.progress import no_progress
from backend.tracking import following
from backend.tracking.partial import STATE
from backend.tracking.track import Track, TrackedClip
from backend.vision.clip import ClipInfo, Frame, Range
from backend.vision.opening import open_clip
from tests.clips import steady
from tests.clips import write_clip as write_video

Image = NDArray[np.uint8]

WIDTH, HEIGHT = 480, 270
COUNT = 40


def path_of(count: int) -> list[NDArray[np.floating]]:
    """(2, 3) maps of the photo into frames: it shifts, grows and leans, smoothly."""
    maps = []
    for t in np.linspace(0, 1, count):
        angle, scale = np.radians(12 * np.sin(2 * np.pi * t)), 0.55 + 0.1 * t
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([180 + 120 * t, 130 + 10 * np.sin(4 * np.pi * t)])
        maps.append(np.column_stack([linear, middle - linear @ [226, 120]]))
    return maps


def frame(photo: Image, image_from_photo: NDArray[np.floating]) -> Image:
    warped = cv2.warpAffine(
        photo, image_from_photo, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderValue=(90, 100, 110)
    )
    return np.asarray(warped, np.uint8)


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    return [frame(data.astronaut(), m) for m in path_of(COUNT)]


Tracker = Callable[..., TrackedClip]


@pytest.fixture(scope="module")
def track(reconstructor: FaceReconstructor, tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """Write frames as a video and track it, without a texture unless asked."""

    def work(pictures: list[Image], **asked: object) -> TrackedClip:
        path = tmp_path_factory.mktemp("clip") / "clip.mp4"
        write_video(path, pictures, steady(len(pictures)), options={"crf": "12"})
        request = ClipRequest(path, **{"texture_size": None, **asked})  # pyright: ignore
        shares: list[float] = []
        tracked = track_from_video(
            request, reconstructor, progress=lambda share, _: shares.append(share)
        )
        assert shares == sorted(shares)
        # While its texture is made too.
        assert sum(0.9 < share < 1 for share in shares) >= (2 if request.texture_size else 0)
        return tracked

    return work


@pytest.fixture(scope="module")
def moved(track: Tracker, pictures: list[Image]) -> TrackedClip:
    return track(pictures, texture_size=512, texture_mode="photo")


def only(clip: TrackedClip) -> Track:
    (found,) = clip.tracks
    return found


def test_landmarks_follow_the_photo(moved: TrackedClip) -> None:
    """Carried back into the photo, they are where they were in the first frame."""
    found, maps = only(moved), path_of(COUNT)
    assert found.present.all()
    in_photo = [
        cv2.transform(marks[None, :, :2], cv2.invertAffineTransform(m))[0]
        for marks, m in zip(found.landmarks, maps, strict=True)
    ]
    middle = np.median(in_photo, axis=0)
    # Her face is 100 pixels wide in the photo.
    assert np.abs(in_photo - middle).mean() < 1.2
    assert np.abs(in_photo - middle).max() < 8


def test_roll_and_scale_follow_the_photo(moved: TrackedClip) -> None:
    found, maps = only(moved), np.array(path_of(COUNT))
    roll = euler_angles(found.rotation)[:, 2]
    # Both are positive for a photo turned clockwise, as seen.
    turned = np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
    difference = roll - turned
    assert np.std(difference) < 1.0
    scale = np.hypot(maps[:, 0, 0], maps[:, 1, 0])
    assert np.std(found.scale / scale) / np.mean(found.scale / scale) < 0.02


def test_the_mesh_lies_on_the_landmarks(
    moved: TrackedClip, reconstructor: FaceReconstructor
) -> None:
    found, model = only(moved), reconstructor.model
    head = model.landmark_mean + model.landmark_basis @ np.concatenate(
        [found.alpha_shape, found.expression[7] * model.expression_sigma]
    )
    placed = found.scale[7] * head @ found.rotation[7].T * [1, -1, 1] + found.translation[7]
    side = found.roi_boxes[7, 2] - found.roi_boxes[7, 0]
    assert np.abs(placed - found.landmarks[7])[:, :2].mean() < 0.01 * side


def test_one_shape_and_the_parameters_hold_it(moved: TrackedClip) -> None:
    found = only(moved)
    np.testing.assert_array_equal(
        found.parameters[:, 12:52], np.tile(found.alpha_shape, (COUNT, 1))
    )


def test_the_texture_is_hers(moved: TrackedClip) -> None:
    """Skin in the middle of the forehead, redder than green, and no grey of the background."""
    texture = only(moved).texture
    assert texture is not None and texture.shape == (512, 512, 3)
    red, green, blue = texture[150:170, 240:270].reshape(-1, 3).mean(axis=0)
    assert red > green + 20 > blue


def covered(picture: Image, part: float) -> Image:
    """The lower part of a frame painted over."""
    result = picture.copy()
    result[int(HEIGHT * (1 - part)) :] = (60, 120, 60)
    return result


@pytest.mark.parametrize("hide", ["black", "covered", "empty room"])
def test_frames_without_the_face_are_gaps(track: Tracker, pictures: list[Image], hide: str) -> None:
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(60, 200, (9, 16, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    hidden = list(pictures)
    for i in range(14, 26):
        hidden[i] = {
            "black": np.zeros_like(pictures[i]),
            "covered": covered(pictures[i], 0.9),
            "empty room": np.asarray(room, np.uint8),
        }[hide]
    found = only(track(hidden))
    assert not found.present[14:26].any()
    assert found.present[:14].all()
    # It may take a tenth of a second until it is found again.
    assert found.present[29:].all()
    for name in ("parameters", "roi_boxes", "rotation", "scale", "translation", "landmarks"):
        values = getattr(found, name)
        assert np.isnan(values[~found.present]).all(), name
        assert np.isfinite(values[found.present]).all(), name
    assert (found.confidence[~found.present] == 0).all()


def test_a_cut_does_not_lose_her(track: Tracker, pictures: list[Image]) -> None:
    shifted = np.array([[0.75, 0, 60.0], [0, 0.75, 10.0]])
    after = [frame(data.astronaut(), shifted)] * 10
    found = only(track([*pictures[:10], *after]))
    assert found.present.all()
    eyes = found.landmarks[10, 36:48, :2].mean(axis=0)
    np.testing.assert_allclose(eyes, 0.75 * np.array([225.5, 102]) + [60, 10], atol=4)


def test_two_faces_are_numbered_from_left_to_right(track: Tracker, pictures: list[Image]) -> None:
    both = [np.hstack([p, p[:, ::-1]]) for p in pictures[:12]]
    left, right = track(both).tracks
    assert (left.number, right.number) == (0, 1)
    assert left.present.all() and right.present.all()
    assert left.translation[0, 0] < WIDTH < right.translation[0, 0]
    far = frame(data.astronaut(), np.array([[0.4, 0, 120.0], [0, 0.4, 60.0]]))
    smaller = [np.hstack([picture, far]) for picture in pictures[:4]]
    largest = only(track(smaller, which="largest"))
    assert largest.translation[0, 0] < WIDTH


def test_of_too_many_faces_those_seen_best_are_kept(
    reconstructor: FaceReconstructor,
    pictures: list[Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clip_pipeline, "MAX_PEOPLE", 2)
    far = frame(data.astronaut(), np.array([[0.4, 0, 120.0], [0, 0.4, 60.0]]))
    three = [np.hstack([p, far, p[:, ::-1]]) for p in pictures[:6]]
    path = write_video(tmp_path / "clip.mp4", three, steady(6), options={"crf": "12"})
    stages: list[str] = []
    clip = track_from_video(
        ClipRequest(path, texture_size=None),
        reconstructor,
        progress=lambda _, stage: stages.append(stage),
    )
    left, right = clip.tracks
    assert (left.number, right.number, clip.left_out) == (0, 1, 1)
    assert left.translation[0, 0] < WIDTH and right.translation[0, 0] > 2 * WIDTH
    assert any("1 of 3 faces left out" in stage for stage in stages)
    assert (
        track_from_video(
            ClipRequest(path, which="largest", texture_size=None), reconstructor
        ).left_out
        == 0
    )


def test_parts_keep_the_clips_time(track: Tracker, pictures: list[Image]) -> None:
    clip = track(pictures, part=Range(0.4, 0.8))
    np.testing.assert_allclose(clip.times, np.arange(10, 21) / 25)
    np.testing.assert_array_equal(clip.frames, np.arange(10, 21))
    with pytest.raises(BadInputError, match="no frames"):
        track(pictures[:3], part=Range(5))


def test_large_clips_are_measured_in_their_own_pixels(track: Tracker) -> None:
    photo = cv2.resize(data.astronaut(), (3200, 3200), interpolation=cv2.INTER_CUBIC)
    found = only(track([np.asarray(photo, np.uint8)] * 2))
    eyes = found.landmarks[0, 36:48, :2].mean(axis=0)
    np.testing.assert_allclose(eyes, np.array([225.5, 102]) * 3200 / 512, atol=25)
    assert found.roi_boxes[0, 2] > 1200


def test_no_face_is_said(track: Tracker) -> None:
    with pytest.raises(NoFaceError, match="No face"):
        track([np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * 3)


def test_one_frame_a_second(
    reconstructor: FaceReconstructor, pictures: list[Image], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "slow.mp4", pictures[::8], steady(5, 1))
    clip = track_from_video(ClipRequest(path, texture_size=None), reconstructor)
    np.testing.assert_allclose(clip.times, np.arange(5))
    assert only(clip).present.all()


class Interrupted:
    """Progress that stops the work after some reports, as a crash would."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, fraction: float, stage: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise CancelledError


def test_interrupted_work_goes_on_and_ends_the_same(
    reconstructor: FaceReconstructor,
    pictures: list[Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "STRETCH", 8)
    path = write_video(tmp_path / "clip.mp4", pictures, steady(COUNT))
    request, keep = ClipRequest(path, texture_size=None), tmp_path / "keep"
    whole = track_from_video(request, reconstructor)
    with pytest.raises(CancelledError):
        track_from_video(request, reconstructor, keep=keep, progress=Interrupted(20))
    stages: list[str] = []
    resumed = track_from_video(
        request, reconstructor, keep=keep, progress=lambda _, stage: stages.append(stage)
    )
    # 16 frames of the 18 or so that were done are on disk.
    assert sum("frames/s" in stage for stage in stages) == COUNT - 16
    np.testing.assert_array_equal(resumed.times, whole.times)
    for name, value in vars(only(whole)).items():
        found = getattr(only(resumed), name)
        if name == "keys":
            # MediaPipe remembers the frames before, and begins anew after the interruption.
            assert np.abs(found - value).mean() < 0.03
        elif name != "gaze":
            np.testing.assert_array_equal(found, value, err_msg=name)


class Endless:
    """The same frames again and again; measures the memory in use after so many of them."""

    info = ClipInfo(WIDTH, HEIGHT, 25.0, "endless")
    duration = float("inf")
    skipped = 0

    def __init__(self, pictures: list[Image], measured: tuple[int, ...]) -> None:
        self._pictures = pictures
        self._measured = measured
        self.taken: list[int] = []

    def frames(self, part: Range) -> Generator[Frame]:
        for number in range(self._measured[-1] + 1):
            if number in self._measured:
                gc.collect()
                self.taken.append(tracemalloc.get_traced_memory()[0])
            yield Frame(number, number / 25, self._pictures[number % len(self._pictures)])


def test_following_keeps_little_of_every_frame(
    reconstructor: FaceReconstructor, pictures: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 62 numbers, the landmarks and the colours as bytes take 1.4 kB; as floats 1.9."""
    monkeypatch.setattr(following, "STRETCH", 20)
    clip = Endless(pictures[:4], (100, 600))
    tracemalloc.start()
    engine, detector = reconstructor.quick_engine, reconstructor.detector
    found = following.follow(clip, Range(), engine, detector, None, no_progress)
    tracemalloc.stop()
    assert len(found.history) == 601
    begin, end = clip.taken
    assert end - begin < 500 * 1_800


@pytest.mark.parametrize("harm", ["damaged", "empty", "of another clip", "of another network"])
def test_useless_remains_are_not_taken_up(
    reconstructor: FaceReconstructor,
    pictures: list[Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: str,
) -> None:
    monkeypatch.setattr(following, "STRETCH", 4)
    path = write_video(tmp_path / "clip.mp4", pictures[:10], steady(10))
    request, keep = ClipRequest(path, texture_size=None), tmp_path / "keep"
    with pytest.raises(CancelledError):
        track_from_video(request, reconstructor, keep=keep, progress=Interrupted(7))
    assert (keep / STATE).is_file()
    if harm == "damaged":
        (keep / STATE).write_bytes((keep / STATE).read_bytes()[:100])
    elif harm == "empty":  # as a loss of power leaves it
        (keep / STATE).write_bytes(b"")
    elif harm == "of another clip":
        write_video(path, pictures[10:20], steady(10))
    else:
        monkeypatch.setattr(reconstructor, "network", "another one")
    stages: list[str] = []
    clip = track_from_video(
        request, reconstructor, keep=keep, progress=lambda _, stage: stages.append(stage)
    )
    assert sum("frames/s" in stage for stage in stages) == len(clip.times) == 10
    again = track_from_video(request, reconstructor)
    np.testing.assert_array_equal(only(clip).landmarks, only(again).landmarks)


def test_files_of_a_clip(
    moved: TrackedClip, reconstructor: FaceReconstructor, tmp_path: Path
) -> None:
    raw = Strengths(0, 0, 0)
    (record,) = write_clip(tmp_path, moved, reconstructor.model, strengths=raw)
    folder = Path(record["directory"])
    assert folder == tmp_path / "face_0"
    names = {path.name for path in folder.iterdir()}
    assert names == {"track.npz", "track.json", "track.csv", "head.glb", "texture.png"}
    with np.load(folder / "track.npz") as arrays:
        np.testing.assert_array_equal(arrays["parameters"], only(moved).parameters)
        np.testing.assert_array_equal(arrays["times"], moved.times)
        np.testing.assert_array_equal(arrays["image_size"], [WIDTH, HEIGHT])
    described = json.loads((folder / "track.json").read_text())
    lines = (folder / "track.csv").read_text().splitlines()
    assert lines[0].split(",") == described["columns"]
    assert len(lines) == 1 + COUNT == 1 + len(described["frames"])
    row = dict(zip(described["columns"], lines[26].split(","), strict=True))
    assert (row["frame"], row["timecode"]) == ("25", "00:00:01.000")
    angles = [float(row[name]) for name in ("yaw", "pitch", "roll")]
    np.testing.assert_allclose(angles, euler_angles(only(moved).rotation)[25], atol=1e-3)


def test_timecodes() -> None:
    assert timecode(0) == "00:00:00.000"
    assert timecode(3723.0404) == "01:02:03.040"
    assert timecode(59.9996) == "00:01:00.000"


def test_sequences_of_one_folder_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """What was kept of the left camera's pictures is none of the right one's."""
    for name in ("left_0000.png", "left_0001.png", "right_0000.png"):
        (tmp_path / name).write_bytes(b"picture")
    left, right = (ClipRequest(tmp_path / f"{side}_%04d.png").key for side in ("left", "right"))
    assert left != right
    assert left == ClipRequest(tmp_path / "left_%04d.png").key
    (tmp_path / "right_0001.png").write_bytes(b"picture")
    assert left == ClipRequest(tmp_path / "left_%04d.png").key
    assert right != ClipRequest(tmp_path / "right_%04d.png").key


@pytest.mark.skipif(os.name == "nt", reason="links are the administrator's there")
def test_a_link_that_leads_nowhere_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "shot_0000.png").write_bytes(b"picture")
    (tmp_path / "shot_0001.png").symlink_to(tmp_path / "gone.png")
    assert ClipRequest(tmp_path / "shot_%04d.png").key
    assert ClipRequest(tmp_path).key


def test_an_overlay_keeps_variable_times(
    reconstructor: FaceReconstructor, pictures: list[Image], tmp_path: Path
) -> None:
    """Half of the clip at 30 frames a second, half at 15: none falls on the average's clock."""
    ticks = [3000 * i for i in range(6)] + [18_000 + 6000 * i for i in range(6)]
    path = write_video(tmp_path / "clip.mp4", pictures[:12], ticks)
    tracked = track_from_video(ClipRequest(path, texture_size=None), reconstructor)
    overlay = tmp_path / "overlay.mp4"
    write_overlay(overlay, open_clip(path), tracked, reconstructor.model)
    times = [frame.time for frame in open_clip(overlay).frames(Range())]
    np.testing.assert_allclose(times, np.array(ticks) / 90_000, atol=1e-4)


def test_telling_people_apart_can_be_stopped(
    reconstructor: FaceReconstructor, pictures: list[Image], tmp_path: Path
) -> None:
    """With many faces it takes longer than people wait."""
    elsewhere = frame(data.astronaut(), np.array([[0.75, 0, 60.0], [0, 0.75, 10.0]]))
    path = write_video(tmp_path / "clip.mp4", [*pictures[:6], *[elsewhere] * 6], steady(12))
    stages: list[str] = []

    def stop(_: float, stage: str) -> None:
        stages.append(stage)
        if stage == "telling people apart":
            raise CancelledError

    with pytest.raises(CancelledError):
        track_from_video(ClipRequest(path, texture_size=None), reconstructor, progress=stop)
    assert stages[-1] == "telling people apart"
