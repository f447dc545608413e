"""Batch: a folder of photos and films becomes heads and actions, here or in files of their own."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..batch.items import items_of, left_out
from ..batch.results import FileEach, InThisFile
from ..batch.run import Batch
from ..problems import Problem
from ..runtime import runtime
from ..scene import identity
from ..settings.batch import FILE_EACH, OPTIONS, BatchOptions
from ..tasks import Reporter, Task
from .base import Outcome, TaskOperator, WhenIdle, given_or_kept
from .choosing import FolderChooser
from .showing import HeadMaker

# The stubs of bpy know Blender's own operators only.
blender_operators: Any = bpy.ops


class SYNERGYFACE_OT_batch(WhenIdle, BatchOptions, HeadMaker, bpy.types.Operator):
    """Make heads from the photos in a folder, actions from its videos. Run it again to continue"""

    bl_idname = "synergyface.batch"
    bl_label = "Process Folder"
    bl_options = {"UNDO"}
    job = "folder"

    directory: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Ask for the folder if none is given."""
        if not self.directory:
            blender_operators.synergyface.choose_folder("INVOKE_DEFAULT")
            return {"CANCELLED"}
        return super().invoke(context, event)

    def run(self, context: bpy.types.Context) -> Outcome:
        """Return one file after the other, and wait for each."""
        self._batch = batch = self._begun(context, in_sight=False)
        go_on = not batch.finished
        while go_on:
            task = Task(batch.work)
            task.wait()
            go_on = self._settle(context, task)
        return self._report_end(context)

    def begin(self, context: bpy.types.Context) -> Outcome:
        """Start with the first file, and let `modal` look after it."""
        self._batch = self._begun(context, in_sight=True)
        if self._batch.finished:
            return self._report_end(context)
        return TaskOperator.begin(self, context)

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Return the next file's."""
        return self._batch.work

    def _end(self, context: bpy.types.Context) -> Outcome:
        """Note that a file's task has ended: go on with the next one, unless the user stopped
        it.
        """
        assert self._task is not None
        if self._settle(context, self._task):
            self._task = runtime().task = Task(self._batch.work, self._task.progress)
            return {"RUNNING_MODAL"}
        self._leave(context)
        return self._report_end(context)

    def _settle(self, context: bpy.types.Context, task: Task[Any]) -> bool:
        """Keep what a task has found, or report why the batch ends; whether it goes on."""

        def settle(context: bpy.types.Context) -> Outcome:
            self._batch.settle(context, task)
            return {"FINISHED"}

        return self.guard(settle, context) == {"FINISHED"} and not self._batch.finished

    def _begun(self, context: bpy.types.Context, in_sight: bool) -> Batch:
        if not self.directory:
            raise Problem("No folder is given.", "Set directory to a folder of photos or videos.")
        folder = _absolute(self.directory)
        items = items_of(context, folder)
        settings: Any = context.scene.synergyface  # type: ignore[attr-defined]
        options = given_or_kept(self, settings.batch, OPTIONS)
        place = self.remember(context)
        others = left_out(folder)
        if options.result == FILE_EACH:
            output = _absolute(options.output) if options.output else folder
            files = FileEach(place, output, [item.path for item in items])
            return Batch(context, items, files, others)
        return Batch(context, items, InThisFile(place, in_sight), others)

    def _report_end(self, context: bpy.types.Context) -> Outcome:
        """Return what is done stays, so that an undo step is due even if the rest failed."""
        batch, result = self._batch, self._batch.result
        if not (batch.begun or batch.finished):
            return {"CANCELLED"}
        heads = [head for uid in result.heads if (head := identity.head_in_use(uid)) is not None]
        self.show(context, heads)
        where = self._workplace.words(context) if heads else ""
        self.report({"INFO"}, f"{batch.summary}{where}. See the text {result.table!r}")
        self.tell_notices()
        return {"FINISHED"}


class SYNERGYFACE_OT_choose_folder(FolderChooser, bpy.types.Operator):
    """Choose a folder, and make heads and animations from its photos and videos"""

    bl_idname = "synergyface.choose_folder"
    bl_label = "Process Folder"
    bl_options = {"INTERNAL"}

    def hand_over(self) -> None:
        """Hand over to the batch."""
        blender_operators.synergyface.batch("INVOKE_DEFAULT", directory=self.directory)


def _absolute(folder: str) -> Path:
    return Path(bpy.path.abspath(folder)).expanduser().resolve()


CLASSES = (SYNERGYFACE_OT_batch, SYNERGYFACE_OT_choose_folder)
