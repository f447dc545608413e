"""The chosen head: pose, parts, texture, expression, landmarks, export."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import bpy

from ..exchange.expressions import EXPRESSIONS
from ..operators.export import FORMATS
from ..progress_view import draw_progress
from ..runtime import runtime
from ..scene import identity
from ..scene.expression import has_photo_expression
from ..scene.key_sets import NAMED, key_set
from ..scene.landmarks import landmarks_of
from ..scene.modifiers import SUBDIVISION, is_shown
from ..scene.parts import GROUPS, group_of, parts_of
from ..scene.parts import is_shown as group_is_shown
from ..scene.pose import has_photo_pose, has_pose_empty, is_applied
from ..scene.selected import chosen_heads, chosen_words
from ..settings.heads import TEXTURE_MODES
from ..wrapping import draw_text
from .sidebar import SidebarPanel


class HeadPanel(SidebarPanel):
    """Shown only with a head to show."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        return bool(chosen_heads(context))


class SYNERGYFACE_PT_head(HeadPanel, bpy.types.Panel):
    """The selected head"""

    bl_label = "Head"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        heads = chosen_heads(context)
        head: Any = heads[-1]
        draw_text(layout, context, chosen_words(heads), icon="MESH_MONKEY")
        if has_pose_empty(head):
            _draw_pose(layout, head)
        else:
            draw_text(layout, context, "Parent the head to its pose Empty again", icon="ERROR")
        row = layout.row(align=True)
        for region in ("ears", "neck"):
            _draw_region(row, head, region)
        if parts_of(head):
            row = layout.row(align=True)
            for group in GROUPS:
                _draw_part(row, head, group)
            layout.operator("synergyface.join_parts", icon="MESH_DATA")
        subdivision = head.modifiers.get(SUBDIVISION)
        if subdivision is None:
            layout.operator("synergyface.subdivide", icon="MOD_SUBSURF")
        else:
            layout.prop(subdivision, "render_levels", text="Subdivision in Renders")
        if not draw_progress(layout, context, "texture"):
            row = layout.row()
            row.enabled = identity.PARAMETERS in head and not runtime().busy
            row.menu("SYNERGYFACE_MT_texture", text=_texture_words(head), icon="TEXTURE")
        if not draw_progress(layout, context, "replacement"):
            layout.operator(
                "synergyface.choose_replacement", text="Replace Photo…", icon="FILE_IMAGE"
            )
        marked = bool(landmarks_of(head))
        layout.operator(
            "synergyface.landmarks",
            text="Remove Landmarks" if marked else "Add Landmarks",
            icon="EMPTY_AXIS",
        )


class SYNERGYFACE_MT_texture(bpy.types.Menu):
    """Make the head's texture again from its photo"""

    bl_label = "Change Texture"

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout: Any = self.layout
        heads = chosen_heads(context)
        present = heads[-1].get(identity.TEXTURE_MODE) if heads else None
        for mode, name, _ in TEXTURE_MODES:
            icon = "RADIOBUT_ON" if mode == present else "RADIOBUT_OFF"
            layout.operator("synergyface.change_texture", text=name, icon=icon).mode = mode


def _texture_words(head: Any) -> str:
    """Return what the head's texture is, if that is known."""
    present = head.get(identity.TEXTURE_MODE)
    names = [name for mode, name, _ in TEXTURE_MODES if mode == present]
    return f"Texture: {names[0]}" if names else SYNERGYFACE_MT_texture.bl_label


def _draw_pose(layout: Any, head: Any) -> None:
    if has_photo_pose(head):
        _draw_photo_pose(layout, head)
    layout.row().prop(head.parent, "scale")


def _draw_photo_pose(layout: Any, head: Any) -> None:
    angles = (head.get(name, 0.0) for name in (identity.YAW, identity.PITCH, identity.ROLL))
    yaw, pitch, roll = (f"{angle:+.0f}°" for angle in angles)
    layout.label(text=f"Yaw {yaw}  pitch {pitch}  roll {roll}", icon="ORIENTATION_GIMBAL")
    applied = is_applied(head)
    layout.operator(
        "synergyface.apply_photo_pose",
        text="Reset Pose" if applied else "Apply Photo Pose",
        icon="LOOP_BACK" if applied else "CON_ROTLIKE",
    )


def _draw_region(layout: Any, head: Any, region: str) -> None:
    """Button that is pressed while the region is shown."""
    _draw_shown(layout, region, region in head.vertex_groups, is_shown(head, region))


