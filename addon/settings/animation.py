"""How clips become keys: choices that are kept with the scene, and may be given to operators."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

from types import SimpleNamespace
from typing import Any

import bpy

from ..motion.recording import Style
from ..motion.smoothing import Strengths
from ..scene.performance import Staging

DEFAULT = Style()
FACES = (
    ("largest", "Largest", "The largest face of the clip"),
    ("all", "All", "A head for every face of the clip"),
    ("number", "Number", "The face of that number, counted from the left where they come in"),
)
HEADS = (
    ("selected", "Selected", "Animate the selected head; make a new one if none is selected"),
    ("new", "New", "Make a new head; on the same clip again, the head that was made of it"),
)


class SmoothingOptions:
    """What can be changed after the clip was tracked; a mix-in of properties."""

    rotation: bpy.props.FloatProperty(
        name="Rotation",
        description="How much the head's turning is smoothed; 0 leaves it as it was measured",
        min=0.0,
        max=1.0,
        default=DEFAULT.strengths.rotation,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )
    position: bpy.props.FloatProperty(
        name="Position",
        description="How much the head's place is smoothed; 0 leaves it as it was measured",
        min=0.0,
        max=1.0,
        default=DEFAULT.strengths.position,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )
    expression: bpy.props.FloatProperty(
        name="Expression",
        description="How much the expression is smoothed; 0 leaves it as it was measured",
        min=0.0,
        max=1.0,
        default=DEFAULT.strengths.expression,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )
    gain: bpy.props.FloatProperty(
        name="Gain",
        description="Makes expressions stronger (above 1) or weaker than in the clip",
        min=0.0,
        max=10.0,
        soft_max=3.0,
        default=DEFAULT.gain,
        options={"SKIP_SAVE"},
    )


class AnimationOptions(SmoothingOptions):
    """Everything about an animation; a mix-in of properties."""

    head: bpy.props.EnumProperty(
        name="Head",
        description="Which head gets the motion",
        items=HEADS,
        options={"SKIP_SAVE"},
    )
    faces: bpy.props.EnumProperty(
        name="Faces",
        description="Which faces of the clip",
        items=FACES,
        options={"SKIP_SAVE"},
    )
    number: bpy.props.IntProperty(
        name="Number",
        description="Number of the face, from 0",
        min=0,
        options={"SKIP_SAVE"},
    )
    first_second: bpy.props.FloatProperty(
        name="In",
        description="Where in the clip to begin",
        min=0.0,
        unit="TIME_ABSOLUTE",
        options={"SKIP_SAVE"},
    )
    last_second: bpy.props.FloatProperty(
        name="Out",
        description="Where in the clip to end; 0 is its end",
        min=0.0,
        unit="TIME_ABSOLUTE",
        options={"SKIP_SAVE"},
    )
    start_frame: bpy.props.IntProperty(
        name="Start Frame",
        description="Frame of the scene at which the animation begins",
        default=1,
        options={"SKIP_SAVE"},
    )
    use_scene_rate: bpy.props.BoolProperty(
        name="Scene as Clip",
        description="Give the scene the clip's frame rate and length. The motion keeps the clip's "
        "speed either way",
        options={"SKIP_SAVE"},
    )
    use_camera: bpy.props.BoolProperty(
        name="Camera",
        description="Make a camera that sees the head where the clip shows the face, with the "
        "clip behind it; the scene gets the clip's resolution",
        options={"SKIP_SAVE"},
    )
    focal_length: bpy.props.FloatProperty(
        name="Focal Length",
        description="Of the lens that took the clip, on a sensor 36 mm wide; it turns the size of "
        "the face into a distance. Phones have about 26 mm",
        min=5.0,
        max=1000.0,
        default=DEFAULT.focal_length,
        unit="CAMERA",
        options={"SKIP_SAVE"},
    )
    use_texture: bpy.props.BoolProperty(
        name="Clip's Texture",
        description="Replace the texture of the selected head by the clip's; new heads have it "
        "anyway",
        options={"SKIP_SAVE"},
    )


class SYNERGYFACE_PG_animation(AnimationOptions, bpy.types.PropertyGroup):
    """How clips become keys"""


OPTIONS = (*SmoothingOptions.__annotations__, *AnimationOptions.__annotations__)


def snapshot(options: Any) -> Any:
    """The options as plain values, which may be kept while Blender goes on."""
    return SimpleNamespace(**{name: getattr(options, name) for name in OPTIONS})


def strengths_of(options: SmoothingOptions) -> Strengths:
    """How much to smooth."""
    return Strengths(options.rotation, options.position, options.expression)


def staging_of(options: AnimationOptions, subdivision: int) -> Staging:
    """How the clip is put into the scene."""
    style = Style(
        strengths_of(options),
        options.gain,
        options.focal_length,
        options.use_camera,
        float(options.start_frame),
        options.first_second,
    )
    return Staging(
        style, options.use_camera, options.use_scene_rate, options.use_texture, subdivision
    )


CLASSES = (SYNERGYFACE_PG_animation,)
