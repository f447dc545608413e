"""Takes of Live Link Face, in and out."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from typing import Any

import bpy

from ..problems import Problem
from ..scene.character import Rig
from ..scene.clip import frame_rate
from ..scene.context_parts import scene_of, window_manager_of
from ..scene.live_link import play_on_head, play_on_meshes, read_take, write_take
from ..scene.paths import path_of
from ..scene.selected import chosen_head, chosen_heads
from ..settings.transfer import OPTIONS
from .base import Outcome, ReportingOperator
from .choosing import remember_folder, remembered_folder
from .export import FileOperator, SYNERGYFACE_OT_export_motion
from .transfer import moved_words, strangers


class SYNERGYFACE_OT_import_live_link(ReportingOperator, bpy.types.Operator):
    """Move the selected head, or your character's selected meshes, as a take of Live Link Face"""

    bl_idname = "synergyface.import_live_link"
    bl_label = "Live Link Face"
    bl_options = {"UNDO"}

    filepath: bpy.props.StringProperty(name="Take", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN", "SKIP_SAVE"})
    start_frame: bpy.props.IntProperty(
        name="Start Frame", description="First frame of the animation", default=1
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Open the file browser, which calls `execute`."""
        return self.guard(self._browse, context)

    def run(self, context: bpy.types.Context) -> Outcome:
        """Read the file, and write the keys."""
        if not self.filepath:
            raise Problem("No file is given.", "Set filepath to a take of Live Link Face.")
        path = path_of(self.filepath)
        remember_folder(self.bl_idname, str(path))
        take, scene = read_take(path), scene_of(context)
        start, rate = float(self.start_frame), frame_rate(scene)
        heads = chosen_heads(context)
        for head in heads:
            play_on_head(head, take, path, start, rate)
        if heads:
            said = f"{len(heads)} head{'s' if len(heads) != 1 else ''}"
        else:
            kept: Any = scene.synergyface.transfer  # type: ignore[attr-defined]
            options = {name: getattr(kept, name) for name in OPTIONS}
            rig = None if kept.rig is None else Rig(kept.rig, **options)
            moved = play_on_meshes(strangers(context), rig, take, path, start, rate)
            said = moved_words(moved, rig)
        self.report({"INFO"}, f"{path.stem}: {len(take.seconds)} frames move {said}")
        return {"FINISHED"}

    def _browse(self, context: bpy.types.Context) -> Outcome:
        self.filepath = remembered_folder(self.bl_idname)
        operator: Any = self
        window_manager_of(context).fileselect_add(operator)
        return {"RUNNING_MODAL"}


class SYNERGYFACE_OT_export_live_link(FileOperator, bpy.types.Operator):
    """Write the animation as Live Link Face does, for other programs"""

    bl_idname = "synergyface.export_live_link"
    bl_label = "Export for Live Link Face"
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        return SYNERGYFACE_OT_export_motion.poll(context)

    def suffix(self) -> str:
        """Return ``.csv``."""
        return ".csv"

    def run(self, context: bpy.types.Context) -> Outcome:
        """Export."""
        head, path = chosen_head(context), self.target()
        write_take(head, scene_of(context), path)
        self.report({"INFO"}, f"Wrote the animation of {head.name!r} to {path}")
        return {"FINISHED"}


CLASSES = (SYNERGYFACE_OT_import_live_link, SYNERGYFACE_OT_export_live_link)
