"""Evaluation against other people's files, of orientation and of identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from backend.cli import main
from backend.errors import BadInputError
from training.evaluation import published
from training.evaluation.landmarks.angles import angle_errors, angles_of, counts
from training.evaluation.landmarks.identity import within_over_total
from training.evaluation.landmarks.orientation import summarise
from training.evaluation.landmarks.predictions import Asking, predict, read_predictions
from training.evaluation.tables import Table, format_table
from training.readers.aflw import read_300w_lp, read_aflw, read_aflw2000
from training.readers.annotations import annotations_of


def blank(folder: Path, names: list[str], size: int = 130) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.fromarray(np.full((size, size, 3), 90, np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Four photos in the authors' layout of AFLW2000-3D; landmarks count from 1."""
    rng = np.random.default_rng(0)
    points = rng.uniform(20, 100, (4, 3, 68)).astype(np.float32)
    np.save(tmp_path / "AFLW2000-3D.pts68.npy", points)
    np.save(tmp_path / "AFLW2000-3D-Reannotated.pts68.npy", points[:, :2] + 1)
    np.save(tmp_path / "AFLW2000-3D_crop.roi_box.npy", np.tile([0.0, 0, 120, 120], (4, 1)))
    np.save(tmp_path / "AFLW2000-3D.pose.npy", np.array([-10.0, 40, 50, 70]))
    angles = np.array([[1.0, -10, 2], [3, 40, 4], [5, 70, 6]])
    np.save(tmp_path / "ALFW2000-3D_pose_3ANG_excl.npy", angles)
    np.save(tmp_path / "ALFW2000-3D_pose_3ANG_skip.npy", np.array([2]))
    blank(tmp_path / "images", [f"{i}.jpg" for i in range(4)])
    return tmp_path


