"""A batch: the files of a folder one after the other, resumable, with a table of results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from .animation_operators import head_of_uuid, target_of, video_order, wanted_tracks
from .animation_settings import snapshot, staging_of
from .client import BackendError
from .photo_operators import PHOTO_SUFFIXES
from .preferences import backend_location
from .problems import Problem
from .reconstruction import Order, Reconstruction, reconstruct
from .runtime import runtime
from .scene import identity
from .scene.animation import head_of_take
from .scene.build import put_faces
from .scene.clip import FILM_SUFFIXES, clip_of_file
from .scene.performance import perform
from .scene.photo import photo_of_file
from .scene.result_table import DONE, FAILED, Row, read_table, write_table
from .tasks import CancelledError, Reporter, Task
from .tracking import Tracking, track

log = logging.getLogger(__package__)

# From the middle of one head to the next: metres.
SPACING = 0.3


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
        What is done with its result: given the context, the result and the place of new heads in
        the row, in metres; returns the heads.
    """

    path: Path
    work: Callable[[Reporter], Any]
    put: Callable[[bpy.types.Context, Any, float], list[bpy.types.Object]]


class Batch:
    """Files that are still to do, and the rows of those that are done.

    Parameters
    ----------
    context
        The scene's settings say what becomes of photos and films.
    folder
        Of the files. What an earlier batch has done, and the scene still has, is passed over.

    Raises
    ------
    Problem
        The folder cannot be read or has nothing; the selected head cannot be animated.
    """

    def __init__(self, context: bpy.types.Context, folder: Path) -> None:
        self.heads: list[str] = []
        self._rows = read_table()
        items = items_of(context, folder)
        self._total = len(items)
        self._left = [item for item in items if not self._is_done(context.scene, item.path)]
        self._failed = 0

    @property
    def summary(self) -> str:
        """What has been done, for the status bar."""
        done = self._total - len(self._left) - self._failed
        parts = [f"{done} of {self._total} files done"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        return ", ".join(parts)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return not self._left

    def work(self, report: Reporter) -> Any:
        """What the worker does for the next file."""
        item = self._left[0]
        number = self._total - len(self._left) + 1
        return item.work(report.under(f"{number} of {self._total}, {item.path.name}"))

    def settle(self, context: bpy.types.Context, task: Task[Any]) -> None:
        """Put what the task has found into the scene, and a row into the table.

        Raises
        ------
        BackendError
            The backend itself does not work, so no file would.
        CancelledError
            The task was cancelled.
        """
        item = self._left[0]
        place = SPACING * sum(row.heads for row in self._rows.values())
        try:
            heads = item.put(context, task.result(), place)
        except CancelledError:
            raise
        except Exception as error:
            if isinstance(error, BackendError) and runtime().connection.status.state != "ready":
                raise
            self._failed += 1
            row = Row(str(item.path), FAILED, detail=_reason(error))
        else:
            self.heads += [head.name for head in heads]
            row = Row(str(item.path), DONE, len(heads))
        del self._left[0]
        self._rows[row.file] = row
        write_table(self._rows.values())

    def _is_done(self, scene: bpy.types.Scene, path: Path) -> bool:
        row = self._rows.get(str(path))
        return row is not None and row.state == DONE and has_result(scene, path)


def _reason(error: Exception) -> str:
    if isinstance(error, (BackendError, Problem)):
        return str(error)
    log.error("A file of the batch failed", exc_info=error)
    return "A reason that the add-on does not know; Copy Diagnostics holds it."


def items_of(context: bpy.types.Context, folder: Path) -> list[Item]:
    """Photos and films of a folder, by name, with the scene's settings.

    Raises
    ------
    Problem
        The folder cannot be read or has none; the selected head cannot be animated.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise Problem(
            f"The folder {folder} cannot be read: {error.strerror}.", "Choose another folder."
        ) from error
    makers: dict[str, Any] = dict.fromkeys(PHOTO_SUFFIXES, _photo)
    makers |= dict.fromkeys(FILM_SUFFIXES, _film)
    chosen = [(makers.get(path.suffix.lower()), path) for path in files]
    items = [maker(context, path) for maker, path in chosen if maker is not None]
    if not items:
        raise Problem(
            f"There are no photos and no films in {folder}.",
            "Choose the folder that holds the files themselves.",
        )
    return items


def has_result(scene: bpy.types.Scene, path: Path) -> bool:
    """Whether the scene still has what a file gave."""
    source = str(path)
    return bool(identity.heads_of(scene.objects, source)) or any(
        head_of_take(scene, source, action[identity.FACE_INDEX])
        for action in bpy.data.actions
        if action.get(identity.SOURCE) == source
    )


def _photo(context: bpy.types.Context, path: Path) -> Item:
    settings: Any = context.scene.synergyface  # type: ignore[attr-defined]
    photo, subdivision = photo_of_file(str(path)), settings.subdivision
    size: Any = int(settings.texture_size)
    order = Order(settings.which, size, settings.texture_mode)
    connection, location = runtime().connection, backend_location(context)

    def put(
        context: bpy.types.Context, value: Reconstruction, place: float
    ) -> list[bpy.types.Object]:
        objects = context.scene.objects
        known = {head[identity.UUID] for head in identity.heads_of(objects, photo.source)}
        heads = put_faces(
            context.scene,
            context.collection,
            photo.source,
            photo.name,
            value.model,
            value.result,
            subdivision,
        )
        for number, head in enumerate(heads):
            if head[identity.UUID] not in known and head.parent is not None:
                head.parent.location.x = place + number * SPACING
        return heads

    return Item(
        path, lambda report: reconstruct(connection, location, photo.read, order, report), put
    )


def _film(context: bpy.types.Context, path: Path) -> Item:
    settings: Any = context.scene.synergyface  # type: ignore[attr-defined]
    clip, options = clip_of_file(str(path)), snapshot(settings.animation)
    order = video_order(options, clip, int(settings.texture_size))
    target = target_of(context, options)
    # The clips of a folder differ in rate and size: the scene keeps its own.
    staging = replace(
        staging_of(options, settings.subdivision), use_camera=False, use_scene_rate=False
    )
    staging = replace(staging, style=replace(staging.style, matched=False))
    connection, location = runtime().connection, backend_location(context)

    def put(context: bpy.types.Context, value: Tracking, place: float) -> list[bpy.types.Object]:
        return perform(
            context.scene,
            context.collection,
            clip,
            value.model,
            value.result,
            wanted_tracks(value.result, options),
            head_of_uuid(context.scene, target),
            replace(staging, place=place),
        )

    return Item(path, lambda report: track(connection, location, clip.path, order, report), put)
