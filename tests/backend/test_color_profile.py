"""Photographs with a colour profile come out in sRGB; useless profiles count for nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageCms

from backend.vision.color_profile import MAX_PROFILE_BYTES
from backend.vision.images import BACKGROUND, decode_image
from tests.backend.icc_profiles import (
    ADOBE_RGB,
    D50,
    DISPLAY_P3,
    SRGB,
    gamma,
    grey,
    linear,
    printer,
    sampled_srgb_curve,
    screen,
)

SKIN = np.array([[(214, 160, 132), (120, 74, 58)]], np.uint8)


def shown(light: NDArray[np.floating]) -> NDArray[np.floating]:
    """sRGB's curve the other way, to 255."""
    low, high = 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055
    return 255 * np.clip(np.where(light <= 0.0031308, low, high), 0, 1)


def by_hand(light: NDArray[np.floating], primaries: ArrayLike) -> NDArray[np.floating]:
    return shown(light @ np.asarray(primaries).T @ np.linalg.inv(np.asarray(SRGB)).T)


def file_of(pixels: NDArray[np.uint8], mode: str, icc: bytes, kind: str = "PNG") -> bytes:
    large = np.repeat(np.repeat(pixels, 32, axis=0), 32, axis=1)
    picture = Image.fromarray(large, mode) if mode != "P" else Image.fromarray(large).quantize(4)
    buffer = io.BytesIO()
    picture.save(buffer, kind, icc_profile=icc, **({"quality": 100} if kind == "JPEG" else {}))
    return buffer.getvalue()


def colors(data: bytes) -> NDArray[np.uint8]:
    """The middle of each square of `file_of`."""
    return decode_image(data)[16::32, 16::32]


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_adobe_rgb_becomes_srgb(mode: str) -> None:
    expected = by_hand((SKIN / 255) ** (563 / 256), ADOBE_RGB)
    data = file_of(SKIN, mode, screen(ADOBE_RGB, gamma(563 / 256)))
    np.testing.assert_allclose(colors(data), expected, atol=1.5)
    # Seen without its profile, skin is paler by this much.
    assert np.abs(expected - SKIN).max() > 10


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_display_p3_becomes_srgb(kind: str) -> None:
    expected = by_hand(linear(SKIN / 255), DISPLAY_P3)
    data = file_of(SKIN, "RGB", screen(DISPLAY_P3, sampled_srgb_curve()), kind)
    np.testing.assert_allclose(colors(data), expected, atol=4 if kind == "WEBP" else 2)


def test_transparency_shows_the_background_as_it_is() -> None:
    alpha = np.array([[[255], [0]]], np.uint8)
    icc = screen(DISPLAY_P3, sampled_srgb_curve())
    opaque, through = colors(file_of(np.concatenate([SKIN, alpha], axis=2), "RGBA", icc))[0]
    np.testing.assert_allclose(opaque, by_hand(linear(SKIN[0, 0] / 255), DISPLAY_P3), atol=1.5)
    np.testing.assert_array_equal(through, BACKGROUND)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_has_a_curve_of_its_own(mode: str) -> None:
    value = np.array([[60, 170]], np.uint8)
    pixels = np.stack([value, np.full_like(value, 255)], axis=2) if mode == "LA" else value
    expected = np.repeat(shown((value[..., None] / 255) ** 1.0), 3, axis=2)
    np.testing.assert_allclose(colors(file_of(pixels, mode, grey(1.0))), expected, atol=1.5)


def test_grey_of_16_bits_has_it_too() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((32, 32), 170 * 257, np.uint16)).save(
        buffer, "PNG", icc_profile=grey(1.0)
    )
    expected = shown(np.full(3, 170 / 255))
    np.testing.assert_allclose(decode_image(buffer.getvalue())[16, 16], expected, atol=1.5)


def test_grey_pictures_may_have_a_profile_of_colors() -> None:
    """As cameras and scanners write them."""
    data = file_of(np.array([[90]], np.uint8), "L", screen(SRGB, sampled_srgb_curve()))
    np.testing.assert_allclose(colors(data), 90, atol=1)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_become_the_colors_of_their_profile(kind: str) -> None:
    lab = np.array([70.2, 18, 20])
    code = (round(lab[0] * 2.55), int(lab[1]) + 128, int(lab[2]) + 128)
    inks = np.array([[(0, 255, 255, 0), (0, 0, 0, 0)]], np.uint8)
    skin, paper = colors(file_of(inks, "CMYK", printer(code), kind))[0]
    fy = (code[0] / 2.55 + 16) / 116
    f = np.array([fy + lab[1] / 500, fy, fy - lab[2] / 200])
    light = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    np.testing.assert_allclose(skin, by_hand(light, np.eye(3)), atol=2)
    np.testing.assert_allclose(paper, 255, atol=1)


def damaged() -> bytes:
    whole = bytearray(screen(ADOBE_RGB, gamma(2.2)))
    whole[128:] = np.random.default_rng(0).bytes(len(whole) - 128)
    return bytes(whole)


@pytest.mark.parametrize(
    "icc",
    [
        b"no profile at all",
        damaged(),
        screen(ADOBE_RGB, gamma(2.2))[:200],
        screen(ADOBE_RGB, gamma(2.2)) + bytes(MAX_PROFILE_BYTES),
        grey(1.0),
        printer((180, 140, 140)),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ],
    ids=["text", "damaged", "truncated", "huge", "for grey", "for inks", "for Lab"],
)
def test_useless_profiles_count_for_nothing(icc: bytes) -> None:
    np.testing.assert_array_equal(colors(file_of(SKIN, "RGB", icc, "TIFF")), SKIN)


def test_srgb_itself_changes_nothing() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    many = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    np.testing.assert_array_equal(colors(file_of(many, "RGB", icc)), many)
