"""Operators that turn clips into animations: what the buttons do. The work is elsewhere."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

import logging
from collections.abc import Callable
from dataclasses import replace
from math import isclose
from types import SimpleNamespace
from typing import Any

import bpy

from ..connection.tracking import Tracking, track
from ..exchange.contract import FILM_SUFFIXES, VideoResult, VideoTrack
from ..exchange.orders import ClipOrder
from ..preferences import backend_location
from ..problems import Problem
from ..runtime import runtime
from ..scene import identity
from ..scene.animation import (
    animate_again,
    check_animatable,
    heads_of_clip,
    present_action,
    style_of,
)
from ..scene.clip import Clip, clip_of_data_block, clip_of_file, frame_rate
from ..scene.clip_animation import perform
from ..scene.context_parts import scene_of
from ..scene.making import Making
from ..scene.selected import chosen_heads
from ..settings.animation import (
    OPTIONS,
    AnimationOptions,
    SmoothingOptions,
    smoothed,
    smoothing_values,
    staging_of,
)
from ..tasks import Reporter
from .base import Outcome, WhenIdle, given_or_kept
from .choosing import DroppedOnView, FileChooser
from .selection import EachHead
from .showing import HeadMaker

log = logging.getLogger(__package__)

SMOOTHING = tuple(SmoothingOptions.__annotations__)
SAME_SMOOTHING = (
    "Nothing has changed: the keyframes have these values already. Move the Smoothing sliders first"
)
HEAD_REMOVED = "The selected head was removed. Its motion went to another head"

# The stubs of bpy know Blender's own operators only.
blender_operators: Any = bpy.ops


# No REGISTER: it would offer to track the clip again, and to freeze Blender for it, whenever a
# value in "Adjust Last Operation" changes. Smooth Again is for that.
class SYNERGYFACE_OT_animate_from_video(WhenIdle, AnimationOptions, HeadMaker, bpy.types.Operator):
    """Turn the motion of a face in a video into keyframes. Run it again to replace them"""

    bl_idname = "synergyface.animate_from_video"
    bl_label = "Animate from Video"
    bl_options = {"UNDO"}
    job = "video"

    filepath: bpy.props.StringProperty(name="Video", subtype="FILE_PATH", options={"SKIP_SAVE"})
    clip: bpy.props.StringProperty(
        name="Movie Clip",
        description="Movie clip in this .blend file to use instead of a file",
        options={"SKIP_SAVE"},
    )
    image: bpy.props.StringProperty(
        name="Image",
        description="Video or image sequence in this .blend file to use instead of a file",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Begin, with a file from the file handler, or without from a menu."""
        if not (self.filepath or self.clip or self.image):
            blender_operators.synergyface.choose_clip("INVOKE_DEFAULT")
            return {"CANCELLED"}
        return super().invoke(context, event)

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Collect clip, order and connection."""
        self._clip = clip = self._given_clip(context)
        settings: Any = context.scene.synergyface  # type: ignore[attr-defined]
        self.remember(context)
        self._options = options = given_or_kept(self, settings.animation, OPTIONS)
        self._target = target_of(context, self._options)
        self._subdivision = settings.subdivision
        making = making_for(context, settings, clip, self._target)
        order = clip_order(options, clip, int(settings.texture_size), making)
        connection, location = runtime().connection, backend_location(context)
        log.info("Animate from Video: %s, %s", clip.path, order)
        return lambda report: track(connection, location, clip.path, order, report)

    def finish(self, context: bpy.types.Context, value: Tracking) -> None:
        """Write heads, keys and camera into the scene, all at once."""
        tracks = wanted_tracks(value.result, self._options)
        target = None if self._target is None else identity.head_in_use(self._target)
        heads = perform(
            self._workplace.scene(context),
            self._workplace.collection(context),
            self._clip,
            value.model,
            value.result,
            tracks,
            target,
            replace(staging_of(self._options, self._subdivision), in_sight=self.is_watched),
        )
        self.report({"INFO"}, summary(self._clip, tracks) + self.show(context, heads))
        if target is None and self._target is not None:
            self.report({"WARNING"}, HEAD_REMOVED)

    def _given_clip(self, context: bpy.types.Context) -> Clip:
        for name, blocks in ((self.clip, bpy.data.movieclips), (self.image, bpy.data.images)):
            if name:
                block = blocks.get(name)
                if block is None:
                    raise Problem(f"This .blend file has no {name!r}.", "Choose another video.")
                return clip_of_data_block(block, scene_of(context))
        return clip_of_file(self.filepath)


class SYNERGYFACE_OT_choose_clip(FileChooser, bpy.types.Operator):
    """Choose a video, and turn the motion of the face in it into keyframes"""

    bl_idname = "synergyface.choose_clip"
    bl_label = "Animate from Video"
    bl_options = {"INTERNAL"}

    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in FILM_SUFFIXES), options={"HIDDEN", "SKIP_SAVE"}
    )

    def hand_over(self) -> None:
        """To Animate from Video."""
        blender_operators.synergyface.animate_from_video("INVOKE_DEFAULT", filepath=self.filepath)


class SYNERGYFACE_OT_smooth_again(SmoothingOptions, EachHead, bpy.types.Operator):
    """Make the keyframes again from the recording, with the values of the Smoothing sliders"""

    bl_idname = "synergyface.smooth_again"
    bl_label = "Smooth Again"
    bl_options = {"REGISTER", "UNDO"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Take the sliders' values, which can be adjusted afterwards."""
        return self.guard(self._begin, context)

    def run(self, context: bpy.types.Context) -> Outcome:
        """Afterwards the sliders say what was asked for."""
        self._same: list[bool] = []
        outcome = EachHead.run(self, context)
        if outcome == {"FINISHED"}:
            for name, value in self._given().items():
                setattr(_kept(context), name, value)
            if all(self._same):
                self.report({"INFO"}, SAME_SMOOTHING)
        return outcome

    def treat(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Keep what a script does not give as the head's keys were made."""
        style = style_of(present_action(head))
        before = smoothing_values(style)
        wanted: Any = SimpleNamespace(**before | self._given())
        self._same.append(all(isclose(getattr(wanted, n), before[n], abs_tol=1e-6) for n in before))
        animate_again(head, smoothed(style, wanted), frame_rate(scene_of(context)))

    def _begin(self, context: bpy.types.Context) -> Outcome:
        for name in SMOOTHING:
            setattr(self, name, getattr(_kept(context), name))
        return self.run(context)

    def _given(self) -> dict[str, float]:
        operator: Any = self
        given = operator.properties.is_property_set
        return {name: getattr(self, name) for name in SMOOTHING if given(name)}


class SYNERGYFACE_FH_clip(DroppedOnView, bpy.types.FileHandler):
    """Drop a video on the sidebar of the 3D viewport"""

    bl_idname = "SYNERGYFACE_FH_clip"
    bl_label = "Animate from Video"
    bl_import_operator = SYNERGYFACE_OT_animate_from_video.bl_idname
    bl_file_extensions = ";".join(FILM_SUFFIXES)


def _kept(context: bpy.types.Context) -> Any:
    """Return what the panel Animate shows."""
    scene: Any = scene_of(context)
    return scene.synergyface.animation


def target_of(context: bpy.types.Context, options: AnimationOptions) -> int | None:
    """Return number in the session of the selected head, if that is the one to animate.

    Raises
    ------
    Problem
        It cannot be animated: said before minutes of work, not after.
    """
    heads = chosen_heads(context)
    if options.head == "new" or options.faces == "all" or not heads:
        return None
    check_animatable(heads[-1])
    return heads[-1].session_uid


def making_for(context: bpy.types.Context, settings: Any, clip: Clip, target: int | None) -> Making:
    """Return what heads of a clip are made of: as the settings say, and what known ones need."""
    known = [None if target is None else identity.head_in_use(target)]
    known += heads_of_clip(scene_of(context), clip.source)
    return Making.of(settings).enough_for(filter(None, known))


def clip_order(
    options: AnimationOptions, clip: Clip, texture_size: Any, making: Making
) -> ClipOrder:
    """Return what is asked of the backend.

    Raises
    ------
    Problem
        The clip would end before it begins.
    """
    start, end = options.first_second, options.last_second
    if 0 < end <= start:
        raise Problem(
            f"Out ({end:g} s) is not later than In ({start:g} s).",
            "Set Out to a later time, or to 0 for the end of the video.",
        )
    return ClipOrder(
        start=start,
        end=end or None,
        which="largest" if options.faces == "largest" else "all",
        texture_size=texture_size or None,
        frame_rate=clip.frame_rate,
        parts=making.parts,
        keys=making.keys,
    )


def wanted_tracks(result: VideoResult, options: AnimationOptions) -> list[VideoTrack]:
    """Return the faces that are to be animated.

    Raises
    ------
    Problem
        The clip has none of that number.
    """
    if options.faces != "number":
        return list(result.tracks)
    found = [track for track in result.tracks if track.number == options.number]
    if not found:
        numbers = ", ".join(str(track.number) for track in result.tracks)
        raise Problem(
            f"The video has no face with the number {options.number}.",
            f"Choose one of these numbers: {numbers}.",
        )
    return found


def summary(clip: Clip, tracks: list[VideoTrack]) -> str:
    """Return what has been done, for the status bar."""
    frames = len(tracks[0].confidence)
    missing = sum(int((track.confidence == 0).sum()) for track in tracks)
    heads = "1 head" if len(tracks) == 1 else f"{len(tracks)} heads"
    gaps = f", without a face in {missing}" if missing else ""
    return f"{clip.name}: {heads} animated, {frames} frames{gaps}"


CLASSES = (
    SYNERGYFACE_OT_animate_from_video,
    SYNERGYFACE_OT_choose_clip,
    SYNERGYFACE_OT_smooth_again,
    SYNERGYFACE_FH_clip,
)
