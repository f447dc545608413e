"""Operators as Blender would run them, modal ones without its windows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
from conftest import ops, submodule

TICK = SimpleNamespace(type="TIMER")
ESC = SimpleNamespace(type="ESC", value="PRESS")
ESC_LET_GO = SimpleNamespace(type="ESC", value="RELEASE")
GOES_ON = ({"PASS_THROUGH"}, {"RUNNING_MODAL"})


class FakeContext:
    """As much of a window as a modal operator uses; all else is Blender's present context."""

    def __init__(self) -> None:
        self.shown = ""
        self.window_manager = self
        self.workspace = self
        self.windows: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)

    def event_timer_add(self, seconds: float, window: Any) -> Any:
        return bpy.context.window_manager.event_timer_add(seconds, window=window)

    def modal_handler_add(self, operator: Any) -> None:
        pass

    def status_text_set(self, text: str | None) -> None:
        self.shown = text or ""


def made(cls: Any, **given: Any) -> Any:
    """An operator with these properties, which keeps what it reports.

    Only Blender makes instances of operators: this is one of a plain class that has the same
    methods.
    """
    reports: list[tuple[set[str], str]] = []
    bases = [base for base in cls.__mro__ if not issubclass(base, bpy.types.bpy_struct)]
    members = {
        "report": lambda self, kind, text: reports.append((kind, text)),
        "reports": reports,
    }
    own = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "bl_rna")}
    operator = type("Operator", tuple(bases), own | members | given)()
    operator.properties = SimpleNamespace(
        is_property_set=lambda name: name in given or name in vars(operator)
    )
    return operator


def begun(cls: Any, **given: Any) -> tuple[Any, FakeContext]:
    """An operator with these properties, invoked; and the context that it goes on in."""
    operator, context = made(cls, **given), FakeContext()
    assert operator.begin(context) == {"RUNNING_MODAL"}
    return operator, context


def press_esc(operator: Any, context: FakeContext) -> set[str]:
    """What Blender gets at the tick after Esc over a viewport where nothing else takes it.

    The modal operator hears of it first, and the keymap has its turn last: seen in a Blender with
    windows, see `cancelling`.
    """
    assert operator.modal(context, ESC) == {"PASS_THROUGH"}
    assert ops.synergyface.cancel_by_key() == {"FINISHED"}
    return operator.modal(context, TICK)


def to_end(operator: Any, context: FakeContext) -> set[str]:
    """What Blender gets when the operator is at its end."""
    while (outcome := operator.modal(context, TICK)) in GOES_ON:
        pass
    assert submodule("runtime").runtime().timer is None
    return outcome
