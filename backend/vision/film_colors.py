"""Colours of films: how a frame's numbers become sRGB, and films of ours that say it of theirs."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.vision.framing import Size
from backend.vision.hdr import (
    BT_709,
    BT_2020,
    DISPLAY_P3,
    HLG,
    LINEAR,
    PQ,
    SRGB,
    UNSPECIFIED,
    Coding,
    cube,
)

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

# Values of ITU-T H.273, as FFmpeg numbers them too.
RGB = 0
LIMITED_RANGE = 1
PIXELS = "yuv420p"
# Frames of at least that width, or higher than that, are of high definition: as in mpv.
HD_WIDTH, SD_HEIGHT = 1280, 576
# Planes of floats: FFmpeg looks up packed colours three times as slowly, and for planes of integers
# it takes green for red.
TABLE_PIXELS = "gbrpf32le"
# Steps of a table along each axis. FFmpeg takes it as a square picture of TABLE_STEPS ** 1.5.
TABLE_STEPS = 64
# Inputs of FFmpeg's look-up, and their clock.
FRAMES, TABLE = 0, 1
CLOCK = Fraction(1, 25)


def matrix_of(frame: VideoFrame) -> int:
    """Return the matrix from a frame's colours to RGB (H.273); players' guess where the film is
    silent.

    FFmpeg itself takes BT.601 for all films that do not say, and makes skin of high definition
    too pale or too red.
    """
    if frame.colorspace != UNSPECIFIED:
        return frame.colorspace
    if coding_of(frame).is_hdr:
        return BT_2020
    high = frame.width >= HD_WIDTH or frame.height > SD_HEIGHT
    return BT_709 if high else UNSPECIFIED


def coding_of(frame: VideoFrame) -> Coding:
    """Return what a frame's RGB means.

    As players have it, films of usual television are for a screen of sRGB, whatever their tags
    say: its curves differ on paper only, and its primaries by 1.3 CIEDE2000 of skin at most.
    """
    primaries, transfer = frame.color_primaries, frame.color_trc
    if transfer in (PQ, HLG):
        return Coding(BT_2020 if primaries == UNSPECIFIED else primaries, transfer)
    wide = primaries in (BT_2020, DISPLAY_P3)
    return Coding(primaries if wide else BT_709, LINEAR if transfer == LINEAR else SRGB)


class ScreenColors:
    """Turns the frames of one film to sRGB."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._table: _Table | None = None

    def picture(self, frame: VideoFrame, size: Size) -> NDArray[np.uint8]:
        """Return (height, width, 3) uint8 sRGB of a frame, not turned.

        Parameters
        ----------
        size
            Width and height wanted.
        """
        coding = coding_of(frame)
        smooth = "AREA" if size[0] < frame.width else "BILINEAR"
        rgb = self._reformatter.reformat(
            frame,
            *size,
            format="rgb24" if coding.is_srgb else TABLE_PIXELS,
            src_colorspace=matrix_of(frame),
            interpolation=smooth,
        )
        if not coding.is_srgb:
            if self._table is None or self._table.kind != (coding, size):
                self._table = _Table(coding, size)
            rgb = self._reformatter.reformat(self._table.looked_up(rgb), format="rgb24")
        return np.asarray(rgb.to_ndarray(), np.uint8)


class _Table:
    """FFmpeg's look-up of colours in a table, for frames of one size.

    For a frame of 720p it takes 18 ms of a processor, the exact way (`hdr.srgb`) 400 ms.
    """

    def __init__(self, coding: Coding, size: Size) -> None:
        from av.filter import Graph
        from av.video.format import VideoFormat

        self.kind = (coding, size)
        self._graph = graph = Graph()
        table = _table_frame(coding)
        lookup = graph.add("haldclut", "clut=first")
        for index, (width, height) in enumerate([size, (table.width, table.height)]):
            form = VideoFormat(TABLE_PIXELS, width, height)
            source = graph.add_buffer(width=width, height=height, format=form, time_base=CLOCK)
            source.link_to(lookup, 0, index)
        lookup.link_to(graph.add("buffersink"))
        graph.configure()
        graph.vpush(table, TABLE)
        graph.vpush(None, TABLE)
        self._count = 0

    def looked_up(self, frame: VideoFrame) -> VideoFrame:
        """Return a frame of `TABLE_PIXELS` with the table's colours instead of its own."""
        frame.pts, frame.time_base = self._count, CLOCK
        self._count += 1
        self._graph.vpush(frame, FRAMES)
        return self._graph.vpull()


@lru_cache(2)
def _table_frame(coding: Coding) -> VideoFrame:
    from av import VideoFrame

    # Red changes from pixel to pixel, then green, then blue.
    table = cube(coding, TABLE_STEPS).transpose(2, 1, 0, 3)
    side = round(TABLE_STEPS**1.5)
    frame = VideoFrame.from_ndarray(table.reshape(side, side, 3), TABLE_PIXELS)
    frame.pts, frame.time_base = 0, CLOCK
    return frame


def tag_bt709(stream: VideoStream) -> None:
    """Make a stream that is written say that its frames are those of `bt709_frame`."""
    context = stream.codec_context
    stream.pix_fmt = PIXELS
    context.colorspace = context.color_primaries = context.color_trc = BT_709
    context.color_range = LIMITED_RANGE


def bt709_frame(image: NDArray[np.uint8]) -> VideoFrame:
    """Return (H, W, 3) uint8 RGB as a frame that can be encoded."""
    from av import VideoFrame
    from av.video.reformatter import ColorRange, Colorspace

    rgb = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
    return rgb.reformat(
        format=PIXELS, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
