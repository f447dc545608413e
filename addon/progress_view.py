"""The bar of the job that runs, in the place of the button that began it."""

from __future__ import annotations

from typing import Any

import bpy

from .runtime import Job, runtime
from .tasks import TaskProgress
from .wrapping import ICON_PIXELS, measure_in, room_in, shortened

WAITING = "Waiting"


def draw_progress(layout: Any, context: bpy.types.Context, *jobs: Job) -> bool:
    """Tell how far the job is, with a button that stops it, in one row; False if none of these
    runs.

    Parameters
    ----------
    layout
        Of a panel.
    context
        Whose region is being drawn.
    jobs
        Those that the panel offers.
    """
    task = runtime().task_for(*jobs)
    if task is None:
        return False
    row = layout.row(align=True)
    row.progress(factor=task.progress.fraction, text=bar_text(task.progress, context))
    row.operator("synergyface.cancel", text="", icon="CANCEL")
    return True


def bar_text(progress: TaskProgress, context: bpy.types.Context) -> str:
    """Return what the bar says: the percentage always, of the rest what fits."""
    percentage = f"{progress.fraction:.0%}"
    stage = progress.stage or WAITING
    words = f"{progress.part}: {stage}" if progress.part else stage[0].upper() + stage[1:]
    measure = measure_in(context)
    room = room_in(context) - ICON_PIXELS - measure(f"  {percentage}")
    return f"{shortened(words, room, measure)}  {percentage}"
