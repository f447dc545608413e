"""Even light on the sides of painted heads whose lamps and hair we know."""

from __future__ import annotations

import numpy as np
import pytest

from backend.geometry.normals import vertex_normals
from backend.morphable_model.model import MorphableModel
from backend.texture.baker import TextureBaker
from tests.backend.painted_head import SKIN, painted, photograph, truth

SIZE = 512


@pytest.fixture(scope="module")
def baker(model: MorphableModel) -> TextureBaker:
    return TextureBaker.load(model, SIZE)


@pytest.fixture(scope="module")
def facing(model: MorphableModel) -> np.ndarray:
    """(V,) cosine to the front."""
    return vertex_normals(model.mean, model.triangles)[:, 2]


@pytest.fixture(scope="module")
def beside(model: MorphableModel, facing: np.ndarray) -> np.ndarray:
    """(V,) temples and what lies under them down to the nose, which a photo from in front shows."""
    x, y, z = model.mean.T
    return (np.abs(x) > 62) & (facing > 0.35) & (facing < 0.65) & (np.abs(y - 25) < 25) & (z > 0)


def logarithm(
    baker: TextureBaker, colors: np.ndarray, albedo: np.ndarray, where: np.ndarray
) -> np.ndarray:
    """(N,) of the brightness of a texture made from a photo over the painted skin, some texels."""
    texture = baker.bake(*photograph(baker.model, colors, 0)) / 255
    chosen = truth(baker, where[:, None])[..., 0] > 0.99
    assert chosen.sum() > 100
    return np.log(texture[chosen].mean(axis=1) / truth(baker, albedo)[chosen].mean(axis=1))


def test_half_of_the_shade_beside_the_eyes_is_taken_away(
    baker: TextureBaker, facing: np.ndarray, beside: np.ndarray
) -> None:
    """A lamp in front: half as bright where the skin looks to the side; the texture goes over."""
    albedo = painted(baker.model)
    lamp = 0.25 + 0.75 * np.clip(facing, 0, 1)
    photographed = np.median(np.log(lamp[beside]))
    assert photographed < -0.4
    left = logarithm(baker, albedo * lamp[:, None], albedo, beside)
    assert abs(np.median(left)) < abs(photographed) / 2


def test_light_in_front_is_left_as_it_is(baker: TextureBaker, facing: np.ndarray) -> None:
    x, y, z = baker.model.mean.T
    front = (np.abs(x) < 35) & (np.abs(y + 5) < 50) & (facing > 0.75) & (z > 60)
    albedo = painted(baker.model)
    lamp = 0.7 + 0.006 * x
    kept = logarithm(baker, albedo * lamp[:, None], albedo * lamp[:, None], front)
    assert np.abs(kept).mean() < 0.02


def test_hair_at_the_temples_gives_way(baker: TextureBaker, beside: np.ndarray) -> None:
    """Strands that are no darker than shade would be, but narrower."""
    albedo = painted(baker.model)
    x, y, _ = baker.model.mean.T
    strands = (np.abs(x) > 60) & (y > 20) & (np.sin(y / 3) > 0.3)
    hair = np.where(strands[:, None], albedo * [0.55, 0.6, 0.66], albedo)
    assert np.log(hair[strands].mean() / SKIN.mean()) < -0.4
    left = logarithm(baker, hair, albedo, beside & strands)
    assert np.median(left) > -0.35


def test_a_beard_stays_dark(baker: TextureBaker, facing: np.ndarray) -> None:
    x, y, z = baker.model.mean.T
    chin, lip = baker.model.mean[baker.model.landmark_indices[[8, 57]], 1]
    bearded = (y < lip) & (z > 20)
    beard = np.where(bearded[:, None], painted(baker.model) * 0.3, painted(baker.model))
    seen = bearded & (y > chin) & (np.abs(x) < 45) & (facing > 0.6)
    left = logarithm(baker, beard, painted(baker.model), seen)
    assert np.median(left) < -0.9


def test_the_jaws_shade_on_the_neck_is_taken_away(baker: TextureBaker, facing: np.ndarray) -> None:
    """Beside the chin too, where the neck begins higher up than under it."""
    albedo = painted(baker.model)
    x, y, z = baker.model.mean.T
    chin, jaw = baker.model.mean[baker.model.landmark_indices[[8, 4]]]
    # As far back and as low as nothing but the neck is.
    shaded = (y < jaw[1]) & (z < chin[2] - 45)
    colors = np.where(shaded[:, None], albedo * 0.6, albedo)
    seen = shaded & (y > chin[1] - 10) & (np.abs(x) > 35) & (facing > 0.45)
    left = logarithm(baker, colors, albedo, seen)
    assert abs(np.median(left)) < abs(np.log(0.6)) / 2
