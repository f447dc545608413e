"""Errors of whole meshes, on shapes whose error is known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from backend.cli import main
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.model import MorphableModel
from training.evaluation.landmarks.florence import (
    NOSE_TIP,
    Scan,
    head_error,
    near_nose,
    read_scans,
    render,
)
from training.evaluation.landmarks.modelling import (
    Surface,
    dense_error,
    icp_error,
    interocular_distance,
    modelling_report,
    point_to_plane_rmse,
    rigidly_aligned,
)


def test_a_turned_and_moved_mesh_has_no_error(model: MorphableModel) -> None:
    truth = model.mean.astype(np.float64)
    moved = truth @ rotation_from_euler(12, -8, 5).T + np.array([30, -20, 10])
    index = model.landmark_indices
    assert icp_error(moved, truth, moved[index], truth[index]) == pytest.approx(0, abs=1e-4)
    # From nearby, ICP finds the way without landmarks.
    near = truth @ rotation_from_euler(3, -2, 2).T + 5
    np.testing.assert_allclose(rigidly_aligned(near, truth), truth, atol=0.05)


def test_a_larger_sphere_is_as_far_as_its_radius_says() -> None:
    """Scale is not fitted: every vertex of the sphere of 102 is 2 from that of 100."""
    sphere = np.asarray(trimesh.creation.icosphere(4, 100.0).vertices)
    landmarks = sphere[:68].copy()
    landmarks[[36, 45]] = [[-25, 0, 0], [25, 0, 0]]
    error = icp_error(1.02 * sphere, sphere, landmarks, landmarks)
    assert error == pytest.approx(4.0, rel=1e-3)
    surface = Surface(sphere, sphere / 100)
    assert point_to_plane_rmse(1.02 * sphere, surface) == pytest.approx(2.0, rel=1e-6)


def test_what_slides_in_a_plane_is_not_far_from_it() -> None:
    """A grid 3 above a plane and shifted by a third of its step: the error is 3."""
    grid = np.stack([*np.meshgrid(np.arange(20.0), np.arange(20.0)), np.zeros((20, 20))], axis=-1)
    plane = grid.reshape(-1, 3)
    surface = Surface(plane, np.tile([0.0, 0, 1], (400, 1)))
    points = plane + np.array([0.33, -0.33, 0]) + np.array([0, 0, 3.0])
    assert point_to_plane_rmse(points, surface) == pytest.approx(3.0)


def test_dense_errors_ignore_the_depths_origin() -> None:
    """4 px to the right in a box of 50x200 pixels: 4 % of sqrt(50 * 200) = 100."""
    truth = np.array([[0.0, 0, 5], [50, 200, -5], [25, 100, 0]])
    assert dense_error(truth + np.array([4, 0, 77]), truth) == pytest.approx(4.0)


def test_protocols_on_heads_of_the_model(model: MorphableModel) -> None:
    """The same head 3 pixels further right: ICP takes that back, the dense protocol does not."""
    parameters = np.zeros((2, 62))
    parameters[:, 12:] = model.parameter_mean[12:]
    matrix = np.column_stack([4.4e-4 * np.eye(3), [61, 74, -66]])
    parameters[:, :12] = matrix.reshape(-1)
    shifted = parameters.copy()
    shifted[:, 3] += 3
    shifted[1] = np.nan
    boxes = np.tile([0.0, 0, 120, 120], (2, 1))
    names = np.array(["a", "b"])
    report = modelling_report(model, names, {"ours": (shifted, boxes)}, (parameters, boxes))
    head = 0.44 * model.vertices(*np.split(model.parameter_mean[12:], [40]))
    size = np.sqrt(np.ptp(head[:, 0]) * np.ptp(head[:, 1]))
    assert (report["n"], report["measured"]) == (2, 1)
    assert report["nme"]["ours"]["protocol_1"] == pytest.approx(0, abs=0.01)
    assert report["nme"]["ours"]["protocol_2"] == pytest.approx(300 / size, rel=1e-3)
    eyes = interocular_distance(model.landmark_mean)
    assert 80 < eyes < 100


@pytest.fixture
def head_scan(model: MorphableModel) -> Scan:
    colors = np.full_like(model.mean, 0.6)
    colors[model.mean[:, 0] > 0] = [0.9, 0.2, 0.2]
    return Scan("mean", model.mean, model.triangles, colors, model.landmark_mean[NOSE_TIP])


def test_florence_is_zero_for_the_scan_itself_and_the_offset_for_a_shell(
    model: MorphableModel, head_scan: Scan
) -> None:
    surface, tip = near_nose(head_scan)
    assert np.linalg.norm(surface.vertices - tip, axis=1).max() <= 95
    turned = model.mean @ rotation_from_euler(4, -3, 2).T.astype(np.float32) + 40
    turned_tip = turned[model.landmark_indices[NOSE_TIP]]
    assert head_error(turned, turned_tip, surface, tip) == pytest.approx(0, abs=0.15)
    # A closed shell cannot be moved closer everywhere, so an offset along the normals stays.
    sphere = trimesh.creation.icosphere(4, 80.0)
    vertices = np.asarray(sphere.vertices)
    top = vertices[vertices[:, 2].argmax()]
    whole = Surface(vertices, vertices / 80)
    assert head_error(0.5 * vertices, 0.5 * top, whole, top) > 10
    moved = rigidly_aligned(1.0125 * vertices, vertices)
    assert point_to_plane_rmse(moved, whole) == pytest.approx(1.0, rel=0.02)


def test_views_of_a_scan_turn_the_right_way(model: MorphableModel, head_scan: Scan) -> None:
    """The subject's left half is red. From the front it is to the right of the picture."""
    front, box = render(model, head_scan, 0, 0)
    red = (front[:, :, 0] > 200) & (front[:, :, 1] < 100)
    grey = np.isclose(front, 153, atol=1).all(axis=2)
    assert np.argwhere(red)[:, 1].mean() > 150 > np.argwhere(grey)[:, 1].mean()
    assert 0 < box.corners[0] < box.corners[2] < 300
    turned, _ = render(model, head_scan, 80, 0)
    mirrored, _ = render(model, head_scan, -80, 0)
    shares = [
        ((p[:, :, 0] > 200) & (p[:, :, 1] < 100)).sum() / (p != 128).any(axis=2).sum()
        for p in (turned, mirrored)
    ]
    assert min(shares) < 0.1 and max(shares) > 0.9


