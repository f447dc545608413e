"""Which heads an operator or a panel is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy

from ..problems import Problem
from ..scene import identity
from ..scene.opened import view_layer_of
from .base import Outcome, ReportingOperator


def chosen_heads(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Heads that are active or selected, or whose Empties are; the active one last."""
    layer = context.view_layer
    if layer is None:
        return []
    active = layer.objects.active
    chosen = [*layer.objects.selected, *([active] if active else [])]
    # By number: one that is linked may have the name of another.
    heads: dict[int, bpy.types.Object] = {}
    for object in chosen:
        for candidate in (object, *object.children, object.parent):
            if candidate is not None and identity.is_head(candidate):
                heads.pop(candidate.session_uid, None)
                heads[candidate.session_uid] = candidate
    return list(heads.values())


def chosen_head(context: bpy.types.Context) -> bpy.types.Object:
    """The one head to work on.

    Raises
    ------
    Problem
        None is chosen.
    """
    heads = chosen_heads(context)
    if not heads:
        raise Problem("No head is selected.", "Select a head that SynergyFace made, or its Empty.")
    return heads[-1]


def present(context: bpy.types.Context, heads: Sequence[bpy.types.Object]) -> None:
    """Select these and nothing else, the last as the active one, if they are in what is open.

    In a mode that belongs to the active object nothing is done.
    """
    # Until then it does not know objects that were just made.
    view_layer = view_layer_of(context)
    view_layer.update()
    layer = view_layer.objects
    shown = [head for head in heads if layer.get(head.name) == head]
    if context.mode != "OBJECT" or not shown:
        return
    for object in layer.selected:
        object.select_set(False)
    for head in shown:
        head.select_set(True)
    layer.active = shown[-1]


class NeedsHead:
    """Mix-in of operators that are greyed out until a head is chosen."""

    poll_message_set: Callable[[str], None]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A head must be active or selected."""
        if chosen_heads(context):
            return True
        cls.poll_message_set("Select a head that SynergyFace made, or its Empty")
        return False


class EachHead(NeedsHead, ReportingOperator):
    """Base of operators that do the same to every chosen head.

    One that cannot be changed is reported, and does not keep the others from it.
    """

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """What is done to a head; may raise."""
        raise NotImplementedError

    def run(self, context: bpy.types.Context) -> Outcome:
        """An undo step is due if any head was changed."""
        outcomes = [self.guard(self._treated(head), context) for head in chosen_heads(context)]
        return {"FINISHED"} if {"FINISHED"} in outcomes else {"CANCELLED"}

    def _treated(self, head: bpy.types.Object) -> Callable[[bpy.types.Context], Outcome]:
        def treat(context: bpy.types.Context) -> Outcome:
            identity.check_editable(head, *([head.parent] if head.parent else []))
            self.treat(context, head)
            return {"FINISHED"}

        return treat
