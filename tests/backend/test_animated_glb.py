"""Animated GLB files, read by a reader of our own: what a player would show is the track."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.errors import NoFaceError
from backend.exchange.smoothing import Strengths
from backend.morphable_model.model import N_VERTICES, MorphableModel
from backend.output.animated_glb import export_animated_glb
from backend.tracking.smooth_track import smooth_track
from backend.tracking.track import Track, TrackedClip
from backend.vision.clip import ClipInfo

FRAMES = 12
GAP = slice(4, 7)
WIDTH, HEIGHT = 640, 360
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True)
class Glb:
    """A file's JSON and binary chunk."""

    tree: dict[str, Any]
    binary: bytes

    @classmethod
    def read(cls, path: Path) -> Glb:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, _ = struct.unpack_from("<I4s", data, 12)
        return cls(json.loads(data[20 : 20 + size]), data[28 + size :])

    def values(self, accessor: int) -> np.ndarray:
        entry = self.tree["accessors"][accessor]
        assert entry["componentType"] == 5126
        width = WIDTHS[entry["type"]]
        start = self.tree["bufferViews"][entry["bufferView"]]["byteOffset"]
        found = np.frombuffer(self.binary, "<f4", entry["count"] * width, start)
        found = found.reshape(-1, width)
        np.testing.assert_array_equal(entry["min"], found.min(axis=0))
        np.testing.assert_array_equal(entry["max"], found.max(axis=0))
        return found

    def channel(self, node: str, path: str) -> tuple[np.ndarray, np.ndarray]:
        """Times and values of the animation that players start with."""
        animation = self.tree["animations"][0]
        for channel in animation["channels"]:
            target = channel["target"]
            if self.tree["nodes"][target["node"]]["name"] == node and target["path"] == path:
                sampler = animation["samplers"][channel["sampler"]]
                assert sampler.get("interpolation", "LINEAR") == "LINEAR"
                return self.values(sampler["input"])[:, 0], self.values(sampler["output"])
        raise AssertionError(f"{node} has no {path}")


@pytest.fixture(scope="module")
def clip(model: MorphableModel) -> TrackedClip:
    rng = np.random.default_rng(1)
    times = 2.5 + np.cumsum(rng.uniform(0.02, 0.06, FRAMES))
    angles = np.cumsum(rng.normal(0, 0.2, (FRAMES, 3)), axis=0)
    present = np.ones(FRAMES, bool)
    present[GAP] = False
    track = Track(
        number=0,
        alpha_shape=(model.shape_sigma * rng.normal(size=40)).astype(np.float32),
        parameters=np.zeros((FRAMES, 62), np.float32),
        roi_boxes=np.zeros((FRAMES, 4), np.float32),
        rotation=Rotation.from_rotvec(angles).as_matrix().astype(np.float32),
        scale=rng.uniform(0.97, 1.03, FRAMES).astype(np.float32),
        translation=rng.uniform(200, 230, (FRAMES, 3)).astype(np.float32),
        expression=rng.normal(0, 1.5, (FRAMES, 10)).astype(np.float32),
        landmarks=np.zeros((FRAMES, 68, 3), np.float32),
        confidence=present.astype(np.float32),
        texture=rng.integers(0, 256, (32, 32, 3), np.uint8),
    )
    for values in (track.rotation, track.scale, track.translation, track.expression):
        values[GAP] = np.nan
    return TrackedClip(ClipInfo(WIDTH, HEIGHT, 25.0, "clip.mp4"), times, np.arange(12), (track,))


@pytest.fixture(scope="module")
def glb(model: MorphableModel, clip: TrackedClip, tmp_path_factory: pytest.TempPathFactory) -> Glb:
    path = tmp_path_factory.mktemp("glb") / "made" / "face.glb"
    export_animated_glb(path, clip, clip.tracks[0], model, focal_length=35.0)
    assert [file.name for file in path.parent.iterdir()] == ["face.glb"]
    return Glb.read(path)


def held(values: np.ndarray) -> np.ndarray:
    """With the row before the gap in the gap."""
    values = values.copy()
    values[GAP] = values[GAP.start - 1]
    return values


def test_head_and_targets_are_the_model(glb: Glb, clip: TrackedClip, model: MorphableModel) -> None:
    (mesh,) = glb.tree["meshes"]
    primitive, mouth = mesh["primitives"]
    assert mouth["targets"] == primitive["targets"]
    shape = clip.tracks[0].alpha_shape
    neutral = model.vertices(shape)
    found = glb.values(primitive["attributes"]["POSITION"])
    assert found.shape == (N_VERTICES, 3)
    np.testing.assert_allclose(found, neutral / 1000, atol=1e-6)
    assert mesh["extras"]["targetNames"] == [f"Expression_{k:02d}" for k in range(10)]
    for k in (0, 9):
        alpha_exp = np.zeros(10, np.float32)
        alpha_exp[k] = model.expression_sigma[k]
        expected = (model.vertices(shape, alpha_exp) - neutral) / 1000
        found = glb.values(primitive["targets"][k]["POSITION"])
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert np.abs(expected).max() > 5e-4


