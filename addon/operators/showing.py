"""New heads, shown to the person who has asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from ..scene import identity, viewport
from ..scene.context_parts import view_layer_of
from ..scene.enclosures import corners, enclosures
from ..scene.parts import parts_of
from ..scene.workplace import Workplace, workplace
from .base import TaskOperator
from .selection import present


class HeadMaker(TaskOperator):
    """Base of the operators that make heads.

    The first heads of a scene are brought into view with their textures, but for those who have
    turned the viewport meanwhile, are at work in another mode, or run a script.
    """

    def remember(self, context: bpy.types.Context) -> Workplace:
        """Return what is open when the work begins.

        Raises
        ------
        Problem
            Nothing can be put into the scene.
        """
        self._workplace = workplace(context)
        self._first = not any(map(identity.is_head, self._workplace.scene(context).objects))
        area = viewport.open_viewport(context)
        self._outlook = None if area is None else viewport.outlook(area)
        return self._workplace

    def show(self, context: bpy.types.Context, heads: Sequence[bpy.types.Object]) -> str:
        """Select new heads, and show a scene's first ones.

        Returns
        -------
        Addition to a report: where they are, what hides them, and what was done to the viewport.
        """
        present(context, heads)
        where = self._workplace.words(context)
        if where or not (self._first and self.is_watched):
            return where
        layer = view_layer_of(context)
        shown = [head for head in heads if layer.objects.get(head.name) == head]
        area = viewport.open_viewport(context)
        busy = context.mode != "OBJECT" or area is None or viewport.outlook(area) != self._outlook
        if busy or not shown:
            return ""
        parts = [part for head in shown for part in parts_of(head).values()]
        viewport.frame(area, [*shown, *parts])
        textured = ". The viewport shows textures now" if viewport.show_textures(area) else ""
        return _hidden(layer, area, shown) + textured


def _hidden(layer: bpy.types.ViewLayer, area: Any, heads: Sequence[bpy.types.Object]) -> str:
    """Return what has heads inside of it, so that a viewport outside does not show them."""
    eye, around = viewport.eye(area)[None], np.concatenate([corners(head) for head in heads])
    hiding = (
        thing.name
        for thing in enclosures(layer.objects)
        if thing.holds(around) and not thing.holds(eye)
    )
    name = next(hiding, None)
    return "" if name is None else f", inside {name!r}. Hide that to see it"
