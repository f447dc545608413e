"""What operators are made of: reporting every failure, work off the main thread, one at a time.

These are mix-ins: combine them with ``bpy.types.Operator``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, ClassVar

import bpy

from ..connection.client import BackendError
from ..problems import NotNow, Problem
from ..runtime import Job, runtime
from ..scene.context_parts import window_manager_of
from ..tasks import CancelledError, Reporter, Task, TaskProgress

TIMER_SECONDS = 0.1
# Blender's own jobs, besides playing.
STOPPED_BY_ESC = ("RENDER", "OBJECT_BAKE")

log = logging.getLogger(__package__)

# Blender's stubs list what an operator may return; a base class need not.
Outcome = set[Any]


class ReportingOperator:
    """Runs `run`; catches what it raises, logs it with the versions, and tells the user."""

    report: Callable[[set[str], str], None]
    bl_label: str

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Run, by a script or again."""
        return self.guard(self.run, context)

    def run(self, context: bpy.types.Context) -> Outcome:
        """Return what the operator does; may raise."""
        raise NotImplementedError

    def guard(
        self, action: Callable[[bpy.types.Context], Outcome], context: bpy.types.Context
    ) -> Outcome:
        """Return the result of `action`, or a report of why there is none."""
        try:
            return action(context)
        except CancelledError:
            self.report({"INFO"}, f"{self.bl_label}: cancelled")
        except (BackendError, Problem) as error:
            log.error("%s: %s [%s]", self.bl_label, error, runtime().diagnostics.versions)
            self.report({"ERROR"}, str(error))
        except Exception:
            log.exception("%s failed [%s]", self.bl_label, runtime().diagnostics.versions)
            self.report(
                {"ERROR"},
                f"{self.bl_label} failed unexpectedly. Click Copy Diagnostics in the add-on's "
                "preferences, and report what it copies.",
            )
        return {"CANCELLED"}


class WhenIdle:
    """Offered only while nothing else is at work."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        return not runtime().busy


class TaskOperator(ReportingOperator):
    """Does its work in a worker thread and finishes on the main thread.

    Invoked by a person it is modal: a timer pumps the task, the user goes on working, Esc over a
    3D viewport cancels (see `cancelling`) unless `esc_cancels` is False. If the result cannot be
    used while the user does something else (`NotNow`), it waits for that to end. Executed by a
    script, or without a user interface, it waits for the task.

    Attributes
    ----------
    job
        What the task is for; the panel that offers it shows the progress.
    """

    job: ClassVar[Job]
    esc_cancels = True
    _task: Task[Any] | None = None

    @property
    def is_watched(self) -> bool:
        """Whether a person waits for it, not a script."""
        return self._task is not None

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Collect what the worker needs as plain values; what is returned runs in the worker."""
        raise NotImplementedError

    def finish(self, context: bpy.types.Context, value: Any) -> None:
        """Use the worker's result, on the main thread; `NotNow` only if nothing is changed yet."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Begin, by a click."""
        return self.guard(self.run if bpy.app.background else self.begin, context)

    def run(self, context: bpy.types.Context) -> Outcome:
        """Start the task and wait for it."""
        return self._finish(context, Task(self.work(context)).run_to_end())

    def begin(self, context: bpy.types.Context) -> Outcome:
        """Start the task, and let `modal` look after it."""
        if runtime().busy:
            raise Problem(
                "SynergyFace is busy with another job.", "Wait until it has finished, or cancel it."
            )
        current = runtime()
        manager: Any = context.window_manager
        self._task = current.task = Task(self.work(context))
        current.operator, current.key_is_free = type(self), True
        current.timer = manager.event_timer_add(TIMER_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Handle every event while the work goes on."""
        task = self._task
        assert task is not None
        if event.type == "ESC" and event.value == "PRESS":
            # Here, because what the press stops is stopped by the time its keymap has its turn.
            runtime().key_is_free = not _stoppable(context)
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if task.pump():
            return self.guard(self._end, context)
        hint = " (to cancel, press Esc over a 3D viewport)" if self.esc_cancels else ""
        _show(context, f"{self.bl_label}: {words(task.progress)}{hint}")
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """End the work, as when another file is opened."""
        if self._task is not None:
            self._task.cancel()
        self._leave(context)

    def _end(self, context: bpy.types.Context) -> Outcome:
        assert self._task is not None
        try:
            outcome = self._finish(context, self._task.result())
        except NotNow as obstacle:
            _show(
                context,
                f"{self.bl_label}: {obstacle.message} The result waits (to drop it, press Esc "
                "over a 3D viewport)",
            )
            return {"PASS_THROUGH"}
        except BaseException:
            self._leave(context)
            raise
        self._leave(context)
        return outcome

    def _finish(self, context: bpy.types.Context, value: Any) -> Outcome:
        self.finish(context, value)
        self.tell_notices()
        return {"FINISHED"}

    def tell_notices(self) -> None:
        """Report what befell the backend meanwhile."""
        for notice in runtime().connection.take_notices():
            self.report({"WARNING"}, notice)

    def _leave(self, context: bpy.types.Context) -> None:
        current = runtime()
        if current.task is self._task:
            current.task = current.operator = None
            current.remove_timer()
        _show(context, None)


def given_or_kept(operator: Any, settings: Any, names: Iterable[str]) -> Any:
    """Return values that were given to an operator; for the others those that the scene keeps."""
    given = operator.properties.is_property_set
    return SimpleNamespace(
        **{name: getattr(operator if given(name) else settings, name) for name in names}
    )


def words(progress: TaskProgress) -> str:
    """Tell how far the work is, and everything that is known of what is being done."""
    where = ", ".join(filter(None, (progress.part, progress.subject)))
    stage = f"{where}: {progress.stage}" if where else progress.stage
    return f"{stage} {progress.fraction:.0%}" if progress.fraction else stage


def _stoppable(context: bpy.types.Context) -> bool:
    """Tell whether something plays or renders, which Esc stops."""
    windows = window_manager_of(context).windows
    playing = any(window.screen.is_animation_playing for window in windows)
    return playing or any(map(bpy.app.is_job_running, STOPPED_BY_ESC))


def _show(context: bpy.types.Context, text: str | None) -> None:
    """Show the progress in the status bar and in panels."""
    if context.workspace is not None:
        context.workspace.status_text_set(text)
    for window in window_manager_of(context).windows:
        for area in window.screen.areas:
            for region in area.regions:
                if region.type == "UI" or area.type == "PREFERENCES":
                    region.tag_redraw()
