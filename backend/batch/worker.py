"""One process of a batch: the models, loaded once, and what is done to an item with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache

from backend.batch.items import BatchFile, BatchOptions, Outcome, earlier_outcome, record_done
from backend.engines.devices import Device
from backend.errors import BadInputError, NoFaceError, SynergyFaceError
from backend.pipeline import FaceReconstructor
from backend.sandbox.children import warm_child

Tell = Callable[[str], object]

# Of a clip that was cut off: what was found so far.
UNFINISHED = ".partial"

log = logging.getLogger(__name__)


def process_item(item: BatchFile, options: BatchOptions) -> Outcome:
    """Do an item and record it; whatever goes wrong is told in the outcome.

    Doing one twice, even at the same time in two places, does no harm: every file is written whole
    under another name and then takes its place.
    """
    started = time.monotonic()
    earlier = earlier_outcome(item, options)
    if earlier is not None:
        return earlier
    remarks: list[str] = []
    try:
        with item.folder.claimed():
            faces = _write_results(item, options, _reconstructor(options.device), remarks.append)
            seconds = time.monotonic() - started
            outcome = Outcome(item, "done", faces, seconds, " ".join(remarks))
            record_done(outcome, options)
    except SynergyFaceError as error:
        return _failed(item, started, str(error), isinstance(error, BadInputError))
    except Exception as error:
        log.exception("Unexpected error in %s", item.source)
        problem = f"Unexpected error ({type(error).__name__}: {error}); the log has the rest."
        return _failed(item, started, problem, False)
    return outcome


@cache
def _reconstructor(device: Device) -> FaceReconstructor:
    """Load it for the first file of this process."""
    warm_child()
    return FaceReconstructor.load(device)


def _write_results(
    item: BatchFile, options: BatchOptions, reconstructor: FaceReconstructor, tell: Tell
) -> int:
    """Write results; returns the number of faces."""
    write = _write_heads if item.kind == "photo" else _write_animations
    return write(item, options, reconstructor, tell)


def _write_heads(
    item: BatchFile, options: BatchOptions, reconstructor: FaceReconstructor, tell: Tell
) -> int:
    from backend.output.faces import write_faces
    from backend.vision.images import read_image

    image = read_image(item.source)
    faces = reconstructor.faces_from_image(
        image,
        which=options.which,
        texture_size=options.texture_size,
        texture_mode=options.texture_mode,
    )
    with item.folder.filled(tell) as home:
        write_faces(home, faces, image, reconstructor.model, options.preview, item.directory)
    return len(faces)


def _write_animations(
    item: BatchFile, options: BatchOptions, reconstructor: FaceReconstructor, tell: Tell
) -> int:
    from backend.clip_pipeline import ClipRequest, track_from_video
    from backend.output.clip_preview import write_overlay
    from backend.output.clips import write_clip
    from backend.tracking.partial import discard
    from backend.vision.opening import open_clip

    request = ClipRequest(
        item.source,
        which=options.which,
        texture_size=options.texture_size,
        texture_mode=options.texture_mode,
    )
    unfinished = item.directory / UNFINISHED
    try:
        tracked = track_from_video(request, reconstructor, keep=unfinished)
    except NoFaceError:
        discard(unfinished)  # nothing in it is worth going on from
        raise
    with item.folder.filled(tell) as home:
        write_clip(home, tracked, reconstructor.model, shown=item.directory)
        if options.preview:
            clip = open_clip(item.source)
            write_overlay(home / "preview.mp4", clip, tracked, reconstructor.model)
    discard(unfinished)
    return len(tracked.tracks)


def _failed(item: BatchFile, started: float, problem: str, bad_input: bool) -> Outcome:
    seconds = time.monotonic() - started
    return Outcome(item, "failed", 0, seconds, problem, bad_input)
