"""Odd files of photos come out as viewers show them, or are refused with the reason."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from backend.errors import BadInputError
from backend.sandbox.wire import Rows
from backend.vision.decoding import photo
from tests.backend.bt2100 import HLG, PQ, hdr_signal, linear
from tests.backend.icc_profiles import ADOBE_RGB, DISPLAY_P3, gamma, sampled_srgb_curve, screen
from tests.backend.in_process import decoded
from tests.backend.photo_bombs import flat_jpeg

pillow_heif.register_heif_opener()

BT_2020, P3, SRGB_CURVE = 9, 12, 13


def face(height: int = 96, width: int = 64) -> NDArray[np.uint8]:
    """Skin from deep to pale, without symmetry, and a piece of white."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    skin = np.array([70, 45, 35]) + (0.3 + 0.7 * (0.7 * y + 0.3 * x))[..., None] * [165, 150, 140]
    skin[: height // 8, : width // 8] = 255
    return skin.round().astype(np.uint8)


def saved(picture: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def by_opencv(pixels: NDArray[Any], suffix: str, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)
    assert done
    return data.tobytes()


def png_with(data: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG file with another chunk behind its header."""
    body = kind + content
    chunk = struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]


def refusal(data: bytes) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        decoded(data, "me.jpg")
    assert "me.jpg" in caught.value.problem and caught.value.remedy
    return caught.value


def difference(image: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    """The largest CIEDE2000."""
    return float(deltaE_ciede2000(rgb2lab(image), rgb2lab(expected)).max())


def cicp_png(transfer: int) -> bytes:
    signal = np.round(65535 * hdr_signal(face(), transfer)).astype(np.uint16)
    return png_with(by_opencv(signal, ".png"), b"cICP", bytes([BT_2020, transfer, 0, 1]))


def nclx_avif(transfer: int) -> bytes:
    signal = np.round(1023 * hdr_signal(face(), transfer)).astype(np.uint16)
    options = (cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100)
    data = bytearray(by_opencv(signal, ".avif", *options))
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">HH", BT_2020, transfer)
    return bytes(data)


def nclx_heic(transfer: int) -> bytes:
    signal = np.round(65535 * hdr_signal(face(), transfer)).astype(np.uint16)
    heif = pillow_heif.from_bytes("RGB;16", signal.shape[1::-1], signal.tobytes())
    buffer = io.BytesIO()
    heif.save(
        buffer, quality=100, chroma="444", matrix_coefficients=9, full_range_flag=1,
        color_primaries=BT_2020, transfer_characteristics=transfer,
    )  # fmt: skip
    return buffer.getvalue()


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("file", [cicp_png, nclx_avif, nclx_heic])
def test_hdr_looks_as_without(file: Any, transfer: int) -> None:
    assert difference(decoded(file(transfer)), face()) < 4
    # What counts, skin that is not the palest, is nearly the same.
    assert difference(decoded(file(transfer))[12:60], face()[12:60]) < 2


@pytest.mark.parametrize("depth", [8, 16])
def test_hdr_with_transparency(depth: int) -> None:
    signal = hdr_signal(face(), PQ)
    alpha = np.ones((*signal.shape[:2], 1))
    alpha[:48] = 0
    white = 2**depth - 1
    pixels = np.round(white * np.concatenate([signal[..., ::-1], alpha], axis=2))
    done, data = cv2.imencode(".png", pixels.astype(np.uint8 if depth == 8 else np.uint16))
    assert done
    image = decoded(png_with(data.tobytes(), b"cICP", bytes([BT_2020, PQ, 0, 1])))
    assert (image[:48] == 128).all()
    assert difference(image[48:], face()[48:]) < 4


@pytest.mark.parametrize("orientation", range(2, 9))
def test_hdr_is_turned_upright(orientation: int) -> None:
    """As the same picture without HDR is, whose turns another test knows."""
    exif = Image.Exif()
    exif[274] = orientation
    plain = saved(face(), "PNG", exif=exif)
    stored = np.round(255 * hdr_signal(face(), PQ)).astype(np.uint8)
    coded = png_with(saved(stored, "PNG", exif=exif), b"cICP", bytes([BT_2020, PQ, 0, 1]))
    assert difference(decoded(coded), decoded(plain)) < 4


def test_cicp_counts_before_a_profile_and_only_if_it_means_something() -> None:
    other = screen(ADOBE_RGB, gamma(1.0))
    wide = png_with(saved(face(), "PNG", icc_profile=other), b"cICP", bytes([P3, SRGB_CURVE, 0, 1]))
    profile = screen(DISPLAY_P3, sampled_srgb_curve())
    by_profile = decoded(saved(face(), "PNG", icc_profile=profile))
    assert np.abs(decoded(wide).astype(int) - by_profile).max() <= 2
    assert np.abs(by_profile.astype(int) - face()).max() > 5
    same = png_with(saved(face(), "PNG"), b"cICP", bytes([1, SRGB_CURVE, 0, 1]))
    np.testing.assert_array_equal(decoded(same), face())


SRGB_CHROMATICITIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_CHROMATICITIES = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def gamma_png(pixels: NDArray[np.uint8], value: int, *chromaticities: int) -> bytes:
    data = saved(pixels, "PNG")
    if chromaticities:
        data = png_with(data, b"cHRM", struct.pack(">8I", *chromaticities))
    return png_with(data, b"gAMA", struct.pack(">I", value))


@pytest.mark.parametrize("chromaticities", [(), SRGB_CHROMATICITIES])
def test_png_of_linear_light(chromaticities: tuple[int, ...]) -> None:
    light = np.round(255 * linear(face())).astype(np.uint8)
    image = decoded(gamma_png(light, 100000, *chromaticities))
    assert np.abs(image.astype(int) - face()).max() <= 4
    assert np.abs(light.astype(int) - face()).max() > 40


def test_gamma_of_srgb_changes_nothing() -> None:
    for chromaticities in ((), SRGB_CHROMATICITIES):
        np.testing.assert_array_equal(decoded(gamma_png(face(), 45455, *chromaticities)), face())


def test_primaries_beside_gamma() -> None:
    by_profile = decoded(saved(face(), "PNG", icc_profile=screen(DISPLAY_P3, gamma(2.2))))
    image = decoded(gamma_png(face(), 45455, *P3_CHROMATICITIES))
    assert np.abs(image.astype(int) - by_profile).max() <= 3


@pytest.mark.parametrize("value", [0, 1, 2**32 - 1])
def test_senseless_gamma_counts_for_nothing(value: int) -> None:
    np.testing.assert_array_equal(decoded(gamma_png(face(), value)), face())


def test_heic() -> None:
    """As phones make it: 8 bits, turned, with Apple's profile."""
    profile = screen(DISPLAY_P3, sampled_srgb_curve())
    exif = Image.Exif()
    exif[274] = 6
    options = {"quality": 100, "chroma": "444", "exif": exif.tobytes(), "icc_profile": profile}
    data = saved(np.rot90(face()), "HEIF", **options)
    assert b"irot" in data
    assert difference(decoded(data), decoded(saved(face(), "PNG", icc_profile=profile))) < 2


def test_heic_that_is_damaged() -> None:
    whole = saved(face(), "HEIF")
    assert refusal(whole[:-20]).code == "damaged-image"
    assert refusal(whole[:40]).code == "unsupported-heic"


@pytest.mark.parametrize("magic", [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"])
def test_jpeg_xl_is_called_by_its_name(magic: bytes) -> None:
    assert refusal(magic + bytes(500)).problem == "me.jpg is a JPEG XL photo that cannot be read."


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiff_of_a_camera_whose_upper_bits_are_empty(bits: int, channels: int) -> None:
    shown = face() if channels == 3 else face()[..., 0]
    deep = np.round(shown / 255.0 * (2**bits - 1)).astype(np.uint16)
    image = decoded(by_opencv(deep, ".tif"))
    expected = np.broadcast_to(np.atleast_3d(shown), image.shape)
    np.testing.assert_allclose(image.astype(int), expected, atol=1)


def test_a_dark_tiff_stays_dark() -> None:
    deep = np.full((40, 40), 3000, np.uint16)
    deep[0, 0] = 20000
    assert decoded(by_opencv(deep, ".tif"))[20, 20, 0] == round(3000 / 257)


def test_png_of_16_bits_says_what_white_is() -> None:
    assert decoded(by_opencv(np.full((40, 40), 3000, np.uint16), ".png")).max() == 12


def test_the_largest_page_of_a_tiff() -> None:
    large = Image.fromarray(face())
    small = large.resize((large.width // 2, large.height // 2))
    data = saved(small, "TIFF", save_all=True, append_images=[large, small])
    np.testing.assert_array_equal(decoded(data), face())


def test_an_animation_begins_after_its_placeholder() -> None:
    placeholder = Image.new("RGB", (64, 96), "blue")
    pages = [Image.fromarray(face()), placeholder]
    data = saved(placeholder, "PNG", save_all=True, default_image=True, append_images=pages)
    np.testing.assert_array_equal(decoded(data), face())


def textured() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 2))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_short_of_its_last_bytes(progressive: bool) -> None:
    """Viewers show it; what is missing is a part of the last row of blocks, or of one bit."""
    data = saved(textured(), "JPEG", quality=90, progressive=progressive)
    image = decoded(data[:-20])
    differing = np.abs(image.astype(int) - decoded(data)).max(axis=(1, 2)) > 8
    assert not differing[:240].any()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_a_jpeg_that_lacks_more(progressive: bool, part: float) -> None:
    data = saved(textured(), "JPEG", quality=90, progressive=progressive)
    last_scan = data.rindex(b"\xff\xda") if progressive else len(data)
    assert refusal(data[: int(part * last_scan)]).code == "damaged-image"


@pytest.mark.parametrize(("size", "scale"), [((12000, 9000), 2), ((21000, 20000), 4)])
def test_a_jpeg_of_too_many_pixels_is_halved(size: tuple[int, int], scale: int) -> None:
    (rows,) = photo.decode(flat_jpeg(*size), "image").arrays
    assert isinstance(rows, Rows)
    assert rows.shape == (size[1] // scale, size[0] // scale, 3)
    assert (next(iter(rows.parts)) == 128).all()


def test_a_profile_of_megabytes() -> None:
    profile = screen(ADOBE_RGB, gamma(2.2))
    long = profile + bytes(2 * 2**20)
    long = struct.pack(">I", len(long)) + long[4:]
    expected = decoded(saved(face(), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(decoded(saved(face(), "PNG", icc_profile=long)), expected)
