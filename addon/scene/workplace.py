"""Where a job was started: its result goes there, whatever is open when it ends."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..problems import Problem
from . import identity
from .context_parts import scene_of


@dataclass(frozen=True)
class Workplace:
    """A scene and a collection in it, remembered without holding them.

    Attributes
    ----------
    scene_uid, collection_uid
        Their numbers in this session.
    name
        Of the scene, for people.
    """

    scene_uid: int
    collection_uid: int
    name: str

    def scene(self, context: bpy.types.Context) -> bpy.types.Scene:
        """Return that scene; if it was removed, the open one, so that the result is not lost."""
        return identity.of_session(bpy.data.scenes, self.scene_uid) or scene_of(context)

    def collection(self, context: bpy.types.Context) -> bpy.types.Collection:
        """Return what takes new objects: that collection, or the scene's own."""
        whole = self.scene(context).collection
        parts = (part for part in whole.children_recursive if part.is_editable)
        return identity.of_session(parts, self.collection_uid) or whole

    def words(self, context: bpy.types.Context) -> str:
        """Return an addition to a report: where the result is, unless that is what the user looks
        at.
        """
        scene = self.scene(context)
        if scene.session_uid != self.scene_uid:
            return f", in the scene {scene.name!r} because {self.name!r} was removed"
        return "" if scene == context.scene else f", in the scene {scene.name!r}"


def workplace(context: bpy.types.Context) -> Workplace:
    """Return what is open.

    Raises
    ------
    Problem
        Nothing can be put into the scene: said before minutes of work, not after.
    """
    scene = scene_of(context)
    if not scene.is_editable:
        raise Problem(
            f"The scene {scene.name!r} is linked from another file.",
            "Open a scene of this file, and try again.",
        )
    collection = context.collection or scene.collection
    return Workplace(scene.session_uid, collection.session_uid, scene.name)
