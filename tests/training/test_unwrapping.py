"""`synergyface data unwrap` on photos of painted heads, whose textures are known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from backend.morphable_model.model import MorphableModel
from backend.texture.uv_map import UvMap
from gan_texture.generator import Architecture, Generator
from gan_texture.weights import save_generator
from tests.backend.test_texture import painted
from tests.training.drawn_pairs import painted_photo
from training.data.fitted_photos import FittedPhotos, write_fits
from training.evaluation.textures.metrics import psnr
from training.texture_gan.pairs import MADE, SKIPPED, WAITING, Pairs, open_pairs

SIZE, VIEWS = 128, 3
YAW = (0.0, 8.0)
TONES = (1.0, 0.8)
BROKEN = "broken.png"


def colors_of(model: MorphableModel, person: int) -> np.ndarray:
    return painted(model) * np.float32(TONES[person])


def unwrap(photos: Path, folder: Path, *options: str) -> int:
    command = ["data", "unwrap", str(photos / "recipe.yaml"), "--root", str(photos)]
    size = ["--size", str(SIZE), "--views", str(VIEWS), "--workers", "1"]
    return main([*command, *size, "-o", str(folder), *options])


@pytest.fixture(scope="module")
def photos(model: MorphableModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two painted heads, and a file that is no photo, with their fits and a recipe."""
    root = tmp_path_factory.mktemp("photos")
    folder = root / "faces"
    folder.mkdir()
    posed = [painted_photo(model, colors_of(model, i), yaw) for i, yaw in enumerate(YAW)]
    names = [f"person{index}.png" for index in range(2)]
    for name, photo in zip(names, posed, strict=True):
        Image.fromarray(photo.image).save(folder / name)
    (folder / BROKEN).write_bytes(b"no photo")
    posed.append(posed[0])
    names.append(BROKEN)
    boxes = np.array([photo.box.corners for photo in posed], np.float32)
    landmarks = np.stack([p.vertices(model)[model.landmark_indices] for p in posed])
    parameters = np.stack([photo.parameters for photo in posed])
    array = np.array(names)
    write_fits(FittedPhotos("faces", folder, array, array, boxes, parameters, landmarks))
    (root / "recipe.yaml").write_text("sets: [{name: faces, photos: faces, fits: faces/fits.npz}]")
    return root


@pytest.fixture(scope="module")
def made(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    assert unwrap(photos, folder) == 0
    return folder


@pytest.fixture
def pairs(made: Path) -> Pairs:
    return open_pairs(made)


@pytest.mark.parametrize("person", [0, 1])
def test_textures_are_those_the_photos_were_drawn_with(
    pairs: Pairs, model: MorphableModel, person: int
) -> None:
    uv_map = UvMap.of(model, SIZE)
    truth = uv_map.spread(colors_of(model, person))
    texture = pairs.textures[person].astype(np.float32) / np.float32(255)
    known = (pairs.masks[person] == 255) & uv_map.inside
    assert known.sum() > 0.1 * uv_map.inside.sum()
    assert psnr(texture, truth, known) > 30
    np.testing.assert_array_equal(pairs.believed[person, 0], pairs.masks[person])


def test_turned_views_show_the_same_texture_less_the_far_side(
    pairs: Pairs, model: MorphableModel
) -> None:
    """To either side; what a view believes is the painted colour in spite of the pose's errors."""
    uv_map = UvMap.of(model, SIZE)
    truth = uv_map.spread(colors_of(model, 0))
    x = uv_map.spread(model.mean[:, :1])[..., 0]
    assert pairs.yaw.shape == (3, VIEWS)
    assert pairs.yaw[0, 0] == 0
    for view in range(1, VIEWS):
        yaw, believed = pairs.yaw[0, view], pairs.believed[0, view]
        shown = pairs.filled[0, view].astype(np.float32) / np.float32(255)
        sure = (believed == 255) & uv_map.inside
        assert psnr(shown, truth, sure) > 24
        if abs(yaw) > 30:
            # The nose of a head turned to a positive yaw points to the image's left.
            halves = [believed[side & uv_map.inside].mean() for side in (x > 30, x < -30)]
            assert np.sign(halves[0] - halves[1]) == np.sign(yaw)


def test_what_cannot_be_read_is_skipped_and_named(pairs: Pairs, made: Path) -> None:
    assert pairs.done.tolist() == [MADE, MADE, SKIPPED]
    report = json.loads((made / "manifest.json").read_text())
    assert list(report["skipped"]) == [BROKEN]
    assert report["counts"] == {"photos": 2, "views": 2 * VIEWS}
    assert report["settings"]["size"] == SIZE


def test_an_interrupted_run_goes_on(photos: Path, made: Path, tmp_path: Path) -> None:
    """The second photo is made again, to the byte; the first is left alone."""
    folder = shutil.copytree(made, tmp_path / "pairs")
    interrupted = open_pairs(folder, writable=True)
    before = interrupted.filled[1].copy()
    interrupted.done[1] = WAITING
    interrupted.filled[1] = 0
    interrupted.filled[0] = 7
    del interrupted
    assert unwrap(photos, folder) == 0
    again = open_pairs(folder)
    assert again.done[1] == MADE
    np.testing.assert_array_equal(again.filled[1], before)
    assert (again.filled[0] == 7).all()


def test_other_pairs_are_not_overwritten(
    photos: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unwrap(photos, made, "--seed", "5") == 2
    assert "other photos or views" in capsys.readouterr().err
    assert unwrap(photos, made, "--size", "100") == 2
    assert "power of two" in capsys.readouterr().err


def test_pairs_that_are_damaged_are_refused(made: Path, tmp_path: Path) -> None:
    from backend.errors import BadInputError

    folder = shutil.copytree(made, tmp_path / "pairs")
    (folder / "masks.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(BadInputError, match="Cannot use the pairs"):
        open_pairs(folder)
    np.save(folder / "masks.npy", np.zeros((3, 2, 2), np.uint8))
    with pytest.raises(BadInputError, match="has the shape"):
        open_pairs(folder)


def test_heads_textured_from_turned_views_look_like_the_withheld_photos(
    photos: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evaluate texture --recipe`: what a view shows is nearer to the photo than the mean face."""
    weights = tmp_path / "generator.safetensors"
    save_generator(Generator(Architecture("texture", width=8, levels=5, dropout=0.0)), weights)
    command = ["evaluate", "texture", str(made), "--one-in", "1", "--weights", str(weights)]
    recipe = ["--recipe", str(photos / "recipe.yaml"), "--root", str(photos)]
    assert main([*command, *recipe, "--json", "--device", "cpu"]) == 0
    renders = json.loads(capsys.readouterr().out)["renders"]
    assert renders["n"] == 2
    modes = renders["modes"]
    assert set(modes) == {"photo+gan", "gan", "photo", "mean"}
    assert modes["photo"]["psnr"] > modes["mean"]["psnr"] + 1
    assert modes["photo"]["psnr"] > 24

    other = tmp_path / "other.yaml"
    other.write_text("sets: [{name: others, photos: faces, fits: faces/fits.npz}]")
    assert main([*command, "--recipe", str(other), "--root", str(photos)]) == 2
    assert "no photo person0.png" in capsys.readouterr().err
