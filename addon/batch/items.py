"""The files of a batch: what the backend is asked for each, and what is done with its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from ..connection.reconstruction import Reconstruction, reconstruct
from ..connection.tracking import Tracking, track
from ..exchange.contract import kind_of
from ..exchange.orders import PhotoOrder
from ..operators.animation import HEAD_REMOVED, clip_order, target_of, wanted_tracks
from ..preferences import backend_location
from ..problems import Problem
from ..runtime import runtime
from ..scene import identity
from ..scene.build import put_faces
from ..scene.clip import clip_of_file
from ..scene.performance import Staging, perform
from ..scene.photo import photo_of_file
from ..scene.result_table import LEFT_OUT, Row
from ..scene.separate import copied_head
from ..settings.animation import snapshot, staging_of
from ..tasks import Reporter

# Why files are left out.
NO_FILM = "By the ending of its name, it is neither a photo nor a video."
NO_FILE = "It is a broken link, or not a regular file."


@dataclass(frozen=True)
class Stage:
    """Where heads are put.

    Attributes
    ----------
    scene, collection
        Take new objects.
    separate
        Whether the scene is there for this file only: then it is made to fit it.
    in_sight
        As in `places.free_place`.
    """

    scene: bpy.types.Scene
    collection: bpy.types.Collection
    separate: bool = False
    in_sight: bool = False


@dataclass(frozen=True)
class Given:
    """What a file has given: heads, and what is to be said of them."""

    heads: list[bpy.types.Object]
    remark: str = ""


@dataclass(frozen=True)
class Item:
    """One file.

    Attributes
    ----------
    path
        The file.
    work
        What the worker does.
    put
        What is done with its result on a stage.
    """

    path: Path
    work: Callable[[Reporter], Any]
    put: Callable[[Any, Stage], Given]


def items_of(context: bpy.types.Context, folder: Path) -> list[Item]:
    """Photos and films of a folder, by name, with the scene's settings.

    Raises
    ------
    Problem
        The folder cannot be read or has none; the selected head cannot be animated.
    """
    makers = {"photo": _photo, "film": _film}
    chosen = [(kind_of(path.name), path) for path in _entries(folder) if path.is_file()]
    items = [makers[kind](context, path) for kind, path in chosen if kind is not None]
    if not items:
        raise Problem(
            f"The folder {folder} has no photos or videos.",
            "Choose the folder that the files themselves are in.",
        )
    return items


def left_out(folder: Path) -> list[Row]:
    """Rows of what is neither photo nor film in a folder, nor a folder itself.

    Raises
    ------
    Problem
        The folder cannot be read.
    """
    others = (path for path in _entries(folder) if not path.is_dir())
    return [
        Row(str(path), LEFT_OUT, detail=NO_FILM if path.is_file() else NO_FILE)
        for path in others
        if kind_of(path.name) is None or not path.is_file()
    ]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise Problem(
            f"Cannot read the folder {folder}: {error.strerror}.", "Choose another folder."
        ) from error


def _photo(context: bpy.types.Context, path: Path) -> Item:
    settings: Any = context.scene.synergyface  # type: ignore[attr-defined]
    photo, subdivision = photo_of_file(str(path)), settings.subdivision
    size: Any = int(settings.texture_size)
    order = PhotoOrder(settings.which, size, settings.texture_mode)
    connection, location = runtime().connection, backend_location(context)

    def put(value: Reconstruction, stage: Stage) -> Given:
        heads = put_faces(
            stage.scene,
            stage.collection,
            photo.source,
            photo.name,
            value.model,
            value.result,
            subdivision,
            stage.in_sight,
        )
        for head in heads:
            head[identity.TEXTURE_MODE] = order.texture_mode
        return Given(heads)

    return Item(
        path, lambda report: reconstruct(connection, location, photo.read, order, report), put
    )


def _film(context: bpy.types.Context, path: Path) -> Item:
    settings: Any = context.scene.synergyface  # type: ignore[attr-defined]
    clip, options = clip_of_file(str(path)), snapshot(settings.animation)
    order = clip_order(options, clip, int(settings.texture_size))
    target = target_of(context, options)
    staging = staging_of(options, settings.subdivision)
    connection, location = runtime().connection, backend_location(context)

    def put(value: Tracking, stage: Stage) -> Given:
        tracks = wanted_tracks(value.result, options)
        head = None if target is None else identity.head_in_use(target)
        remark = HEAD_REMOVED if head is None and target is not None else ""
        if head is not None and stage.separate:
            head = copied_head(head, stage.collection)
        heads = perform(
            stage.scene,
            stage.collection,
            clip,
            value.model,
            value.result,
            tracks,
            head,
            _fitted(staging, stage),
        )
        return Given(heads, remark)

    return Item(path, lambda report: track(connection, location, clip.path, order, report), put)


def _fitted(staging: Staging, stage: Stage) -> Staging:
    """The staging for one film of many.

    The films of a folder differ in rate and size: a scene that they share keeps its own, and one
    that a film has for itself takes the film's.
    """
    if stage.separate:
        return replace(staging, use_scene_rate=True)
    return replace(
        staging,
        style=replace(staging.style, matched=False),
        use_camera=False,
        use_scene_rate=False,
        in_sight=stage.in_sight,
    )
