"""`synergyface video`: clips to animated heads."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.face import MODE_HELP, tell
from backend.commands.inputs import clip_file, input_path
from backend.engines.devices import DEVICES
from backend.errors import BadInputError, NoFaceError
from backend.output.result_record import Source

if TYPE_CHECKING:
    from backend.clip_pipeline import ClipRequest
    from backend.exchange.smoothing import Strengths
    from backend.output.result_folder import ResultFolder
    from backend.pipeline import FaceReconstructor
    from backend.tracking.track import TrackedClip

HELP = "turn a clip into animated heads"
PARTIAL = ".partial"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from backend.exchange.contract import DEFAULT_TEXTURE_MODE, TextureMode

    parser.add_argument(
        "clip",
        type=input_path,
        metavar="CLIP",
        help="a video; a folder of pictures, or a pattern like shot_%%04d.png, with --fps; "
        "- reads a video from standard input",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="in point")
    parser.add_argument("--end", type=float, default=math.inf, metavar="SECONDS", help="out point")
    parser.add_argument("--fps", type=float, help="frames per second of an image sequence")
    parser.add_argument("--which", choices=("all", "largest"), default="all", help="which faces")
    parser.add_argument(
        "--texture-size", type=int, choices=(0, 512, 1024, 2048), default=1024, help="0: none"
    )
    parser.add_argument(
        "--texture-mode",
        choices=[mode.value for mode in TextureMode],
        default=DEFAULT_TEXTURE_MODE.value,
        help=MODE_HELP,
    )
    parser.add_argument(
        "--smooth",
        type=float,
        nargs="+",
        metavar="STRENGTH",
        help="0 to 1: one for all; three for rotation, position, expression "
        "(default 0.5 0.5 0.2), or seven, with those of lids, gaze, mouth, brows (default 0.3 0.4 "
        "0.3 0.4); track.npz always holds raw values",
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=("npz", "json", "csv", "glb", "livelink"),
        default=["npz", "json", "csv", "glb"],
        help="files of each face (default: all but livelink, a CSV file as Live Link Face writes)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="without MediaPipe's points: lids and eyes do not move",
    )
    parser.add_argument(
        "--neutral",
        type=float,
        metavar="SECONDS",
        help="when the faces are neutral (default: their rest is found)",
    )
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="FILE",
        help="also write this overlay video: .mp4, .mov, .mkv, .webm or .gif",
    )
    parser.add_argument(
        "--no-resume",
        dest="resume",
        action="store_false",
        help="start over instead of continuing an earlier run that was cut off",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(args: argparse.Namespace) -> int:
    """Track the clip and write its faces; what an interrupted run has found is kept."""
    with clip_file(args.clip, args.output) as (clip, source):
        return _run(args, clip, source)


def _run(args: argparse.Namespace, clip: Path, source: Source) -> int:
    from backend.clip_pipeline import ClipRequest
    from backend.output.result_folder import sweep
    from backend.output.result_places import result_folders
    from backend.pipeline import FaceReconstructor
    from backend.tracking.partial import discard
    from backend.vision.clip import Range

    strengths = _strengths(args.smooth)
    if args.neutral is not None and not args.start <= args.neutral <= args.end:
        raise BadInputError(
            f"--neutral {args.neutral:g} lies outside of the part that is tracked.",
            "Give a time between --start and --end.",
        )
    request = ClipRequest(
        clip, Range(args.start, args.end), args.fps, args.which,
        args.texture_size or None, args.texture_mode, args.fast, args.neutral,
    )  # fmt: skip
    # Before the models are loaded: a wrong name should not take seconds.
    _check(request, args)
    (folder,) = result_folders(args.output, [source])
    sweep(args.output)
    with folder.claimed():
        keep = folder.home / PARTIAL
        if not args.resume:
            discard(keep)
        reconstructor = FaceReconstructor.load(args.device)
        tracked, records = _write(request, args, folder, reconstructor, strengths)
        discard(keep)
    for remark in _remarks(tracked):
        tell(f"{args.clip}: {remark}")
    _print(args, tracked, records)
    return 0


def _check(request: ClipRequest, args: argparse.Namespace) -> None:
    """Refuse a clip that cannot be read, and outputs that cannot be written or are inputs."""
    from backend.data_folder import require_room
    from backend.output.film_file import require_film
    from backend.output.overwriting import refuse_overwriting
    from backend.vision.opening import open_clip

    open_clip(request.source, request.frame_rate)
    require_room(args.output)
    if args.preview is not None:
        require_film(args.preview)
        refuse_overwriting([args.preview], _files(request.source))
        if _is_picture_of(args.preview, request.source):
            raise BadInputError(
                f"{args.preview} would become one of the pictures {request.source}.",
                "Name a file in another folder.",
                code="overwrites-input",
            )


def _files(clip: Path) -> list[Path]:
    from backend.vision.image_sequence import is_image_sequence, numbered_pictures

    if is_image_sequence(clip):
        return [picture for _, picture in numbered_pictures(clip)]
    return [clip]


def _is_picture_of(path: Path, clip: Path) -> bool:
    """Whether a file, once it is there, counts as a picture of an image sequence."""
    from backend.exchange.contract import kind_of
    from backend.output.overwriting import same_file
    from backend.vision.image_sequence import is_image_sequence

    folder = clip if clip.is_dir() else clip.parent
    return (
        is_image_sequence(clip) and kind_of(path.name) == "photo" and same_file(path.parent, folder)
    )


def _write(
    request: ClipRequest,
    args: argparse.Namespace,
    folder: ResultFolder,
    reconstructor: FaceReconstructor,
    strengths: Strengths,
) -> tuple[TrackedClip, list[dict[str, Any]]]:
    """Track the clip, and write its faces and the preview."""
    from backend.clip_pipeline import track_from_video
    from backend.output.clips import write_clip
    from backend.tracking.partial import discard

    with _progress_bar() as progress:
        keep = folder.home / PARTIAL
        try:
            tracked = track_from_video(request, reconstructor, keep=keep, progress=progress)
        except NoFaceError:
            discard(keep)  # nothing in it is worth going on from
            raise
        tracked = replace(tracked, info=replace(tracked.info, source=str(args.clip)))
        with folder.filled(tell) as home:
            model = reconstructor.model
            records = write_clip(home, tracked, model, args.format, strengths, folder.home)
        if args.preview is not None:
            _write_preview(args.preview, request, tracked, reconstructor, progress)
    return tracked, records


def _remarks(tracked: TrackedClip) -> Iterator[str]:
    if tracked.skipped:
        one = tracked.skipped == 1
        frames = "1 frame" if one else f"{tracked.skipped} frames"
        yield f"{frames} could not be decoded and {'was' if one else 'were'} left out."
    if tracked.left_out:
        yield (
            f"{tracked.left_out} faces were left out: only the {len(tracked.tracks)} that are "
            "seen best become heads."
        )
    if not any(track.keys.size for track in tracked.tracks):
        yield (
            "The 52 expressions are not on this computer, so the faces have the model's own ten "
            "only. Run `synergyface assets fetch`."
        )


def _strengths(given: list[float] | None) -> Strengths:
    from backend.exchange.smoothing import Strengths

    if given is None:
        return Strengths()
    if len(given) not in (1, 3, 7):
        raise BadInputError(
            f"--smooth has {len(given)} numbers.",
            "Give one strength; or three, for rotation, position and expression; or seven, with "
            "those for lids, gaze, mouth and brows.",
        )
    try:
        return Strengths(*(given * 7 if len(given) == 1 else given))
    except ValueError as error:
        raise BadInputError(str(error), "Give strengths from 0 to 1 to --smooth.") from error


def _write_preview(
    path: Path,
    request: ClipRequest,
    tracked: TrackedClip,
    reconstructor: FaceReconstructor,
    progress: Callable[[float, str], None],
) -> None:
    from backend.output.clip_preview import write_overlay
    from backend.vision.opening import open_clip

    clip = open_clip(request.source, request.frame_rate)
    write_overlay(path, clip, tracked, reconstructor.model, progress)


@contextmanager
def _progress_bar() -> Iterator[Callable[[float, str], None]]:
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, bar_format=layout, disable=None) as bar:

        def progress(share: float, stage: str) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.n = share
            bar.update(0)

        yield progress


def _print(args: argparse.Namespace, tracked: TrackedClip, records: list[dict[str, Any]]) -> None:
    if args.json:
        result = {
            "source": str(args.clip),
            "frames": len(tracked.times),
            "skipped_frames": tracked.skipped,
            "left_out_faces": tracked.left_out,
            "frame_rate": tracked.info.frame_rate,
            "image_size": [tracked.info.width, tracked.info.height],
            "faces": records,
        }
        print(json.dumps(result))
        return
    for record in records:
        print(record["directory"])
