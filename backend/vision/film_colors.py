"""Colours of films: how a frame's numbers become RGB, and films of ours that say it of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

# Values of ITU-T H.273, as FFmpeg numbers them too.
BT_709, UNSPECIFIED = 1, 2
LIMITED_RANGE = 1
PIXELS = "yuv420p"
# Frames of at least that width, or higher than that, are of high definition: as in mpv.
HD_WIDTH, SD_HEIGHT = 1280, 576


def matrix_of(frame: VideoFrame) -> int:
    """The matrix from a frame's colours to RGB (H.273); players' guess where the film is silent.

    FFmpeg itself takes BT.601 for all films that do not say, and makes skin of high definition
    too pale or too red.
    """
    high = frame.width >= HD_WIDTH or frame.height > SD_HEIGHT
    return BT_709 if high and frame.colorspace == UNSPECIFIED else frame.colorspace


def tag_bt709(stream: VideoStream) -> None:
    """Make a stream that is written say that its frames are those of `bt709_frame`."""
    context = stream.codec_context
    stream.pix_fmt = PIXELS
    context.colorspace = context.color_primaries = context.color_trc = BT_709
    context.color_range = LIMITED_RANGE


def bt709_frame(image: NDArray[np.uint8]) -> VideoFrame:
    """(H, W, 3) uint8 RGB as a frame that can be encoded."""
    from av import VideoFrame
    from av.video.reformatter import ColorRange, Colorspace

    rgb = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
    return rgb.reformat(
        format=PIXELS, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