def test_keys_are_the_frames_and_gaps_hold(glb: Glb, clip: TrackedClip) -> None:
    track = clip.tracks[0]
    for node, path in (("pose", "rotation"), ("pose", "translation"), ("head", "weights")):
        seconds, _ = glb.channel(node, path)
        np.testing.assert_allclose(seconds, clip.times - clip.times[0], atol=1e-6)
    quaternions = glb.channel("pose", "rotation")[1]
    found = Rotation.from_quat(quaternions).as_matrix()
    np.testing.assert_allclose(found, held(track.rotation), atol=1e-5)
    assert (np.einsum("ij,ij->i", quaternions[1:], quaternions[:-1]) > 0).all()
    weights = glb.channel("head", "weights")[1].reshape(FRAMES, 10)
    np.testing.assert_allclose(weights, held(track.expression), atol=1e-6)


def test_the_camera_sees_the_head_where_the_clip_shows_it(glb: Glb, clip: TrackedClip) -> None:
    """By the pinhole formula of glTF: the camera looks along -Z, yfov is its vertical angle."""
    nodes = {node["name"]: node for node in glb.tree["nodes"]}
    assert nodes["pose"]["translation"] == [0, 0, 0]
    lens = glb.tree["cameras"][nodes["camera"]["camera"]]["perspective"]
    assert lens["aspectRatio"] == pytest.approx(WIDTH / HEIGHT)
    # A 36 mm wide picture through a lens of 35 mm.
    assert np.degrees(lens["yfov"]) == pytest.approx(
        np.degrees(2 * np.arctan(36 * HEIGHT / WIDTH / 2 / 35)), abs=1e-3
    )
    focal = HEIGHT / 2 / np.tan(lens["yfov"] / 2)
    x, y, z = (glb.channel("pose", "translation")[1] - nodes["camera"]["translation"]).T
    track = clip.tracks[0]
    place = np.stack([WIDTH / 2 + focal * x / -z, HEIGHT / 2 - focal * y / -z], axis=1) - 0.5
    np.testing.assert_allclose(place, held(track.translation)[:, :2], atol=0.01)
    np.testing.assert_allclose(focal / -z / 1000, held(track.scale), rtol=1e-4)


def test_the_ends_of_the_weights_are_first_keys_of_animations(glb: Glb, clip: TrackedClip) -> None:
    animations = glb.tree["animations"]
    assert [animation["name"] for animation in animations] == ["clip", "lowest", "highest"]
    seen = clip.tracks[0].expression[clip.tracks[0].present]
    for animation, expected in zip(animations[1:], (seen.min(0), seen.max(0)), strict=True):
        values = glb.values(animation["samplers"][0]["output"])[:, 0]
        np.testing.assert_allclose(values, expected, atol=1e-6)


def test_before_the_face_appears_its_first_row_holds(
    model: MorphableModel, clip: TrackedClip, tmp_path: Path
) -> None:
    confidence = clip.tracks[0].confidence.copy()
    confidence[:3] = 0
    track = replace(clip.tracks[0], confidence=confidence, texture=None)
    export_animated_glb(tmp_path / "late.glb", clip, track, model)
    late = Glb.read(tmp_path / "late.glb")
    weights = late.channel("head", "weights")[1].reshape(FRAMES, 10)
    np.testing.assert_allclose(weights[:4], np.tile(track.expression[3], (4, 1)), atol=1e-6)
    assert "images" not in late.tree


def test_times_rise_even_if_those_of_the_clip_do_not(
    model: MorphableModel, clip: TrackedClip, tmp_path: Path
) -> None:
    times = clip.times.copy()
    times[9] = times[8]
    export_animated_glb(tmp_path / "double.glb", replace(clip, times=times), clip.tracks[0], model)
    seconds, weights = Glb.read(tmp_path / "double.glb").channel("head", "weights")
    assert (np.diff(seconds) > 0).all()
    assert len(seconds) == FRAMES - 1
    assert len(weights) == 10 * (FRAMES - 1)


def test_a_face_in_no_frame_is_refused(
    model: MorphableModel, clip: TrackedClip, tmp_path: Path
) -> None:
    nobody = replace(clip.tracks[0], confidence=np.zeros(FRAMES, np.float32))
    with pytest.raises(NoFaceError, match="No frame of the clip"):
        export_animated_glb(tmp_path / "no.glb", clip, nobody, model)
    assert not list(tmp_path.iterdir())


def test_smoothing_a_track_leaves_gaps_and_measurements(clip: TrackedClip) -> None:
    track = clip.tracks[0]
    found = smooth_track(track, clip.times, Strengths(1, 1, 1))
    unchanged = smooth_track(track, clip.times, Strengths(0, 0, 0))
    for name in ("rotation", "scale", "translation", "expression"):
        raw, smoothed = getattr(track, name), getattr(found, name)
        assert smoothed.dtype == np.float32
        np.testing.assert_array_equal(np.isnan(raw), np.isnan(smoothed))
        assert np.nanmax(np.abs(raw - smoothed)) > 1e-3
        np.testing.assert_allclose(getattr(unchanged, name), raw, atol=1e-5)
    assert found.parameters is track.parameters
    assert found.landmarks is track.landmarks
