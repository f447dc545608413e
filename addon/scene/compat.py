"""Every difference between the Blender versions that the add-on supports (4.2 to 5.x)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

BLENDER_5 = (5, 0, 0)


def node_tree(material: bpy.types.Material) -> bpy.types.NodeTree:
    """Return the node tree of a material, made if need be.

    Since 5.0 every material has one, and ``use_nodes`` warns.
    """
    if bpy.app.version < BLENDER_5:
        material.use_nodes = True
    assert material.node_tree is not None
    return material.node_tree


@contextmanager
def png_output(settings: Any) -> Iterator[None]:
    """Let a block save as PNG, and give back the user's format.

    Since 5.0 the formats on offer depend on ``media_type``.
    """
    file_format = settings.file_format
    media_type = settings.media_type if bpy.app.version >= BLENDER_5 else None
    if media_type is not None:
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    try:
        yield
    finally:
        if media_type is not None:
            settings.media_type = media_type
        settings.file_format = file_format


def actions_hold_several() -> bool:
    """Tell whether one action can move several data-blocks: since 4.4 it has a slot for each."""
    return "slots" in bpy.types.Action.bl_rna.properties


def new_action(name: str, block: bpy.types.ID) -> Any:
    """Return a new action that can move a data-block."""
    action: Any = bpy.data.actions.new(name)
    if not actions_hold_several():
        action.id_root = block.id_type
    return action


def fits(action: Any, block: bpy.types.ID) -> bool:
    """Tell whether an action can move a data-block."""
    return actions_hold_several() or action.id_root == block.id_type


def curves_of(action: Any, block: bpy.types.ID) -> Any:
    """Return F-curves by which an action moves a data-block; a place for them is made if need
    be.
    """
    if not actions_hold_several():
        return action.fcurves
    layer: Any = action.layers[0] if action.layers else action.layers.new("Layer")
    strip: Any = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(_slot_for(action, block), ensure=True).fcurves


def present_curves(block: Any) -> Any:
    """Return F-curves that move a data-block at present; none is made, so that panels may ask."""
    animation = block.animation_data
    if animation is None or animation.action is None:
        return ()
    if not actions_hold_several():
        return animation.action.fcurves
    slot = animation.action_slot
    strips = [strip for layer in animation.action.layers for strip in layer.strips]
    bags = [strip.channelbag(slot) for strip in strips if slot is not None]
    return next((bag.fcurves for bag in bags if bag is not None), ())


def use_action(action: Any, block: Any) -> None:
    """Have an action move a data-block, in place of the one that does so far."""
    animation = block.animation_data or block.animation_data_create()
    animation.action = action
    if actions_hold_several():
        animation.action_slot = _slot_for(action, block)


def action_moving(block: Any, name: str) -> Any:
    """Return the action that moves a data-block; a new one of that name if there is none."""
    animation = block.animation_data
    if animation is not None and animation.action is not None:
        return animation.action
    action = new_action(name, block)
    use_action(action, block)
    return action


def _slot_for(action: Any, block: bpy.types.ID) -> Any:
    slots = (slot for slot in action.slots if slot.target_id_type == block.id_type)
    return next(slots, None) or action.slots.new(id_type=block.id_type, name=block.name)
