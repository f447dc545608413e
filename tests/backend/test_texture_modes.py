"""The texture modes on a real photo, with the shipped network."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from backend.cli import main
from backend.commands.demo import sample_image
from backend.errors import MissingAssetError
from backend.exchange.contract import TextureMode
from backend.pipeline import FaceReconstructor
from backend.texture import generator
from backend.texture.baker import TextureBaker
from backend.texture.fill import FILLS

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 512


@pytest.fixture(scope="module")
def textures(reconstructor: FaceReconstructor):
    photo = sample_image()
    (face,) = reconstructor.faces_from_image(photo, which="largest", texture_size=None)
    return {
        mode: reconstructor.texture_set(photo, face.vertices_image, SIZE, mode)
        for mode in TextureMode
    }


def test_every_mode_has_its_fill_under_the_name_that_users_know():
    assert tuple(FILLS) == tuple(TextureMode) == ("photo+gan", "gan", "photo", "mean")


@pytest.mark.parametrize("mode", ["photo+gan", "photo"])
def test_what_the_photo_shows_is_the_photo(textures, mode):
    confidence = textures[mode].visibility == 255
    assert confidence.mean() > 0.08
    difference = (
        textures[mode].albedo[confidence].astype(int) - textures["photo"].albedo[confidence]
    )
    assert np.abs(difference).max() <= 1


def apart(textures, a, b, where) -> float:
    """Share of some texels that two modes colour differently."""
    one, other = (textures[mode].albedo[where].astype(float) for mode in (a, b))
    return float((np.abs(one - other).max(axis=1) > 3).mean())


def test_every_mode_fills_the_rest_differently(textures):
    hidden = textures["photo"].visibility == 0
    for a, b in combinations(("gan", "photo", "mean"), 2):
        # From in front, most of what is hidden is hidden on both sides.
        assert apart(textures, a, b, hidden) > 0.015, (a, b)


def test_the_network_alone_differs_where_the_photo_shows_the_face(textures):
    """What neither shows is the network's in both; `photo+gan` has the photo's detail."""
    assert apart(textures, "photo+gan", "gan", textures["photo+gan"].visibility == 255) > 0.05
    assert apart(textures, "photo+gan", "photo", textures["photo"].visibility == 0) > 0.02


def test_the_made_part_has_the_skin_s_colour(textures):
    """Hidden and seen skin differ by less than the skins of two people: 20 of 255 on average."""
    texture, visibility = textures["photo+gan"].albedo, textures["photo+gan"].visibility
    seen = np.median(texture[visibility == 255], axis=0)
    made = np.median(texture[visibility == 0], axis=0)
    assert np.abs(seen - made).mean() < 20


def test_no_seam_between_photo_and_made_part(textures):
    """Steps across the edge of the mask are no larger than those that the photo has itself."""
    texture = textures["photo+gan"].albedo.astype(float)
    visibility = textures["photo+gan"].visibility.astype(float)
    step = np.abs(np.diff(texture, axis=1)).max(axis=2)
    mixed = (visibility > 25) & (visibility < 230)
    inside = visibility == 255
    assert np.percentile(step[mixed[:, 1:]], 90) <= np.percentile(step[inside[:, 1:]], 90)


def test_the_mode_is_switched_without_the_network_that_finds_faces(reconstructor, textures):
    photo = sample_image()
    (face,) = reconstructor.faces_from_image(photo, which="largest", texture_size=None)
    again = reconstructor.texture_from_parameters(
        photo, face.parameters, face.roi_box, SIZE, TextureMode.MEAN
    )
    difference = again.albedo.astype(int) - textures["mean"].albedo
    assert np.abs(difference).max() <= 1


def test_a_baker_without_network_says_so(reconstructor):
    baker = TextureBaker.load(reconstructor.model, 128)
    photo = sample_image()
    (face,) = reconstructor.faces_from_image(photo, which="largest", texture_size=None)
    with pytest.raises(MissingAssetError, match="photo"):
        baker.bake(photo, face.vertices_image, TextureMode.NETWORK)


@pytest.mark.parametrize("damage", ["cut", "absent", "not safetensors"])
def test_damaged_weights_are_named(tmp_path: Path, damage: str):
    weights = tmp_path / "generator.safetensors"
    if damage == "cut":
        weights.write_bytes(generator.SHIPPED_WEIGHTS.read_bytes()[:100_000])
    elif damage == "not safetensors":
        weights.write_bytes(b"\x80\x04not safetensors")
    with pytest.raises(MissingAssetError, match=r"generator\.safetensors"):
        generator.load_texture_generator(weights=weights)


def test_weights_of_a_training_are_imported_and_used(tmp_path: Path, monkeypatch):
    import torch

    from gan_texture.generator import Architecture, Generator
    from gan_texture.weights import save_generator

    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path / "data"))
    small = Generator(Architecture(source="texture", width=8))
    last = small.head[-1]
    assert isinstance(last, torch.nn.ConvTranspose2d) and last.bias is not None
    torch.nn.init.constant_(last.bias, 0.5)
    weights = tmp_path / "mine.safetensors"
    save_generator(small, weights)
    assert main(["assets", "import", str(weights)]) == 0
    assert generator.active_weights().parent == tmp_path / "data"
    grey = np.full((256, 256, 3), 0.25, np.float32)
    made = generator.load_texture_generator().make(grey, grey, np.ones((256, 256), np.float32))
    # Half of the range from -1 to 1 is a quarter of that from 0 to 1.
    np.testing.assert_allclose(made, 0.5, atol=1e-3)


def test_damaged_weights_are_not_imported(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path / "data"))
    weights = tmp_path / "cut.safetensors"
    weights.write_bytes(generator.SHIPPED_WEIGHTS.read_bytes()[:100_000])
    assert main(["assets", "import", str(weights)]) == 2
    assert "cut.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "data" / "generator.safetensors").exists()


def test_onnx_and_torch_agree():
    random = np.random.default_rng(0)
    photo, filled = random.uniform(size=(2, 256, 256, 3)).astype(np.float32)
    confidence = random.uniform(size=(256, 256)).astype(np.float32)
    onnx = generator.load_texture_generator()
    torch = generator.TorchGenerator(
        generator.SHIPPED_WEIGHTS, generator.read_mean_texture(256), "cpu"
    )
    difference = onnx.make(photo, filled, confidence) - torch.make(photo, filled, confidence)
    assert np.abs(difference).max() < 2e-3


def test_the_command_writes_the_set(tmp_path: Path, capsys, reconstructor):
    from PIL import Image

    photo = tmp_path / "astronaut.png"
    Image.fromarray(sample_image()).save(photo)
    assert main(["texture", str(photo), "-o", str(tmp_path), "--size", "512", "--json"]) == 0
    (written,) = json.loads(capsys.readouterr().out)
    for name, mode in (("albedo", "RGB"), ("visibility", "L"), ("template", "RGB")):
        with Image.open(written[name]) as picture:
            assert (picture.size, picture.mode) == ((512, 512), mode)


def covered(photo: np.ndarray, polygon: list[tuple[int, int]], colour: tuple[int, int, int]):
    """A photo with something of one colour before it, and where."""
    import cv2

    where = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(where, [np.array(polygon, np.int32)], 1)
    return np.where(where[..., None] == 1, np.array(colour, np.uint8), photo), where


@pytest.mark.parametrize(
    ("polygon", "colour"),
    [
        ([(182, 96), (275, 88), (278, 112), (186, 122)], (12, 12, 14)),
        ([(180, 130), (275, 120), (270, 170), (235, 195), (200, 185)], (120, 170, 220)),
    ],
    ids=["sunglasses", "mask"],
)
def test_what_lies_before_the_face_is_not_painted_on_it(reconstructor, textures, polygon, colour):
    """The head's own place is known here: only the texture is looked at."""
    photo = sample_image()
    (face,) = reconstructor.faces_from_image(photo, which="largest", texture_size=None)
    hidden, _ = covered(photo, polygon, colour)
    made = reconstructor.texture_set(hidden, face.vertices_image, SIZE, TextureMode.PHOTO_NETWORK)
    kept = reconstructor.texture_set(hidden, face.vertices_image, SIZE, TextureMode.PHOTO)

    def of_that_colour(texture: np.ndarray) -> float:
        return float((np.abs(texture.astype(int) - colour).max(axis=2) < 30).mean())

    assert of_that_colour(kept.albedo) > 0.01
    assert of_that_colour(made.albedo) < 0.1 * of_that_colour(kept.albedo)
    # What nothing lies before stays: where both photos are the same, so is the visibility.
    assert (made.visibility > 127).mean() > 0.4 * (textures["photo+gan"].visibility > 127).mean()


def test_a_grey_photo_gets_a_grey_texture(reconstructor):
    grey = sample_image().mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    (face,) = reconstructor.faces_from_image(grey, which="largest", texture_size=None)
    for mode in (TextureMode.PHOTO_NETWORK, TextureMode.NETWORK):
        made = reconstructor.texture_set(grey, face.vertices_image, SIZE, mode).albedo.astype(int)
        hidden_spread = np.ptp(made, axis=2)
        assert np.percentile(hidden_spread, 99) < 16
