"""Texts of any length in Blender's layouts, which cut off what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import blf
import bpy

# At a scale of 1: what Blender puts beside panels and beside their texts, and an icon's place.
MARGIN_PIXELS = 60
ICON_PIXELS = 24
LINE_HEIGHT = 0.8
# Where nothing is drawn yet: the sidebar as it first opens.
DEFAULT_PIXELS = 280
ELLIPSIS = "…"

Measure = Callable[[str], float]


def draw_text(
    layout: Any, context: bpy.types.Context, text: str, icon: str = "NONE", *, pixels: float = 0
) -> None:
    """Draw a text in as many lines as it needs.

    Parameters
    ----------
    layout
        Of a panel, or of a dialog.
    context
        Whose region is being drawn.
    icon
        Before the first line.
    pixels
        Width of the layout at a scale of 1; 0: the region's.
    """
    room = pixels or room_in(context)
    lines = wrapped(text, room - (ICON_PIXELS if icon != "NONE" else 0), measure_in(context))
    column = layout.column(align=True)
    if len(lines) > 1:
        column.scale_y = LINE_HEIGHT
    for line in lines:
        column.label(text=line, icon=icon)
        icon = icon if icon == "NONE" else "BLANK1"


def wrapped(text: str, room: float, measure: Measure) -> list[str]:
    """Return lines of a text, none of them wider than `room` as far as `measure` says.

    A word that is wider than that, such as a path, is broken where it has to be.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if measure(longer) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, room, measure)
        lines += full
    return [*lines, line]


def shortened(text: str, room: float, measure: Measure) -> str:
    """Return a text, with an ellipsis for what of its end has no room."""
    if measure(text) <= room:
        return text
    while text and measure(text + ELLIPSIS) > room:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def room_in(context: bpy.types.Context) -> float:
    """Return pixels, at a scale of 1, that a text may take in the region that is being drawn."""
    region = context.region
    return (region.width / _scale(context) if region else DEFAULT_PIXELS) - MARGIN_PIXELS


def measure_in(context: bpy.types.Context) -> Measure:
    """Return pixels, at a scale of 1, that a text takes in Blender's font for panels."""
    preferences: Any = context.preferences
    scale = _scale(context)
    size = preferences.ui_styles[0].widget.points * scale

    def measure(text: str) -> float:
        blf.size(0, size)
        return blf.dimensions(0, text)[0] / scale

    return measure


def _scale(context: bpy.types.Context) -> float:
    """Return Blender's scale of the interface; without a window there is none."""
    preferences: Any = context.preferences
    return preferences.system.ui_scale or 1.0


def _pieces(word: str, room: float, measure: Measure) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and measure(pieces[-1] + letter) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
