"""Measures of textures in closed form, completions whose truth is drawn, and the command."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import lab2rgb

from backend.cli import main
from backend.morphable_model.model import MorphableModel
from backend.texture import skin
from backend.vision.crop import crop
from gan_texture.generator import Architecture, Generator
from gan_texture.weights import save_generator
from tests.backend.test_texture import in_photo, painted
from tests.training.drawn_pairs import painted_photo, write_pairs
from tests.training.test_ablations import write_run
from training.evaluation.textures.completion import Chart, TurnedView, measure, simple_completions
from training.evaluation.textures.metrics import (
    color_difference,
    feature_region,
    psnr,
    sharpness,
    skin_region,
    ssim,
)
from training.evaluation.textures.render import render_over
from training.texture_gan.pca import TexturePca

SIZE = 128

# Sharma, Wu, Dalal: The CIEDE2000 Color-Difference Formula (2005), table 1: the pairs within sRGB.
SHARMA = [
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((61.2901, 3.7196, -5.3901), (61.4292, 2.2480, -4.9620), 1.8731),
    ((36.4612, 47.8580, 18.3852), (36.2715, 50.5065, 21.2231), 1.4146),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
]


@pytest.fixture(scope="module")
def chart(model: MorphableModel) -> Chart:
    return Chart.of(model, SIZE)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(3).uniform(0.2, 0.8, (32, 32, 3)).astype(np.float32)


def half_mask(size: int) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[:, : size // 2] = True
    return mask


@pytest.mark.parametrize(("one", "other", "expected"), SHARMA)
def test_colour_difference_of_published_pairs(
    one: tuple[float, ...], other: tuple[float, ...], expected: float
) -> None:
    truth, made = (lab2rgb(np.array(lab, float)).reshape(1, 1, 3) for lab in (one, other))
    found = color_difference(made, truth, np.ones((1, 1), bool))
    assert found == pytest.approx(expected, abs=2e-3)


def test_psnr_in_closed_form(picture: np.ndarray) -> None:
    """Off by a tenth of the range: 20 dB."""
    assert psnr(picture + 0.1, picture, half_mask(32)) == pytest.approx(20, abs=1e-3)


def test_ssim_in_closed_form() -> None:
    """Without structure only the means count: (2ab + C1) / (a^2 + b^2 + C1), C1 = 0.01^2."""
    one, other = (np.full((32, 32, 3), value, np.float32) for value in (0.4, 0.6))
    expected = (2 * 0.24 + 1e-4) / (0.16 + 0.36 + 1e-4)
    assert ssim(one, other, np.ones((32, 32), bool)) == pytest.approx(expected, abs=1e-3)


def test_sharpness_in_closed_form(picture: np.ndarray) -> None:
    """Half the contrast is a quarter of the energy."""
    made = 0.5 + (picture - 0.5) / 2
    everywhere = np.ones((32, 32), bool)
    assert sharpness(made, picture, everywhere) == pytest.approx(0.25, rel=1e-3)
    assert sharpness(picture, picture, everywhere) == 1


@pytest.mark.parametrize("metric", [psnr, ssim, sharpness, color_difference])
def test_only_texels_inside_count(metric, picture: np.ndarray) -> None:
    mask = half_mask(32)
    made = np.clip(picture + 0.05, 0, 1)
    elsewhere = np.where(mask[..., None], made, 0)
    assert metric(elsewhere, picture, mask) == pytest.approx(metric(made, picture, mask))
    assert np.isnan(metric(made, picture, np.zeros_like(mask)))


def test_regions_lie_where_they_are_named_after(model: MorphableModel, chart: Chart) -> None:
    """Seen on the mean face: skin above the brows and beside the nose, features at landmarks."""
    height = chart.uv_map.spread(model.mean[:, 1:2])[..., 0]
    plain, features = skin_region(model, chart.uv_map), feature_region(model, chart.uv_map)
    brow, mouth = model.landmark_mean[17:27, 1].max(), model.landmark_mean[48:, 1].max()
    above = plain & (height > brow)
    assert 0.3 < above.sum() / plain.sum() < 0.9
    assert height[plain].min() > mouth
    assert not (plain & features & (height > brow)).any()
    at = np.round(chart.uv_map.size * model.uv[model.landmark_indices[[19, 37, 51]]] - 0.5)
    column, row = at.astype(int).T
    assert features[chart.uv_map.size - 1 - row, column].all()


def view_of(truth: np.ndarray, believed: np.ndarray, filled: np.ndarray) -> TurnedView:
    known = np.ones(truth.shape[:2], bool)
    return TurnedView(truth, filled, believed.astype(np.float32), truth, known, yaw=50.0)


def test_a_symmetric_face_is_completed_by_its_mirror_image(
    model: MorphableModel, chart: Chart
) -> None:
    y = chart.uv_map.spread(model.mean[:, 1:2])
    texture = (
        skin.scale_color(chart.template, np.full(3, 0.8, np.float32)) + 0.05 * np.sin(y / 9)
    ).astype(np.float32)
    texture = (texture + chart.uv_map.mirror(texture)) / 2
    left = chart.uv_map.spread(model.mean[:, :1])[..., 0] < 0
    view = view_of(texture, left, np.where(left[..., None], texture, 0))
    mirrored = simple_completions(chart)["mirrored"](view)
    inside = view.hidden & chart.uv_map.inside
    assert psnr(mirrored, texture, inside) > 35
    assert psnr(chart.template, texture, inside) < 30
    np.testing.assert_array_equal(mirrored[left], texture[left])


def test_the_template_takes_the_tone_that_is_seen(model: MorphableModel, chart: Chart) -> None:
    tone = np.array([0.7, 0.6, 0.5], np.float32)
    texture = skin.scale_color(chart.template, tone)
    left = chart.uv_map.spread(model.mean[:, :1])[..., 0] < 0
    view = view_of(texture, left, np.where(left[..., None], texture, 0))
    relit = simple_completions(chart)["template, relit"](view)
    np.testing.assert_allclose(relit, texture, atol=1e-4)


def test_perfect_completions_get_perfect_marks(chart: Chart) -> None:
    left = half_mask(SIZE)
    view = view_of(chart.template, left, chart.template)
    found = measure(chart, view, chart.template)
    assert found[0] > 90
    assert found[1:] == (pytest.approx(1), pytest.approx(1), pytest.approx(0, abs=1e-6))


def linear_textures(rng: np.random.Generator, people: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 32, 32, 3) mean and three patterns in random amounts, in [0, 1]; (3, 32, 32, 3)."""
    patterns = rng.uniform(-0.08, 0.08, (3, 32, 32, 3))
    textures = 0.5 + np.einsum("nk,kyxc->nyxc", rng.standard_normal((people, 3)), patterns)
    return np.clip(textures, 0, 1).astype(np.float32), patterns


