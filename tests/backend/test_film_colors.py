"""Colours of films come out as their tags say, and as players show those that have none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from backend.vision.clip import Range
from backend.vision.film_colors import ScreenColors, bt709_frame, tag_bt709
from backend.vision.opening import open_clip
from tests.backend.bt2100 import TO_2020, hdr_signal, linear

# A tanned skin's luma and chroma, and what the luma and chroma of red and blue weigh (ITU-R).
Y, CB, CR = 110, 95, 175
WEIGHTS = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722), "BT.2020": (0.2627, 0.0593)}
TAGS = {"BT.601": 6, "BT.709": 1, "BT.2020": 9}
LIMITED, FULL = 1, 2


def rgb(matrix: str, color_range: int = LIMITED) -> NDArray[np.float64]:
    """What ITU-R BT.601, 709 and 2020 say of Y'CbCr."""
    red, blue = WEIGHTS[matrix]
    luma, chroma = (219, 224) if color_range == LIMITED else (255, 255)
    y = (Y - (16 if color_range == LIMITED else 0)) / luma
    r = y + 2 * (1 - red) * (CR - 128) / chroma
    b = y + 2 * (1 - blue) * (CB - 128) / chroma
    g = (y - red * r - blue * b) / (1 - red - blue)
    return 255 * np.array([r, g, b])


def plain_clip(
    path: Path, size: tuple[int, int], matrix: str | None, color_range: int | None
) -> Path:
    """A frame of one colour, without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        if matrix is not None:
            stream.codec_context.colorspace = TAGS[matrix]
        if color_range is not None:
            stream.codec_context.color_range = color_range
        frame = av.VideoFrame(*size, "yuv420p")
        for plane, value in zip(frame.planes, (Y, CB, CR), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path: Path) -> NDArray[np.float64]:
    image = next(open_clip(path).frames(Range())).image
    assert image.std(axis=(0, 1)).max() < 0.5
    return image.mean(axis=(0, 1))


@pytest.mark.parametrize("matrix", TAGS)
@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_what_the_film_says_counts(
    tmp_path: Path, size: tuple[int, int], color_range: int, matrix: str
) -> None:
    path = plain_clip(tmp_path / "c.mp4", size, matrix, color_range)
    np.testing.assert_allclose(shown(path), rgb(matrix, color_range), atol=2.5)


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((640, 480), "BT.601"),
        ((720, 576), "BT.601"),
        ((1280, 720), "BT.709"),
        ((720, 1280), "BT.709"),
        ((1280, 536), "BT.709"),
        ((3840, 2160), "BT.709"),
    ],
)
@pytest.mark.parametrize("color_range", [None, FULL])
def test_films_that_do_not_say_are_shown_as_players_do(
    tmp_path: Path, size: tuple[int, int], matrix: str, color_range: int | None
) -> None:
    path = plain_clip(tmp_path / "c.mp4", size, None, color_range)
    np.testing.assert_allclose(shown(path), rgb(matrix, color_range or LIMITED), atol=2.5)


def test_films_without_a_matrix_keep_their_colors(tmp_path: Path) -> None:
    """FFV1 of RGB: there is nothing to be turned into RGB."""
    color = np.array([200, 120, 40], np.uint8)
    path = tmp_path / "c.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "bgr0"
        picture = np.broadcast_to(color, (720, 1280, 3))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    np.testing.assert_array_equal(shown(path), color)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_films_of_ours_say_their_matrix(tmp_path: Path, size: tuple[int, int]) -> None:
    color = rgb("BT.709").round().astype(np.uint8)
    path = tmp_path / "c.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"qp": "0"})
        stream.width, stream.height = size
        tag_bt709(stream)
        container.mux(stream.encode(bt709_frame(np.broadcast_to(color, (*size[::-1], 3)))))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (TAGS["BT.709"], LIMITED)
    assert (frame.color_primaries, frame.color_trc) == (1, 1)

    assert abs(bytes(frame.planes[0])[0] - Y) <= 1
    assert abs(bytes(frame.planes[1])[0] - CB) <= 1
    assert abs(bytes(frame.planes[2])[0] - CR) <= 1


PQ, HLG, SDR = 16, 18, 1
BT_2020, UNSPECIFIED = 9, 2
# From deep to pale skin, and diffuse white, as sRGB of a film without HDR.
SKINS = np.array([[60, 40, 30], [120, 80, 60], [198, 150, 125], [240, 205, 185], [255, 255, 255]])


def ten_bits(path: Path, signal: NDArray[np.floating], primaries: int, transfer: int) -> Path:
    """A film of stripes of colours, without loss: 10 bits, limited range, BT.2020's matrix."""
    red, blue = WEIGHTS["BT.2020"]
    luma = signal @ [red, 1 - red - blue, blue]
    blueness = (signal[:, 2] - luma) / (2 - 2 * blue)
    redness = (signal[:, 0] - luma) / (2 - 2 * red)
    planes = (64 + 876 * luma, 512 + 896 * blueness, 512 + 896 * redness)
    width = 64 * len(signal)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, 64, "yuv444p10le"
        context = stream.codec_context
        context.colorspace, context.color_range = TAGS["BT.2020"], LIMITED
        context.color_primaries, context.color_trc = primaries, transfer
        frame = av.VideoFrame(width, 64, "yuv444p10le")
        for plane, values in zip(frame.planes, planes, strict=True):
            row = np.zeros(plane.line_size // 2, np.uint16)
            row[:width] = np.repeat(np.rint(values), 64)
            plane.update(np.tile(row, 64).tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("primaries", "transfer"),
    [(BT_2020, PQ), (BT_2020, HLG), (UNSPECIFIED, HLG), (BT_2020, SDR)],
)
def test_films_of_hdr_show_skin_as_others_do(tmp_path: Path, primaries: int, transfer: int) -> None:
    """BT.2408: diffuse white is at 203 candela per square metre; BT.2087 for the primaries."""
    if transfer == SDR:
        light = linear(SKINS) @ TO_2020.T
        signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    else:
        signal = hdr_signal(SKINS, transfer)
    path = ten_bits(tmp_path / "c.mkv", signal, primaries, transfer)
    image = next(open_clip(path).frames(Range())).image
    difference = deltaE_ciede2000(rgb2lab(image[32, 32::64] / 255), rgb2lab(SKINS / 255))
    assert difference[:3].max() < 1.5
    assert difference.max() < 4


def test_hdr_is_converted_in_the_size_and_turn_of_each_frame(tmp_path: Path) -> None:
    """Two colours, shrunk to half: the table is for the size that is shown."""
    path = ten_bits(tmp_path / "c.mkv", hdr_signal(SKINS[1:3], PQ), BT_2020, PQ)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        colors = ScreenColors()
        for size in ((64, 32), (128, 64), (64, 32)):
            picture = colors.picture(frame, size)
            assert picture.shape == (size[1], size[0], 3)
            shown_colors = picture[size[1] // 2, [size[0] // 4, 3 * size[0] // 4]]
            np.testing.assert_allclose(shown_colors, SKINS[1:3], atol=4)