def _draw_part(layout: Any, head: Any, group: str) -> None:
    """Button that is pressed while any part of the group is shown."""
    _draw_shown(layout, group, bool(group_of(head, group)), group_is_shown(head, group))


def _draw_shown(layout: Any, region: str, enabled: bool, shown: bool) -> None:
    button = layout.row(align=True)
    button.enabled = enabled
    chosen = button.operator(
        "synergyface.show_region",
        text=region.capitalize(),
        icon="HIDE_OFF" if shown else "HIDE_ON",
        depress=shown,
    )
    chosen.region = region


class SYNERGYFACE_PT_expression(HeadPanel, bpy.types.Panel):
    """Expression of the head"""

    bl_label = "Expression"
    bl_parent_id = "SYNERGYFACE_PT_head"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        head: Any = chosen_heads(context)[-1]
        keys = head.data.shape_keys
        if keys is None:
            layout.label(text="The head has no shape keys", icon="INFO")
            return
        row = layout.row(align=True)
        for expression, name in (("NEUTRAL", "Neutral"), ("PHOTO", "As in Photo")):
            button = row.row(align=True)
            button.enabled = expression == "NEUTRAL" or has_photo_expression(head)
            chosen = button.operator("synergyface.set_expression", text=name)
            chosen.expression = expression
        named, column = key_set(head) == NAMED, layout.column(align=True)
        for key in keys.key_blocks[1:]:
            if not named:
                column.prop(key, "value", text=f"{key.name} (σ)", slider=True)
            elif key.name not in NAMED.names:
                column.prop(key, "value", text=key.name, slider=True)


class GroupPanel(HeadPanel):
    """The named keys of one group."""

    bl_parent_id = "SYNERGYFACE_PT_expression"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}
    group: ClassVar[str]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Tell whether it can run now."""
        heads: list[Any] = chosen_heads(context)
        return bool(heads) and key_set(heads[-1]) == NAMED and bool(heads[-1].data.shape_keys)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        panel: Any = self
        layout: Any = panel.layout
        head: Any = chosen_heads(context)[-1]
        column, keys = layout.column(align=True), head.data.shape_keys.key_blocks
        for name in (key.name for key in EXPRESSIONS if key.group == type(self).group):
            if name in keys:
                column.prop(keys[name], "value", text=key_words(name), slider=True)


class SYNERGYFACE_PT_lids(GroupPanel, bpy.types.Panel):
    """Blinking, squinting and widening of the eyes"""

    bl_label, group = "Lids", "lids"


class SYNERGYFACE_PT_gaze(GroupPanel, bpy.types.Panel):
    """Directions in which the eyes look"""

    bl_label, group = "Gaze", "gaze"


class SYNERGYFACE_PT_brows(GroupPanel, bpy.types.Panel):
    """The eyebrows"""

    bl_label, group = "Brows", "brows"


class SYNERGYFACE_PT_mouth(GroupPanel, bpy.types.Panel):
    """Jaw, lips and tongue"""

    bl_label, group = "Mouth", "mouth"


class SYNERGYFACE_PT_cheeks(GroupPanel, bpy.types.Panel):
    """Cheeks and nose"""

    bl_label, group = "Cheeks", "cheeks"


def key_words(name: str) -> str:
    """Return a key's name for people, under the name of its group: *Smile Left* of
    ``mouthSmileLeft``.
    """
    words = [word.capitalize() for word in re.findall(r"[A-Z]?[a-z]+", name)]
    return " ".join(words[1:] if words[0] in ("Eye", "Mouth", "Brow") and words[2:] else words)


class SYNERGYFACE_PT_export(HeadPanel, bpy.types.Panel):
    """Write the head to a file for other programs"""

    bl_label = "Export"
    bl_parent_id = "SYNERGYFACE_PT_head"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it."""
        layout: Any = self.layout
        row = layout.row(align=True)
        for file_format, name, _ in FORMATS:
            chosen = row.operator("synergyface.export_head", text=f"{name}…")
            chosen.file_format = file_format
        layout.operator("synergyface.export_motion", text="Animation as CSV…", icon="ACTION")
        layout.operator("synergyface.export_live_link", text="Live Link Face…", icon="EXPORT")


CLASSES = (
    SYNERGYFACE_PT_head,
    SYNERGYFACE_MT_texture,
    SYNERGYFACE_PT_expression,
    SYNERGYFACE_PT_lids,
    SYNERGYFACE_PT_gaze,
    SYNERGYFACE_PT_brows,
    SYNERGYFACE_PT_mouth,
    SYNERGYFACE_PT_cheeks,
    SYNERGYFACE_PT_export,
)
