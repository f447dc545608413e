"""Operators that write a head or its motion to files."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

from pathlib import Path
from typing import Any

import bpy

from ..problems import Problem
from ..scene.context_parts import scene_of
from ..scene.export import export_head
from ..scene.motion_table import is_animated, motion_table, write_motion
from ..scene.selected import chosen_head, chosen_heads
from .base import Outcome, ReportingOperator
from .choosing import remember_folder, remembered_folder
from .selection import NeedsHead

# All of them write to the folder that was chosen last.
EXPORTS = "export"

FORMATS = (
    ("glb", "GLB", "One file with texture, shape keys and animation, for games and the web"),
    ("fbx", "FBX", "One file with texture, shape keys and animation, for other 3D programs"),
    (
        "obj",
        "OBJ",
        "The mesh as it is shown, with material and texture. Each shape key is a file of its own",
    ),
)


class FileOperator(NeedsHead, ReportingOperator):
    """Base of the operators that ask for a file to write."""

    filepath: bpy.props.StringProperty(
        name="File", description="Where to write", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def suffix(self) -> str:
        """Return the ending of the file's name."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Open the file browser, which calls `execute`."""
        return self.guard(self._browse, context)

    def check(self, context: bpy.types.Context) -> bool:
        """Keep the ending right, for the file browser."""
        path = self._with_suffix(self.filepath)
        changed, self.filepath = path != self.filepath, path
        return changed

    def target(self) -> Path:
        """Return the file to write.

        Raises
        ------
        Problem
            None is given.
        """
        if not self.filepath:
            raise Problem("No file is given.", "Set filepath to the file to write.")
        path = Path(bpy.path.abspath(self._with_suffix(self.filepath))).expanduser()
        if not path.parent.is_dir():
            raise Problem(f"There is no folder {path.parent}.", "Choose another folder.")
        remember_folder(EXPORTS, str(path))
        return path

    def _browse(self, context: bpy.types.Context) -> Outcome:
        name = bpy.path.clean_name(chosen_head(context).name) + self.suffix()
        folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
        self.filepath = str(Path(remembered_folder(EXPORTS) or folder) / name)
        manager: Any = context.window_manager
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def _with_suffix(self, filepath: str) -> str:
        return bpy.path.ensure_ext(_without_format(filepath), self.suffix())


class SYNERGYFACE_OT_export_head(FileOperator, bpy.types.Operator):
    """Write the head as it is shown, with its texture, shape keys and animation"""

    bl_idname = "synergyface.export_head"
    bl_label = "Export Head"
    bl_options = set()

    file_format: bpy.props.EnumProperty(name="Format", description="File format", items=FORMATS)
    shape_keys: bpy.props.BoolProperty(
        name="Shape Keys as Files",
        description="OBJ cannot hold shape keys. Write each as an OBJ file of its own",
        default=True,
    )
    overwrite: bpy.props.BoolProperty(
        name="Overwrite Other Files",
        description="Replace existing files of material, texture and shape keys (OBJ). "
        "Otherwise the new ones get a number",
        options={"SKIP_SAVE"},
    )
    motion: bpy.props.BoolProperty(
        name="Animation", description="Write the current animation too (GLB and FBX)", default=True
    )

    def suffix(self) -> str:
        """Return the ending that the format wants."""
        return f".{self.file_format}"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what the format has a use for."""
        layout: Any = self.layout
        layout.prop(self, "file_format", expand=True)
        for name in ("shape_keys", "overwrite") if self.file_format == "obj" else ("motion",):
            layout.prop(self, name)

    def run(self, context: bpy.types.Context) -> Outcome:
        """Export."""
        head, path = chosen_head(context), self.target()
        beside = export_head(
            context,
            head,
            path,
            shape_keys=self.shape_keys,
            motion=self.motion,
            overwrite=self.overwrite,
        )
        others = "" if beside == path.stem else f". The files beside it are called {beside}"
        self.report({"INFO"}, f"Wrote {head.name!r} to {path}{others}")
        return {"FINISHED"}


class SYNERGYFACE_OT_export_motion(FileOperator, bpy.types.Operator):
    """Write position, rotation and expression of every frame as a table"""

    bl_idname = "synergyface.export_motion"
    bl_label = "Export Animation"
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        heads = chosen_heads(context)
        if heads and not is_animated(heads[-1]):
            cls.poll_message_set(f"The head {heads[-1].name!r} is not animated")
            return False
        return super().poll(context)

    def suffix(self) -> str:
        """Return the only ending."""
        return ".csv"

    def run(self, context: bpy.types.Context) -> Outcome:
        """Export."""
        head, path = chosen_head(context), self.target()
        write_motion(motion_table(head, scene_of(context)), path)
        self.report({"INFO"}, f"Wrote the animation of {head.name!r} to {path}")
        return {"FINISHED"}


def _without_format(filepath: str) -> str:
    """Return the path without the ending of a format, so that another one can take its place."""
    stem, dot, ending = filepath.rpartition(".")
    known = (*(name for name, *_ in FORMATS), "csv")
    return stem if dot and ending.lower() in known else filepath


CLASSES = (SYNERGYFACE_OT_export_head, SYNERGYFACE_OT_export_motion)