def run_json(capsys: pytest.CaptureFixture[str], *command: str | Path) -> dict[str, Any]:
    assert main(["evaluate", *map(str, command), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_aflw2000_is_measured_as_its_authors_do(
    benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Predictions 3 px right of the annotations; the second implementation is a plain loop."""
    points = np.load(benchmark / "AFLW2000-3D.pts68.npy").astype(float)
    predicted = points[:, :2].transpose(0, 2, 1) - 1 + [3, 0]
    names = np.array([f"{i}.jpg" for i in range(4)])
    np.savez(benchmark / "ours.npz", names=names[::-1], lm68=predicted[::-1])
    report = run_json(
        capsys, "alignment", "--format", "aflw2000", "--images", benchmark / "images",
        "--landmarks", benchmark / "AFLW2000-3D.pts68.npy",
        "--predictions", benchmark / "ours.npz",
    )  # fmt: skip
    errors = [300 / np.sqrt(np.ptp(p[0]) * np.ptp(p[1])) for p in points]
    row = report["nme"]["refined"]
    assert row["yaw"] == pytest.approx(
        {"0-30": errors[0], "30-60": (errors[1] + errors[2]) / 2, "60-90": errors[3]}
    )
    assert row["mean_of_bins"] == pytest.approx(np.mean(list(row["yaw"].values())))
    assert row["all"] == pytest.approx(np.mean(errors))
    assert report["yaw_from"] == "annotations"
    assert report["count"] == {"0-30": 1, "30-60": 2, "60-90": 1}


def test_the_paper_is_printed_beside_ours(
    benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.load(benchmark / "AFLW2000-3D-Reannotated.pts68.npy").transpose(0, 2, 1) - 1
    path = benchmark / "ours.npz"
    np.savez(path, names=np.array([f"{i}.jpg" for i in range(4)]), lm68=truth)
    command = ["evaluate", "alignment", "--format", "aflw2000", "--predictions", str(path)]
    command += ["--images", str(benchmark / "images"), "--plots", str(benchmark / "plots")]
    command += ["--landmarks", str(benchmark / "AFLW2000-3D-Reannotated.pts68.npy")]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "0.00" in text and "Table S2" in text and "2.05" in text
    for name in ("ced", "error_by_yaw", "people"):
        picture = np.asarray(Image.open(benchmark / "plots" / f"{name}.png"))
        assert picture.std() > 5


def test_orientation_reads_the_authors_angles_and_their_exclusions(benchmark: Path) -> None:
    landmarks = benchmark / "AFLW2000-3D.pts68.npy"
    pose = benchmark / "ALFW2000-3D_pose_3ANG_excl.npy"
    annotations = read_aflw2000(benchmark / "images", landmarks, pose=pose)
    np.testing.assert_allclose(annotations.ypr[[0, 1, 3]], [[-10, 1, 2], [40, 3, 4], [70, 5, 6]])
    assert np.isnan(annotations.ypr[2]).all()
    assert counts(annotations.ypr).tolist() == [True, True, False, True]


def test_a_crop_is_not_cropped_again(
    benchmark: Path, model: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a photo the box is cut out; an image of 120x120 pixels is that cut-out."""
    seen: list[np.ndarray] = []

    def answer(crops: list[np.ndarray], *_: object) -> None:
        seen.extend(crops)
        raise BadInputError("enough")

    monkeypatch.setattr("training.evaluation.landmarks.predictions.answer", answer)
    image = np.random.default_rng(0).integers(0, 255, (120, 120, 3), np.uint8)
    Image.fromarray(image).save(benchmark / "images" / "0.jpg", quality=100, subsampling=0)
    np.save(benchmark / "AFLW2000-3D_crop.roi_box.npy", np.tile([40.0, 40, 90, 90], (4, 1)))
    landmarks = benchmark / "AFLW2000-3D.pts68.npy"
    annotations = read_aflw2000(benchmark / "images", landmarks)
    with pytest.raises(BadInputError, match="enough"):
        predict(annotations, model, Asking(), "given")  # pyright: ignore[reportArgumentType]
    assert np.abs(seen[0].astype(int) - image).mean() < 5
    assert (seen[1] == 90).mean() > 0.9


def test_aflw_marks_missing_points(tmp_path: Path) -> None:
    points21 = np.full((1, 2, 21), 10.0)
    points21[0, :, 3] = -1
    np.save(tmp_path / "AFLW_GT_pts68.npy", np.random.default_rng(0).uniform(1, 99, (1, 2, 68)))
    np.save(tmp_path / "AFLW_GT_pts21.npy", points21)
    np.save(tmp_path / "AFLW_GT_crop_roi_box.npy", np.array([[0.0, 0, 120, 120]]))
    np.save(tmp_path / "AFLW_GT_crop_yaws.npy", np.array([12.0]))
    (tmp_path / "AFLW_GT_crop.list").write_text("b.jpg\n")
    blank(tmp_path / "images", ["a.jpg", "b.jpg"])
    annotations = read_aflw(
        tmp_path / "images",
        tmp_path / "AFLW_GT_pts68.npy",
        image_list=tmp_path / "AFLW_GT_crop.list",
    )
    assert annotations.names.tolist() == ["b.jpg"]
    assert np.isnan(annotations.points21[0, 3]).all()
    assert (annotations.points21[0, 4] == 9).all()


def test_300w_lp_gives_points_and_degrees(tmp_path: Path) -> None:
    folder = blank(tmp_path / "images", ["x_1.jpg", "x_2.jpg", "without.jpg"])
    points = np.arange(136.0).reshape(2, 68) + 1
    pose = np.concatenate([np.radians([5.0, -30, 12]), np.zeros(4)])
    savemat(folder / "x_1.mat", {"pt2d": points, "Pose_Para": pose[None]})
    savemat(
        folder / "x_2.mat", {"pt2d": np.full((2, 21), -1.0), "pt3d_68": np.vstack([points] * 2)[:3]}
    )
    annotations = read_300w_lp(folder, lambda name: name[0])
    assert annotations.names.tolist() == ["x_1.jpg", "x_2.jpg"]
    assert annotations.identities.tolist() == ["x", "x"]
    np.testing.assert_allclose(annotations.points[0], points.T - 1)
    np.testing.assert_allclose(annotations.points[1], points.T - 1)
    np.testing.assert_allclose(annotations.ypr[0], [-30, 5, 12])
    assert np.isnan(annotations.ypr[1]).all()


@pytest.mark.parametrize(
    "arrays",
    [
        {"names": ["a.jpg"]},
        {"names": ["z.jpg"], "lm68": np.zeros((1, 68, 2))},
        {"names": ["0.jpg", "0.jpg"], "lm68": np.zeros((2, 68, 2))},
    ],
)
def test_useless_predictions_are_refused(
    arrays: dict[str, Any], benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents: dict[str, Any] = {name: np.array(value) for name, value in arrays.items()}
    np.savez(benchmark / "ours.npz", **contents)
    command = ["evaluate", "alignment", "--format", "aflw2000", "--images", benchmark / "images"]
    command += ["--landmarks", benchmark / "AFLW2000-3D.pts68.npy"]
    assert main([*map(str, command), "--predictions", str(benchmark / "ours.npz")]) == 2
    assert "ours.npz" in capsys.readouterr().err


def test_held_out_people_peers_and_one_based_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everyone is held out with --one-in 1; a peer is 2 px off, we are exact."""
    folder = blank(tmp_path / "images", [])
    rng = np.random.default_rng(3)
    names = np.array(["ann_0.png", "ann_1.png", "bob_0.png", "cy_0.png"])
    points = rng.uniform(50, 150, (4, 68, 2))
    below = points + np.array([0, 2])
    np.savez(tmp_path / "points.npz", names=names, pts=points + 1)
    np.savez(tmp_path / "ours.npz", names=names, lm68=points)
    np.savez(tmp_path / "peer_a.npz", names=names[:1], lm68=below[:1])
    np.savez(tmp_path / "peer_b.npz", names=names[1:3], lm68=below[1:3])
    report = run_json(
        capsys, "alignment", "--images", folder, "--landmarks", tmp_path / "points.npz",
        "--one-based", "--predictions", tmp_path / "ours.npz", "--split", "held-out",
        "--one-in", "1", "--identity", r"^(.*)_\d+\.",
        "--peer", "peer", tmp_path / "peer_a.npz", tmp_path / "peer_b.npz",
    )  # fmt: skip
    assert (report["n"], report["measured"], report["people"]) == (4, 3, 2)
    assert report["nme"]["refined"]["all"] == pytest.approx(0, abs=1e-9)
    size = np.sqrt(np.ptp(points[:3], axis=1).prod(axis=1))
    assert report["nme"]["peer"]["all"] == pytest.approx((200 / size).mean())


def test_angles_agree_with_scipy_and_wrap() -> None:
    """300W-LP's R = Rx(pitch) Ry(yaw) Rz(roll) with transposed signs, by scipy's intrinsic XYZ."""
    ypr = np.array([[25.0, -12, 7], [-80, 20, -30]])
    matrices = Rotation.from_euler("XYZ", -ypr[:, [1, 0, 2]], degrees=True).as_matrix()
    parameters = np.zeros((2, 62))
    parameters[:, :12] = np.concatenate([4e-4 * matrices, np.ones((2, 3, 1))], axis=2).reshape(
        2, 12
    )
    np.testing.assert_allclose(angles_of(parameters), ypr, atol=1e-9)
    np.testing.assert_allclose(angle_errors(np.array([[179.0]]), np.array([[-178.0]])), [[3.0]])
    assert counts(np.array([[99.0, 0, 0], [0, -99.5, 0]])).tolist() == [True, False]


def test_orientation_is_averaged_per_angle() -> None:
    result = summarise(np.array([[1.0, 2, 3], [3, 6, 9]]), np.array([10.0, -70]))
    assert [result[name] for name in ("yaw", "pitch", "roll", "mean")] == [2, 4, 6, 4]
    assert result["by_yaw"] == {"0-30": 2, "30-60": None, "60-90": 6}
    only_yaw = summarise(np.array([[1.0, np.nan, np.nan]]), np.array([10.0]))
    assert (only_yaw["yaw"], only_yaw["pitch"], only_yaw["mean"]) == (1, None, None)


def test_variance_within_people() -> None:
    """Two people at +-3 who each vary by +-1: within 1, total 10. A third has one photo only."""
    alpha = np.array([[2.0], [4.0], [-2.0], [-4.0], [50.0]])
    people = np.array(["a", "a", "b", "b", "c"])
    assert within_over_total(alpha, people) == pytest.approx(0.1)
    assert within_over_total(alpha[:2], people[:2]) is None


def test_predictions_without_the_photo_are_nan(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", names=np.array(["b.png"]), lm68=np.ones((1, 68, 3)))
    annotations = annotations_of([Path("a.png"), Path("b.png")])
    predictions = read_predictions([tmp_path / "p.npz"], annotations)
    assert predictions.found.tolist() == [False, True]


def test_published_rows_are_those_of_the_paper() -> None:
    """Bins of the network's row average to its last column, as the paper computes it."""
    for table in (published.TABLE_4, published.TABLE_5):
        values = dict(table.rows)
        row = values.get("SynergyNet", values.get("SynergyNet (ResNet-50)"))
        assert row is not None
        numbers = [v for v in row if v is not None]
        assert np.mean(numbers[:3]) == pytest.approx(numbers[3], abs=0.011)
    assert dict(published.TABLE_8.rows)["SynergyNet"][3] == 3.35


def test_tables_print_dashes() -> None:
    text = format_table(Table("NME %", ("a", "b"), (("x", [1.0, None]),)))
    assert text.splitlines()[1].split() == ["x", "1.00", "-"]