def test_florence_command(
    head_scan: Scan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scan in metres; the network of course finds a head less than 10 mm off."""
    mesh = trimesh.Trimesh(
        head_scan.vertices / 1000,
        head_scan.triangles,
        vertex_colors=(255 * head_scan.colors).astype(np.uint8),
        process=False,
    )
    mesh.export(tmp_path / "head.ply")
    (scan,) = read_scans(tmp_path, 1000.0)
    np.testing.assert_allclose(scan.vertices, head_scan.vertices, atol=1e-3)
    command = ["evaluate", "florence", "--scans", str(tmp_path), "--unit-mm", "1000"]
    assert main([*command, "--plots", str(tmp_path / "plots")]) == 0
    text = capsys.readouterr().out
    assert "Table 10" in text and "yaw -80" in text
    value = float(next(line for line in text.splitlines() if line.startswith("ours")).split()[-1])
    assert 0 < value < 10
    assert (tmp_path / "plots" / "florence.png").is_file()


def test_a_folder_without_scans_is_refused(tmp_path: Path) -> None:
    assert main(["evaluate", "florence", "--scans", str(tmp_path)]) == 2
    (tmp_path / "bad.obj").write_text("v 1 2\nf nonsense\n")
    assert main(["evaluate", "florence", "--scans", str(tmp_path)]) == 2
