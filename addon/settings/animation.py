"""How clips become keys: choices that are kept with the scene, and may be given to operators."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import bpy

from ..exchange.smoothing import Strengths
from ..motion.recording import Gains, Style
from ..scene.clip_animation import Staging

DEFAULT = Style()
FACES = (
    ("largest", "Largest", "The largest face in the video"),
    ("all", "All", "One head for each face"),
    ("number", "Number", "The face with this number, counted from the left as they appear"),
)
HEADS = (
    ("selected", "Selected", "Animate the selected head, or a new one if none is selected"),
    ("new", "New", "Make a new head. If this video has made one before, animate that head again"),
)


def strength(name: str, what: str, default: float) -> Any:
    """Return a property that says how strongly to smooth something."""
    return bpy.props.FloatProperty(
        name=name,
        description=f"How strongly to smooth {what}. 0 keeps it as measured",
        min=0.0,
        max=1.0,
        default=default,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )


def gain_property(name: str, what: str, default: float) -> Any:
    """Return a property that multiplies something."""
    return bpy.props.FloatProperty(
        name=name,
        description=f"Strength of {what}. 1 is as in the video, more exaggerates",
        min=0.0,
        max=10.0,
        soft_max=3.0,
        default=default,
        options={"SKIP_SAVE"},
    )


class SmoothingOptions:
    """What can be changed after the clip was tracked; a mix-in of properties."""

    rotation: strength("Rotation", "the rotation of the head", DEFAULT.strengths.rotation)
    position: strength("Position", "the position of the head", DEFAULT.strengths.position)
    expression: strength(
        "Expression", "the ten expressions of the BFM", DEFAULT.strengths.expression
    )
    lids: strength("Lids", "the eyelids", DEFAULT.strengths.lids)
    gaze: strength("Gaze", "where the eyes look", DEFAULT.strengths.gaze)
    mouth: strength("Mouth", "mouth and cheeks", DEFAULT.strengths.mouth)
    brows: strength("Brows", "the eyebrows", DEFAULT.strengths.brows)
    gain: gain_property("Gain", "the expressions", DEFAULT.gain)
    lids_gain: gain_property("Lids", "the eyelids", DEFAULT.gains.lids)
    gaze_gain: gain_property("Gaze", "the direction of the eyes", DEFAULT.gains.gaze)
    mouth_gain: gain_property("Mouth", "mouth and cheeks", DEFAULT.gains.mouth)
    brows_gain: gain_property("Brows", "the eyebrows", DEFAULT.gains.brows)


class AnimationOptions(SmoothingOptions):
    """Everything about an animation; a mix-in of properties."""

    head: bpy.props.EnumProperty(
        name="Head",
        description="The head to animate",
        items=HEADS,
        options={"SKIP_SAVE"},
    )
    faces: bpy.props.EnumProperty(
        name="Faces",
        description="The faces in the video to use",
        items=FACES,
        options={"SKIP_SAVE"},
    )
    number: bpy.props.IntProperty(
        name="Number",
        description="Number of the face. The first is 0",
        min=0,
        options={"SKIP_SAVE"},
    )
    first_second: bpy.props.FloatProperty(
        name="In",
        description="Start time in the video",
        min=0.0,
        unit="TIME_ABSOLUTE",
        options={"SKIP_SAVE"},
    )
    last_second: bpy.props.FloatProperty(
        name="Out",
        description="End time in the video. 0 is the end of the video",
        min=0.0,
        unit="TIME_ABSOLUTE",
        options={"SKIP_SAVE"},
    )
    start_frame: bpy.props.IntProperty(
        name="Start Frame",
        description="First frame of the animation",
        default=1,
        options={"SKIP_SAVE"},
    )
    use_scene_rate: bpy.props.BoolProperty(
        name="Match Scene",
        description="Give the scene the frame rate and length of the video. The motion keeps "
        "its speed either way",
        options={"SKIP_SAVE"},
    )
    use_camera: bpy.props.BoolProperty(
        name="Camera",
        description="Make a camera that sees the head as the video shows the face, with the "
        "video behind it. The scene gets the resolution of the video",
        options={"SKIP_SAVE"},
    )
    focal_length: bpy.props.FloatProperty(
        name="Focal Length",
        description="Focal length of the lens that took the video, for a sensor 36 mm wide. "
        "Phones have about 26 mm. It turns the size of the face into a distance",
        min=5.0,
        max=1000.0,
        default=DEFAULT.focal_length,
        unit="CAMERA",
        options={"SKIP_SAVE"},
    )
    use_texture: bpy.props.BoolProperty(
        name="Video's Texture",
        description="Give the selected head the texture from the video. New heads always get it",
        options={"SKIP_SAVE"},
    )


class SYNERGYFACE_PG_animation(AnimationOptions, bpy.types.PropertyGroup):
    """How videos become keyframes"""


OPTIONS = (*SmoothingOptions.__annotations__, *AnimationOptions.__annotations__)


def snapshot(options: Any) -> Any:
    """Return the options as plain values, which may be kept while Blender goes on."""
    return SimpleNamespace(**{name: getattr(options, name) for name in OPTIONS})


def smoothed(style: Style, options: SmoothingOptions) -> Style:
    """Return a style with other smoothing and gains."""
    strengths = Strengths(**{name: getattr(options, name) for name in vars(style.strengths)})
    gains = Gains(**{name: getattr(options, f"{name}_gain") for name in vars(style.gains)})
    return replace(style, strengths=strengths, gains=gains, gain=options.gain)


def smoothing_values(style: Style) -> dict[str, float]:
    """Values of `SmoothingOptions` that give a style its smoothing and gains."""
    gains = {f"{name}_gain": value for name, value in vars(style.gains).items()}
    return vars(style.strengths) | gains | {"gain": style.gain}


def staging_of(options: AnimationOptions, subdivision: int) -> Staging:
    """How the clip is put into the scene."""
    style = smoothed(DEFAULT, options)
    style = replace(
        style,
        focal_length=options.focal_length,
        matched=options.use_camera,
        start=float(options.start_frame),
        first_second=options.first_second,
    )
    return Staging(
        style, options.use_camera, options.use_scene_rate, options.use_texture, subdivision
    )


CLASSES = (SYNERGYFACE_PG_animation,)