def test_components_are_learned_from_incomplete_textures() -> None:
    """A person who is not among them is completed from the seen half of their texture."""
    rng = np.random.default_rng(2)
    textures, _ = linear_textures(rng, 61)
    masks = np.full(textures.shape[:3], 255, np.uint8)
    for mask, corner in zip(masks, rng.integers(0, 22, (61, 2)), strict=True):
        mask[corner[0] : corner[0] + 10, corner[1] : corner[1] + 10] = 0
    stored = np.round(textures * 255).astype(np.uint8)
    stored[masks == 0] = 0
    pca = TexturePca.of(stored[:60], masks[:60], 3)
    truth, seen = textures[60], half_mask(32)
    shown = np.where(seen[..., None], truth, 0).astype(np.float32)
    found = pca.fit(shown, seen.astype(np.float32), 1e-8)
    assert psnr(found, truth, ~seen) > 33
    assert psnr(pca.mean, truth, ~seen) < 26


def test_components_with_light_follow_a_brighter_photo() -> None:
    textures, _ = linear_textures(np.random.default_rng(4), 30)
    masks = np.full(textures.shape[:3], 255, np.uint8)
    pca = TexturePca.of(np.round(textures * 255).astype(np.uint8), masks, 3)
    brighter = pca.mean * np.array([1.3, 1.2, 1.1], np.float32)
    seen = half_mask(32).astype(np.float32)
    assert psnr(pca.with_light().fit(brighter, seen, 1e-8), brighter, seen < 1) > 45


def test_the_basel_face_models_texture_is_fitted(model: MorphableModel, chart: Chart) -> None:
    """Components over the vertices: known coefficients are found again."""
    rng = np.random.default_rng(5)
    x, y, _ = model.mean.T
    waves = np.stack([np.sin(x / 20 + k) * np.cos(y / (15 + 5 * k)) for k in range(4)], axis=-1)
    basis = 0.05 * waves[:, None] * rng.uniform(0.5, 1, (3, 1))
    mean = np.tile(np.array([0.7, 0.5, 0.4], np.float32), (len(x), 1))
    imported = replace(model, mean_texture=mean, texture_basis=basis.astype(np.float32))
    pca = TexturePca.of_model(imported, chart.uv_map)
    assert pca is not None and TexturePca.of_model(model, chart.uv_map) is None
    alpha = np.array([1.5, -1.0, 0.5, 2.0])
    truth = chart.uv_map.spread((mean + basis @ alpha).astype(np.float32))
    seen = half_mask(SIZE)
    found = pca.fit(truth, seen.astype(np.float32), 1e-9)
    assert psnr(found, truth, ~seen & chart.uv_map.inside) > 40


