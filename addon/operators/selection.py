"""What operators on the chosen heads are made of, and the selection that they leave behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy

from ..scene import identity
from ..scene.context_parts import view_layer_of
from ..scene.selected import chosen_heads
from .base import Outcome, ReportingOperator


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
    """Mix-in of operators that are greyed out until a head is chosen; see `chosen_heads`."""

    poll_message_set: Callable[[str], None]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        if chosen_heads(context):
            return True
        cls.poll_message_set("Select a head that SynergyFace made, or its Empty")
        return False


class EachHead(NeedsHead, ReportingOperator):
    """Base of operators that do the same to every chosen head.

    One that cannot be changed is reported, and does not keep the others from it.
    """

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Do to a head what is asked; may raise."""
        raise NotImplementedError

    def run(self, context: bpy.types.Context) -> Outcome:
        """Finish; an undo step is due if any head was changed."""
        outcomes = [self.guard(self._treated(head), context) for head in chosen_heads(context)]
        return {"FINISHED"} if {"FINISHED"} in outcomes else {"CANCELLED"}

    def _treated(self, head: bpy.types.Object) -> Callable[[bpy.types.Context], Outcome]:
        def treat(context: bpy.types.Context) -> Outcome:
            identity.check_editable(head, *([head.parent] if head.parent else []))
            self.treat(context, head)
            return {"FINISHED"}

        return treat
