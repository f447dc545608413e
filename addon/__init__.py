"""SynergyFace: a photo becomes a textured head in Blender."""

import tomllib
from pathlib import Path
from typing import Any

import bpy

from . import menus, panels, preferences
from .operators import animation as animation_operators
from .operators import backend as backend_operators
from .operators import batch as batch_operators
from .operators import calibrating, cancelling, quality, replacing
from .operators import export as export_operators
from .operators import head as head_operators
from .operators import install as install_operators
from .operators import live_link as live_link_operators
from .operators import photo as photo_operators
from .operators import texture as texture_operators
from .operators import token as token_operators
from .operators import transfer as transfer_operators
from .runtime import close_runtime, open_runtime
from .settings import heads as head_settings
from .settings.transfer import SYNERGYFACE_PG_key_names

MANIFEST = Path(__file__).with_name("blender_manifest.toml")

CLASSES = (
    *head_settings.CLASSES,
    *preferences.CLASSES,
    *photo_operators.CLASSES,
    *animation_operators.CLASSES,
    *calibrating.CLASSES,
    *batch_operators.CLASSES,
    *cancelling.CLASSES,
    *quality.CLASSES,
    *head_operators.CLASSES,
    *texture_operators.CLASSES,
    *replacing.CLASSES,
    *export_operators.CLASSES,
    *transfer_operators.CLASSES,
    *live_link_operators.CLASSES,
    *backend_operators.CLASSES,
    *token_operators.CLASSES,
    *install_operators.CLASSES,
    *panels.CLASSES,
    *menus.CLASSES,
)


def register() -> None:
    """Add everything to Blender, when the add-on is switched on."""
    scene: Any = bpy.types.Scene
    shape_keys: Any = bpy.types.Key
    version = tomllib.loads(MANIFEST.read_text("utf-8"))["version"]
    open_runtime(Path(bpy.utils.extension_path_user(str(__package__), create=True)), version)
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    preferences.forget_saved_token(bpy.context)
    shape_keys.synergyface = bpy.props.PointerProperty(type=SYNERGYFACE_PG_key_names)
    scene.synergyface = bpy.props.PointerProperty(type=head_settings.SYNERGYFACE_PG_settings)
    menus.add_entries()
    cancelling.bind_key(bpy.context)


def unregister() -> None:
    """Take everything out again, when the add-on is switched off and when Blender ends."""
    scene: Any = bpy.types.Scene
    shape_keys: Any = bpy.types.Key
    cancelling.unbind_key(bpy.context)
    menus.remove_entries()
    del scene.synergyface, shape_keys.synergyface
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    close_runtime()