def test_the_true_texture_looks_like_the_photo(model: MorphableModel, chart: Chart) -> None:
    """A photo drawn by vertex colours, and the head with these colours as its texture."""
    colors = painted(model)
    photo = painted_photo(model, colors, 0)
    drawn = in_photo(model, 0)
    np.testing.assert_allclose(photo.vertices(model)[:, :2], drawn[:, :2], atol=0.05)
    texture = np.round(chart.uv_map.spread(colors) * 255).astype(np.uint8)
    wrong = np.ascontiguousarray(texture[:, ::-1])
    known = np.full((SIZE, SIZE), 255, np.uint8)
    known[: SIZE // 4] = 0
    (right, other), face = render_over(model, photo, [texture, wrong], known)
    truth = crop(photo.image, photo.box, 256).astype(np.float32) / np.float32(255)
    assert psnr(right, truth, face) > 35
    assert psnr(other, truth, face) < 28
    everything = render_over(model, photo, [texture], np.full_like(known, 255))[1]
    assert face.sum() < everything.sum()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "generator.safetensors"
    save_generator(Generator(Architecture("texture", width=8, levels=5, dropout=0.0)), path)
    return path


def test_the_command_measures_what_is_hidden(
    tmp_path: Path, weights: Path, model: MorphableModel, capsys: pytest.CaptureFixture[str]
) -> None:
    """An untrained network adds nothing to what it is given; its twin's training was longer."""
    folder = write_pairs(tmp_path / "pairs")
    for name, steps in (("ours", 10), ("twin", 20)):
        write_run(tmp_path / name, {"width": 8}, [(steps, {"val/hidden_made": 0.1})])
        shutil.copy(weights, tmp_path / name)
    command = ["evaluate", "texture", str(folder), "--one-in", "4", "--json", "--device", "cpu"]
    command += ["--weights", str(tmp_path / "ours" / weights.name)]
    command += ["--peer", "twin", str(tmp_path / "twin" / weights.name)]
    assert main([*command, "--peer", "lone", str(weights)]) == 0
    report = json.loads(capsys.readouterr().out)
    metrics = report["metrics"]
    assert report["n"] == sum(report["count"].values()) > 0
    assert report["count"]["0-30"] == 0
    assert metrics["GAN"]["psnr"]["0-30"] is None
    for metric in ("psnr", "ssim"):
        given = metrics["mirrored, relit"][metric]["all"]
        assert metrics["GAN"][metric]["all"] == pytest.approx(given, rel=0.01)
        assert metrics["GAN"][metric] == metrics["twin"][metric]
    unknown, other = report["budget"]
    assert unknown.startswith("How long lone was trained is not known")
    assert "not at equal budget: some were last validated at other steps" in other
    assert {"template", "mirrored", "PCA fitting", "GAN, fitted"} <= set(metrics)


def test_sheets_show_the_given_photo(
    tmp_path: Path,
    weights: Path,
    reconstructor: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The astronaut in three textures, and as a head from three sides; the drawn people's views."""
    folder = write_pairs(tmp_path / "pairs")
    command = ["evaluate", "texture", str(folder), "--one-in", "4", "--weights", str(weights)]
    options = ["-n", "1", "-o", str(tmp_path / "sheets"), "--sheet-set", "drawn"]
    assert main([*command, *options, "--device", "cpu"]) == 0
    assert "PSNR" in capsys.readouterr().out
    sizes = {path.stem: Image.open(path).size for path in (tmp_path / "sheets").glob("*.png")}
    assert sizes["textures"] == sizes["heads"] == (4 * 262 - 6, 24 + 262)
    assert sizes["template"][0] == 3 * 262 - 6
    assert json.loads((tmp_path / "sheets" / "report.json").read_text())["n"] == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--weights", "{here}/nothing.safetensors"], "holds no texture generator"),
        (["--one-in", "1000000"], "No person of the pairs is held out"),
        (["-n", "0"], "-n must be"),
        (["--recipe", "{here}/none.yaml"], "Cannot use the recipe"),
    ],
)
def test_unusable_input_is_refused(
    tmp_path: Path,
    weights: Path,
    model: MorphableModel,
    options: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_pairs(tmp_path / "pairs")
    command = ["evaluate", "texture", str(folder), "--one-in", "4", "--weights", str(weights)]
    assert main([*command, *(option.format(here=tmp_path) for option in options)]) == 2
    assert says in capsys.readouterr().err
