"""Poses and frames against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.geometry.camera import blender_from_model
from backend.geometry.pose import (
    blender_quaternions,
    euler_angles,
    rotation_from_euler,
)
from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.morphable_model.parameters import FaceParameters

ANGLES = [(0, 0, 0), (30, 10, -20), (-75, 25, 5), (89, -40, 60), (-10, 80, 170)]


def parameters_of(rotation: np.ndarray, scale: float, translation: list[float]) -> np.ndarray:
    """62 parameters of a pose; `scale` in crop pixels per millimetre."""
    matrix = np.column_stack([rotation * scale / 1000, translation])
    return np.concatenate([matrix.reshape(-1), np.zeros(50)]).astype(np.float32)


@pytest.mark.parametrize("angles", ANGLES)
def test_rotation_is_that_of_300w_lp(angles: tuple[float, float, float]) -> None:
    """R = Rx(pitch) Ry(yaw) Rz(roll) with the signs transposed, composed here by SciPy."""
    yaw, pitch, roll = angles
    expected = Rotation.from_euler("XYZ", [-pitch, -yaw, -roll], degrees=True).as_matrix()
    np.testing.assert_allclose(rotation_from_euler(*angles), expected, atol=1e-12)


@pytest.mark.parametrize("angles", ANGLES)
def test_exact_angles_invert_the_rotation(angles: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(euler_angles(rotation_from_euler(*angles)), angles, atol=1e-6)


@pytest.mark.parametrize("yaw", [90.0, -90.0])
def test_angles_at_gimbal_lock_describe_the_same_rotation(yaw: float) -> None:
    rotation = rotation_from_euler(yaw, 20, 0)
    np.testing.assert_allclose(rotation_from_euler(*euler_angles(rotation)), rotation, atol=1e-6)


def test_official_angles_agree_when_only_one_angle_turns() -> None:
    """The published formula mixes conventions, but not for a pure yaw (whose sign it shares)."""
    yaw, pitch, roll = euler_angles(rotation_from_euler(25, 0, 0), "official")
    assert (yaw, pitch, roll) == pytest.approx((25, 0, 0), abs=1e-9)
    # Pitch and roll keep the annotations' sign, as the published benchmark needs them.
    yaw, pitch, roll = euler_angles(rotation_from_euler(25, 10, -15), "official")
    assert (pitch, roll) == pytest.approx((10, -15), abs=1e-9)
    assert yaw == pytest.approx(25, abs=6)


def test_pose_survives_noise_in_its_matrix() -> None:
    rotation = rotation_from_euler(20, -10, 5)
    noisy = parameters_of(rotation, 0.5, [60, 70, -66])
    noisy[:12] += np.random.default_rng(0).normal(0, 2e-6, 12)
    pose = FaceParameters(noisy).pose
    np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose.rotation) == pytest.approx(1)
    assert np.degrees(Rotation.from_matrix(pose.rotation @ rotation.T).magnitude()) < 1
    assert pose.scale == pytest.approx(0.5, rel=0.01)


def test_crop_frame_follows_3ddfa_v2() -> None:
    """Its code: x = (x - 1) * s + x0, y = (120 - y) * s + y0, z = z * s."""
    box = RoiBox.from_corners(10, 20, 250, 260)
    point = np.array([[1.0, 120.0, 3.0], [61.0, 60.0, -5.0]])
    expected = [[10, 20, 6], [130, 140, -10]]
    np.testing.assert_allclose(box.to_image(point), expected)


@pytest.mark.parametrize("roll", [0.0, 37.0, -90.0, 180.0])
def test_crop_frame_is_inverted(roll: float) -> None:
    points = np.random.default_rng(1).uniform(0, 120, (50, 3))
    box = RoiBox(100, 80, 75, roll)
    there = box.to_image(points)
    np.testing.assert_allclose(box.to_crop(there), points, atol=1e-9)


def test_roll_turns_anticlockwise() -> None:
    """A face that leans to the image's left has its top to the left of its middle."""
    top = np.array([[CROP_SIZE / 2 + 1, CROP_SIZE, 0.0]])
    x, y, _ = RoiBox(50, 50, 60, 45).to_image(top)[0]
    assert (x, y) == pytest.approx((50 - 30 * np.sqrt(0.5), 50 - 30 * np.sqrt(0.5)))


@pytest.mark.parametrize("roll", [12.0, -90.0, 155.0])
def test_upright_parameters_put_the_head_in_the_same_place(roll: float) -> None:
    turned = RoiBox(200, 150, 90, roll)
    upright = RoiBox(200, 150, 90)
    head = np.random.default_rng(2).normal(0, 80, (40, 3))
    parameters = parameters_of(rotation_from_euler(15, -5, 3), 0.4, [58, 66, -20]).astype(float)

    def seen(p: np.ndarray, box: RoiBox) -> np.ndarray:
        matrix = p[:12].reshape(3, 4)
        return box.to_image(head * 1000 @ matrix[:, :3].T + matrix[:, 3])

    expected = seen(parameters, turned)
    np.testing.assert_allclose(
        seen(FaceParameters(parameters).upright(turned).numbers, upright), expected, atol=1e-6
    )


def test_blender_frame() -> None:
    """The nose points along -Y, the crown along +Z, the subject's left ear along +X."""
    axes = np.array([[0, 0, 100.0], [0, 100.0, 0], [100.0, 0, 0]])
    expected = [[0, -0.1, 0], [0, 0, 0.1], [0.1, 0, 0]]
    np.testing.assert_allclose(blender_from_model(axes), expected)


def test_blender_quaternion_turns_as_the_model_rotation_does() -> None:
    rotation = rotation_from_euler(30, 15, -10)
    w, x, y, z = blender_quaternions(rotation)
    points = np.random.default_rng(3).normal(0, 50, (10, 3))
    turned = Rotation.from_quat([x, y, z, w]).apply(blender_from_model(points))
    np.testing.assert_allclose(turned, blender_from_model(points @ rotation.T), atol=1e-9)
