"""Hair that hangs into the forehead of a painted head, and spectacles on its nose."""

from __future__ import annotations

import numpy as np
import pytest

from backend.morphable_model.model import MorphableModel
from backend.texture.baker import TextureBaker
from backend.texture.observation import PosedPicture
from tests.backend.painted_head import painted, photograph, truth

SIZE = 512
# As light as hair can be: skin in a shadow is darker.
FAINT = np.float32(0.72)


@pytest.fixture(scope="module")
def baker(model: MorphableModel) -> TextureBaker:
    return TextureBaker.load(model, SIZE)


@pytest.fixture(scope="module")
def forehead(model: MorphableModel) -> np.ndarray:
    """(V,) what a photo from in front shows in full above the eyebrows."""
    x, y, z = model.mean.T
    brow = model.mean[model.landmark_indices[17:27], 1].max()
    return (y > brow + 10) & (z > 60) & (np.abs(x) < 40)


def brightness(baker: TextureBaker, colors: np.ndarray, where: np.ndarray) -> float:
    """Mean logarithm of a photo's texture over the painted skin, in a part of it."""
    texture = baker.bake(*photograph(baker.model, colors, 0)) / 255
    chosen = truth(baker, where[:, None])[..., 0] > 0.99
    assert chosen.sum() > 30
    bare = truth(baker, painted(baker.model))[chosen]
    return float(np.log(texture[chosen].mean(axis=1) / bare.mean(axis=1)).mean())


def test_a_strand_gives_way(baker: TextureBaker, forehead: np.ndarray) -> None:
    """From above down into the forehead, and too light to be told from shaded skin by itself."""
    x, _, z = baker.model.mean.T
    strand = (np.abs(x - 20) < 8) & (z > 20)
    brow = baker.model.mean[baker.model.landmark_indices[17:27], 1].max()
    strand &= baker.model.mean[:, 1] > brow + 8
    hair = np.where(strand[:, None], painted(baker.model) * FAINT, painted(baker.model))
    assert brightness(baker, hair, strand & forehead) > np.log(FAINT) / 3


def test_what_shines_through_a_fringe_gives_way(baker: TextureBaker, forehead: np.ndarray) -> None:
    """Hair in the light is as bright as skin, and has hair around it."""
    x, y, z = baker.model.mean.T
    brow = baker.model.mean[baker.model.landmark_indices[17:27], 1].max()
    fringe = (y > brow + 10) & (z > 0)
    gloss = fringe & (y > brow + 18) & (np.sin(x / 2) > 0)
    hair = np.where(fringe[:, None], painted(baker.model) * FAINT, painted(baker.model))
    hair = np.where(gloss[:, None], painted(baker.model) * [1.0, 0.95, 0.9], hair)
    assert brightness(baker, hair, fringe & forehead) > np.log(FAINT) / 2
    seen = baker.observe(PosedPicture(*photograph(baker.model, hair, 0))).confidence
    assert seen[truth(baker, (fringe & forehead)[:, None])[..., 0] > 0.99].mean() < 0.2


def test_a_mark_on_the_skin_stays(baker: TextureBaker, forehead: np.ndarray) -> None:
    x, y, _ = baker.model.mean.T
    brow = baker.model.mean[baker.model.landmark_indices[17:27], 1].max()
    mark = forehead & (np.hypot(x, y - brow - 18) < 6)
    marked = np.where(mark[:, None], painted(baker.model) * FAINT, painted(baker.model))
    assert brightness(baker, marked, mark) < np.log(FAINT) * 0.8


def test_a_lamp_at_the_side_is_no_hair(baker: TextureBaker, forehead: np.ndarray) -> None:
    """Half as bright on one side of the forehead as on the other, going over smoothly."""
    lamp = np.exp(baker.model.mean[:, :1] / 40 * np.log(2) / 2).clip(0.5, 1.2)
    lit = np.asarray(painted(baker.model) * lamp, np.float32)
    for side in (forehead & (np.sign(baker.model.mean[:, 0]) == sign) for sign in (-1, 1)):
        expected = float(np.log(lamp[side]).mean())
        assert abs(brightness(baker, lit, side) - expected) < 0.05


def rims(model: MorphableModel, ends: float) -> np.ndarray:
    """(V,) a thick line across the nose and below both eyes, from one end to the other."""
    x, y, z = model.mean.T
    landmarks = model.mean[model.landmark_indices]
    height = (landmarks[36:48, 1].mean() + landmarks[30, 1]) / 2 - 4
    return (np.abs(y - height) < 2.2) & (np.abs(x) < ends) & (z > 30)


def test_thick_frames_give_way(baker: TextureBaker) -> None:
    rim = rims(baker.model, 50)
    worn = np.where(rim[:, None], np.float32(0.08), painted(baker.model))
    assert brightness(baker, worn, rim) > -0.5
    assert brightness(baker, worn, rims(baker.model, 40) & ~rims(baker.model, 10)) > -0.5


def test_a_short_scar_stays(baker: TextureBaker) -> None:
    scar = rims(baker.model, 30) & ~rims(baker.model, 22)
    scarred = np.where(scar[:, None], painted(baker.model) * np.float32(0.4), painted(baker.model))
    assert brightness(baker, scarred, scar) < -0.6
