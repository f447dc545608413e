"""HDR and wide gamuts become sRGB by the numbers of ITU-R BT.2100, 2408, 2087 and of H.273."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from backend.vision import hdr
from backend.vision.hdr import BT_2020, DISPLAY_P3, HLG, PQ, SRGB, Coding

# From deep to pale skin, and diffuse white, as sRGB of a picture without HDR.
SKINS = np.array([[60, 40, 30], [120, 80, 60], [198, 150, 125], [240, 205, 185], [255, 255, 255]])


def encoded_pq(nits: np.ndarray) -> np.ndarray:
    """BT.2100's inverse EOTF, written as there."""
    y = (np.asarray(nits, float) / 1e4) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def encoded_hlg(nits: np.ndarray) -> np.ndarray:
    """BT.2100's inverse OOTF and OETF, for a screen of 1,000 candela per square metre."""
    display = np.asarray(nits, float) / 1000
    luminance = display @ [0.2627, 0.6780, 0.0593]
    scene = display * np.where(luminance > 0, luminance, 1)[..., None] ** ((1 - 1.2) / 1.2)
    return np.where(
        scene <= 1 / 12,
        np.sqrt(3 * scene),
        0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
    )


D50 = (0.3457, 0.3585)
# BT.2087's, from BT.709 to BT.2020.
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def linear(srgb: np.ndarray) -> np.ndarray:
    c = np.asarray(srgb, float) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(
    ("signal", "nits"),
    # BT.2408: HDR reference white, 18 % grey card; BT.2100: the ends, and 100 and 1,000.
    [(0, 0), (0.508078, 100), (0.580689, 203), (0.751827, 1000), (1, 10000), (0.38, 26)],
)
def test_pq_gives_the_light_of_bt_2100(signal: float, nits: float) -> None:
    assert hdr.pq_nits(np.array(signal)) == pytest.approx(
        nits, rel=1e-3 if signal != 0.38 else 0.03
    )


@pytest.mark.parametrize(
    ("signal", "nits"), [(0, 0), (0.38, 26), (0.75, 203), (1, 1000), (0.5, 1000 * (1 / 12) ** 1.2)]
)
def test_hlg_gives_the_light_of_bt_2408(signal: float, nits: float) -> None:
    assert hdr.hlg_nits(np.full(3, signal)) == pytest.approx(np.full(3, nits), rel=0.01)


def test_primaries_of_bt_2020_and_p3_become_those_of_srgb() -> None:
    colors = np.random.default_rng(0).random((20, 3))
    assert hdr.in_srgb_primaries(colors @ TO_2020.T, BT_2020) == pytest.approx(colors, abs=2e-4)
    # Display P3's red, from Apple's and CSS Color 4's sample code: (1.0930, -0.2267, -0.1501).
    red = hdr.encoded_srgb(np.abs(hdr.in_srgb_primaries(np.eye(3)[0], DISPLAY_P3)))
    assert red[1:] == pytest.approx([0.2267, 0.1501], abs=2e-4)
    assert hdr.in_srgb_primaries(np.ones(3), DISPLAY_P3) == pytest.approx(np.ones(3), abs=1e-5)


def test_another_white_becomes_ours() -> None:
    """ProPhoto RGB, whose white is D50: the matrix that Bruce Lindbloom's numbers give."""
    matrix = hdr.primaries_matrix((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50)
    expected = [[2.0343, -0.7274, -0.3066], [-0.2288, 1.2317, -0.0029], [-0.0086, -0.1533, 1.1639]]
    assert matrix == pytest.approx(np.array(expected), abs=3e-3)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_skin_and_white_look_as_in_a_picture_without_hdr(transfer: int) -> None:
    nits = 203 * linear(SKINS) @ TO_2020.T
    signal = encoded_pq(nits) if transfer == PQ else encoded_hlg(nits)
    shown = hdr.srgb(signal, Coding(BT_2020, transfer))
    difference = deltaE_ciede2000(rgb2lab(shown), rgb2lab(SKINS / 255))
    assert difference[:3].max() < 0.5
    assert difference.max() < 4


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, 0.8, 0.7), (1, 0.1, 0)])
def test_highlights_roll_off(tint: tuple[float, float, float]) -> None:
    """Brighter light stays brighter, none is clipped, hues stay, and the join has no edge."""
    ramp = np.linspace(0, 10, 2001)[:, None] * np.array(tint)
    mapped = hdr.tone_mapped(ramp)
    steps = np.diff(mapped[:, 0])
    assert (steps > 0).all()
    assert np.abs(np.diff(steps)).max() < 3e-4
    assert 0.95 < mapped.max() < 1
    below = ramp.max(axis=1) < hdr.KNEE
    assert mapped[below] == pytest.approx(ramp[below])
    assert (np.diff(mapped, axis=1) <= 1e-6).all()


def test_srgb_stays_as_it_is() -> None:
    colors = np.random.default_rng(1).random((5, 4, 3)).astype(np.float32)
    for coding in (Coding(), Coding(1, 1), Coding(2, 2), Coding(1, 6), Coding(1, 14)):
        assert coding.is_srgb
        assert hdr.srgb(colors, coding) == pytest.approx(colors, abs=1e-5)
    for coding in (Coding(9, 16), Coding(12, SRGB), Coding(1, hdr.LINEAR), Coding(9, 1)):
        assert not coding.is_srgb


def test_the_table_holds_the_same() -> None:
    coding = Coding(BT_2020, HLG)
    table = hdr.cube(coding, 9)
    assert table[2, 5, 7] == pytest.approx(hdr.srgb(np.array([2, 5, 7]) / 8, coding), abs=1e-6)
    assert not table.flags.writeable
