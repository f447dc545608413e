"""Packs: what goes in comes out, by number, by `tar`, over fsspec, and after an interruption."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import tarfile
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.errors import BadInputError
from backend.geometry.pose import euler_angles
from backend.morphable_model.parameters import FaceParameters
from training.data.fitted_photos import FittedPhotos
from training.data.pack import pack
from training.data.packed import PackedFaces
from training.data.shards import Labels, build_index, read_index, write_index


@pytest.fixture
def ramps(tmp_path: Path) -> FittedPhotos:
    """Seven photos of 250x220 pixels whose colour tells the place: red is x, green is y."""
    from PIL import Image

    folder = tmp_path / "ramps"
    folder.mkdir()
    y, x = np.mgrid[:220, :250]
    names = np.array([f"person{i}.png" for i in range(7)])
    for i, name in enumerate(names):
        pixels = np.stack([x, y, np.full_like(x, 30 * i)], axis=2).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
    rng = np.random.default_rng(3)
    points = rng.uniform(50, 150, (7, 68, 2)).astype(np.float32)
    points[3] = np.nan
    return FittedPhotos(
        source="ramps",
        folder=folder,
        names=names,
        identities=np.array([f"person{i}" for i in range(7)]),
        boxes=np.array([[60 + i, 50, 180 + i, 170] for i in range(7)], np.float32),
        parameters=rng.standard_normal((7, 62)).astype(np.float32),
        landmarks=rng.uniform(50, 150, (7, 68, 3)).astype(np.float32),
        points=points,
    )


def test_faces_come_back_by_number(ramps: FittedPhotos, tmp_path: Path) -> None:
    """Labels are bit-exact; the crop shows the photo from 30 pixels outside the box of 120."""
    target = tmp_path / "pack"
    assert pack([ramps], target, faces_per_shard=3) == 7
    batch = PackedFaces(target, np.array([6, 1, 3])).__getitems__([0, 1, 2])
    assert np.array_equal(batch.parameters, ramps.parameters[[6, 1, 3]])
    for row, i in enumerate([6, 1, 3]):
        # Image frame to the y-up, 1-based crop frame of a box of 120 pixels that starts at x0, 50.
        expected = ramps.landmarks[i].T + np.array([[1 - 60 - i], [0], [0]])
        expected[1] = 120 - (ramps.landmarks[i, :, 1] - 50)
        assert np.allclose(batch.landmarks[row], expected, atol=1e-4)
    assert ramps.points is not None
    assert batch.points[2].isnan().all()
    assert np.allclose(batch.points[0, 0], ramps.points[6, :, 0] + 1 - 66, atol=1e-4)
    # 180 pixels of the photo on 192 of the crop, from (60 + i - 30, 20).
    crop = batch.crops[0].numpy().astype(float)
    step = np.arange(192) * 180 / 192
    assert np.abs(crop[96, :, 0] - (36 + step)).max() < 4
    assert np.abs(crop[:, 96, 1] - (20 + step)).max() < 4
    assert np.abs(crop[..., 2] - 180).max() < 6


def test_the_yaw_of_a_pack_is_that_of_the_poses(small_pack: Path) -> None:
    labels = read_index(small_pack).labels
    one_by_one = [euler_angles(FaceParameters(p).pose.rotation)[0] for p in labels.parameters]
    assert np.allclose(labels.yaw, one_by_one, atol=1e-4)


def test_a_shard_is_a_plain_tar(small_pack: Path) -> None:
    """WebDataset's rule: the files of a sample follow each other and share their name."""
    with tarfile.open(small_pack / "faces-00001.tar") as tar:
        names = tar.getnames()
        assert names[:2] == ["00000016.jpg", "00000016.json"]
        assert len(names) == 32
        image, label = (tar.extractfile(name) for name in names[:2])
        assert image is not None
        assert label is not None
        decoded = cv2.imdecode(np.frombuffer(image.read(), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        assert decoded.shape == (192, 192, 3)
        assert json.load(label)["name"] == "person08_00.png"


def test_the_index_is_made_again_from_the_shards(small_pack: Path, tmp_path: Path) -> None:
    write_index(build_index(small_pack), tmp_path / "index.npz")
    with np.load(small_pack / "index.npz") as first, np.load(tmp_path / "index.npz") as again:
        assert set(first.files) == set(again.files)
        for name in first.files:
            assert np.array_equal(first[name], again[name], equal_nan=first[name].dtype.kind == "f")


def test_remote_storage_gives_the_same_faces(small_pack: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(small_pack), "/bucket/faces", recursive=True)
    try:
        remote = PackedFaces("memory://bucket/faces", np.arange(40)).__getitems__([39, 0, 17])
    finally:
        memory.rm("/bucket", recursive=True)
    local = PackedFaces(small_pack, np.arange(40)).__getitems__([39, 0, 17])
    for there, here in zip(remote, local, strict=True):
        assert np.array_equal(there, here, equal_nan=True)


def _checksum(faces: PackedFaces) -> int:
    # Not torch's sum, whose threads do not survive a fork.
    return int(faces.__getitems__([5, 30]).crops.numpy().sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_open_pack_can_be_read_in_another_process(small_pack: Path, method: str) -> None:
    faces = PackedFaces(small_pack, np.arange(40))
    expected = _checksum(faces)
    if method == "spawn":  # what a spawned process gets is a pickled copy
        assert _checksum(pickle.loads(pickle.dumps(faces))) == expected
        return
    with get_context("fork").Pool(2) as processes:
        assert processes.map(_checksum, [faces, faces]) == [expected, expected]
        # Left to themselves they would be terminated, and children of a process that has run other
        # libraries do not always hear that.
        processes.close()
        processes.join()


def test_whole_shards_are_kept(ramps: FittedPhotos, tmp_path: Path) -> None:
    """A broken photo stops the work; the second run writes only what was not whole."""
    target = tmp_path / "pack"
    broken = ramps.folder / "person4.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    with pytest.raises(BadInputError, match="person4"):
        pack([ramps], target, faces_per_shard=3)
    assert sorted(p.name for p in target.iterdir()) == ["faces-00000.tar", "manifest.json"]
    before = (target / "faces-00000.tar").stat()
    broken.write_bytes(whole)
    pack([ramps], target, faces_per_shard=3)
    after = (target / "faces-00000.tar").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)

    clean = tmp_path / "clean"
    pack([ramps], clean, faces_per_shard=3)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == {
        p.name: p.read_bytes() for p in clean.iterdir()
    }


def test_other_labels_replace_their_shards_alone(ramps: FittedPhotos, tmp_path: Path) -> None:
    target = tmp_path / "pack"
    pack([ramps], target, faces_per_shard=3)
    inodes = {p.name: p.stat().st_ino for p in target.glob("*.tar")}
    landmarks = ramps.landmarks.copy()
    landmarks[4] += 1
    pack([replace(ramps, landmarks=landmarks).subset(np.arange(6))], target, faces_per_shard=3)
    assert sorted(p.name for p in target.glob("*.tar")) == ["faces-00000.tar", "faces-00001.tar"]
    assert (target / "faces-00000.tar").stat().st_ino == inodes["faces-00000.tar"]
    moved = read_index(target).labels.landmarks[4]
    assert moved[0] == pytest.approx(landmarks[4, :, 0] + 1 - 64, abs=1e-4)


def test_two_processes_write_the_same_pack(ramps: FittedPhotos, tmp_path: Path) -> None:
    pack([ramps], tmp_path / "one", faces_per_shard=4)
    pack([ramps], tmp_path / "two", workers=2, faces_per_shard=4)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_manifest_counts(ramps: FittedPhotos, tmp_path: Path) -> None:
    parameters = ramps.parameters.copy()
    for row, sine in enumerate([0.0, 0.0, 0.0, -0.5, -0.5, 0.9, 0.0]):  # R02 = -sin(yaw)
        cosine = np.sqrt(1 - sine**2)
        rotation = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        parameters[row, :12] = np.column_stack([rotation, np.zeros(3)]).reshape(-1)
    pack([replace(ramps, parameters=parameters)], tmp_path / "pack")
    manifest = json.loads((tmp_path / "pack" / "manifest.json").read_text())
    assert manifest["counts"] == {"faces": 7, "people": 7}
    assert manifest["sources"] == {"ramps": 7}
    assert manifest["yaw"]["0..15"] == 4
    assert manifest["yaw"]["30..45"] == 2
    assert manifest["yaw"]["-75..-60"] == 1


def test_damage_is_reported(small_pack: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(small_pack, damaged)
    shard = damaged / "faces-00002.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    faces = PackedFaces(damaged, np.arange(40))
    faces.__getitems__([0])
    with pytest.raises(BadInputError, match="shorter than its index"):
        faces.__getitems__([39])
    shard.unlink()
    with pytest.raises(BadInputError, match="Cannot read"):
        PackedFaces(damaged, np.arange(40)).__getitems__([39])
    with pytest.raises(BadInputError, match="not a folder of packed faces"):
        read_index(tmp_path / "nothing")
    with pytest.raises(BadInputError, match="no faces in shards"):
        build_index(tmp_path)
    (tmp_path / "faces-00000.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(BadInputError, match="Cannot use the shard"):
        build_index(tmp_path)


def test_labels_that_are_not_finite_are_refused(ramps: FittedPhotos, tmp_path: Path) -> None:
    parameters = ramps.parameters.copy()
    parameters[2, 3] = np.nan
    with pytest.raises(BadInputError, match="not finite"):
        pack([replace(ramps, parameters=parameters)], tmp_path / "pack")
    with pytest.raises(BadInputError, match="no faces"):
        pack([], tmp_path / "pack")


def test_float32_survives_json_exactly(tmp_path: Path) -> None:
    from training.data.shards import read_shard, write_shard

    rng = np.random.default_rng(0)
    values = (rng.standard_normal((1, 62)) * 10.0 ** rng.integers(-8, 8, (1, 62))).astype(
        np.float32
    )
    name = np.array(["ä b"])
    nowhere = np.full((1, 2, 68), np.nan, np.float32)
    labels = Labels(name, name, name, values, np.zeros((1, 3, 68), np.float32), nowhere)
    write_shard(tmp_path / "faces-00000.tar", 0, [b"jpeg"], labels)
    sample = next(iter(read_shard(tmp_path / "faces-00000.tar")))
    assert np.array_equal(np.float32(sample.label["parameters"]), values[0])
    assert sample.label["name"] == "ä b"
    content = io.BytesIO((tmp_path / "faces-00000.tar").read_bytes())
    content.seek(sample.offset)
    assert content.read(sample.length) == b"jpeg"
