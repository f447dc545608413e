"""Custom properties by which the add-on knows its own objects, and which they carry for users.

No Blender object is held from one tick to the next, because Blender may move it: objects are
looked up by these properties, or by their number in the session, whenever they are needed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from ..exchange.contract import FaceResult
from ..motion.amounts import in_order
from ..problems import Problem

PREFIX = "synergyface_"
UUID = PREFIX + "uuid"
SOURCE = PREFIX + "source"
FACE_INDEX = PREFIX + "face_index"
PARAMETERS = PREFIX + "parameters"
ROI_BOX = PREFIX + "roi_box"
YAW, PITCH, ROLL = PREFIX + "yaw", PREFIX + "pitch", PREFIX + "roll"
POSE_QUATERNION = PREFIX + "pose_quaternion"
POSE_SCALE = PREFIX + "pose_scale"
POSE_TRANSLATION = PREFIX + "pose_translation"
IMAGE_SIZE = PREFIX + "image_size"
KEY_UNITS = PREFIX + "key_units"
TEXTURE_MODE = PREFIX + "texture_mode"
# Name of a head's key set; heads from before there were two have none.
KEYS = PREFIX + "keys"
# The photo's expression in standard deviations of the model's ten keys, and in the named ones.
EXPRESSION, AMOUNTS = PREFIX + "expression", PREFIX + "amounts"
# What a data-block is of a head: of an object which part, of a picture or material which one. The
# face, its skin and its texture have none.
PART = PREFIX + "part"

SAME_FACE_OVERLAP = 0.5

Box = Sequence[float]


def new_uuid() -> str:
    """Return a fresh identity for a head and what belongs to it."""
    return uuid.uuid4().hex


def is_head(object: bpy.types.Object | None) -> bool:
    """Whether it is a mesh object that the add-on made, and not just a part beside a face."""
    if object is None or object.type != "MESH":
        return False
    return UUID in object and PART not in object


def is_ours(object: bpy.types.Object | None) -> bool:
    """Whether it is a head that may be changed: neither it nor its mesh is linked."""
    block: Any = object
    return is_head(object) and block.is_editable and block.data.is_editable


def check_editable(head: bpy.types.Object, *others: Any) -> None:
    """Refuse a head that may not be changed, or of which others of its data-blocks may not be.

    Raises
    ------
    Problem
        It is linked from another file.
    """
    if not all(block.is_editable for block in (head, *others)):
        raise Problem(
            f"The head {head.name!r} is linked from another file.",
            "Make it local (Object > Relations > Make Local), and try again.",
        )


def owned(candidates: Iterable[Any], identity: str, part: str | None = None) -> Any | None:
    """Return the first of the data-blocks that belongs to the head, or to that part of it."""
    return next((b for b in candidates if b.get(UUID) == identity and b.get(PART) == part), None)


def of_session(candidates: Iterable[Any], uid: int) -> Any | None:
    """Return the data-block that has a number in this session: the same one, renamed or undone or
    not.
    """
    return next((block for block in candidates if block.session_uid == uid), None)


def head_in_use(uid: int) -> bpy.types.Object | None:
    """Return the head of that number in this session, unless it was removed from every scene."""
    head = of_session(filter(is_head, bpy.data.objects), uid)
    return head if head is not None and head.users_scene else None


def heads_of(objects: Iterable[bpy.types.Object], source: str) -> list[bpy.types.Object]:
    """Heads among `objects` that came from the photo `source`, and may be changed."""
    return [object for object in objects if is_ours(object) and object.get(SOURCE) == source]


@dataclass(frozen=True)
class KnownFace:
    """What is remembered of a face that is already in the scene."""

    uuid: str
    face_index: int
    roi_box: Box


def match_faces(known: Sequence[KnownFace], boxes: Sequence[Box]) -> list[str | None]:
    """For each face's box the head that shows the same face, or None.

    The same face is the one whose box overlaps most: "largest" and "all" count the faces of one
    photo differently. A head left over is taken by the face of its number, so that a photo that
    was replaced by another updates its heads too.
    """
    free = list(known)
    matches: list[str | None] = [None] * len(boxes)
    for rule in (_same_place, _same_number):
        for index, box in enumerate(boxes):
            if matches[index] is not None or not free:
                continue
            best = max(free, key=lambda face: rule(face, index, box))
            if rule(best, index, box) > SAME_FACE_OVERLAP:
                matches[index] = best.uuid
                free.remove(best)
    return matches


def faces_for(known: Sequence[Box], boxes: Sequence[Box]) -> list[int]:
    """For each head the number of its face in another photo, or in its own anew.

    Parameters
    ----------
    known
        Where the heads' own photos show them.
    boxes
        Where the photo shows faces, at least as many, in the same unit.

    Returns
    -------
    The face at the same place; for heads without one the largest of the other faces.
    """
    numbers = {}
    for head, box in enumerate(known):
        free = [number for number in range(len(boxes)) if number not in numbers.values()]
        best = max(free, key=lambda number: overlap(box, boxes[number]))
        if overlap(box, boxes[best]) > SAME_FACE_OVERLAP:
            numbers[head] = best
    for head in range(len(known)):
        free = [number for number in range(len(boxes)) if number not in numbers.values()]
        if head not in numbers:
            numbers[head] = max(free, key=lambda number: _area(boxes[number]))
    return [numbers[head] for head in range(len(known))]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _same_number(face: KnownFace, index: int, box: Box) -> float:
    return float(face.face_index == index)


def _same_place(face: KnownFace, index: int, box: Box) -> float:
    return overlap(face.roi_box, box)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (_area(a) + _area(b) - width * height)


def known_face(head: bpy.types.Object) -> KnownFace:
    """Return what the custom properties of a head say."""
    box = tuple(float(v) for v in head.get(ROI_BOX, (0, 0, 0, 0)))
    return KnownFace(str(head[UUID]), int(head.get(FACE_INDEX, 0)), box)


def write_properties(
    head: bpy.types.Object,
    identity: str,
    source: str,
    face_index: int,
    face: FaceResult,
    image_size: tuple[int, int],
) -> None:
    """Store on the object what the photo said about the face."""
    pose = face.pose
    values: dict[str, Any] = {
        UUID: identity,
        SOURCE: source,
        FACE_INDEX: face_index,
        PARAMETERS: face.parameters.tolist(),
        ROI_BOX: list(face.roi_box),
        EXPRESSION: face.expression.tolist(),
        AMOUNTS: in_order(face.whole.keys.names, face.amounts).tolist() if face.whole else [],
        YAW: pose.yaw,
        PITCH: pose.pitch,
        ROLL: pose.roll,
        POSE_QUATERNION: list(pose.quaternion),
        POSE_SCALE: pose.scale,
        POSE_TRANSLATION: list(pose.translation),
        IMAGE_SIZE: list(image_size),
    }
    for name, value in values.items():
        head[name] = value
