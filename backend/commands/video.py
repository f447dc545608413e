"""`synergyface video`: clips to animated heads."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.face import MODE_HELP
from backend.contract import DEFAULT_TEXTURE_MODE, TextureMode

if TYPE_CHECKING:
    from backend.clip_pipeline import ClipRequest
    from backend.pipeline import FaceReconstructor
    from backend.tracking.track import TrackedClip

HELP = "turn a clip into animated heads"
PARTIAL = ".partial"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clip",
        type=Path,
        metavar="CLIP",
        help="a video; a folder of pictures, or a pattern like shot_%%04d.png, with --fps",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="in point")
    parser.add_argument("--end", type=float, default=math.inf, metavar="SECONDS", help="out point")
    parser.add_argument("--fps", type=float, help="frames a second of an image sequence")
    parser.add_argument("--which", choices=("all", "largest"), default="all", help="which faces")
    parser.add_argument(
        "--texture-size", type=int, choices=(0, 512, 1024, 2048), default=1024, help="0: none"
    )
    parser.add_argument(
        "--texture-mode", choices=tuple(TextureMode), default=DEFAULT_TEXTURE_MODE, help=MODE_HELP
    )
    parser.add_argument(
        "--smooth",
        type=float,
        nargs="+",
        metavar="STRENGTH",
        help="0 to 1: one for all, or three for rotation, position, expression "
        "(default 0.5 0.5 0.2); track.npz always holds raw values",
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=("npz", "json", "csv", "glb"),
        default=["npz", "json", "csv", "glb"],
        help="files of each face",
    )
    parser.add_argument("--preview", type=Path, metavar="MP4", help="also write this overlay video")
    parser.add_argument(
        "--no-resume",
        dest="resume",
        action="store_false",
        help="begin anew where an earlier run was cut off",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(args: argparse.Namespace) -> int:
    """Track the clip and write its faces; what an interrupted run has found is kept."""
    from backend.clip_pipeline import ClipRequest, track_from_video
    from backend.data_folder import require_writable
    from backend.output.clips import write_clip
    from backend.pipeline import FaceReconstructor
    from backend.tracking.partial import discard
    from backend.vision.clip import Range, open_clip

    strengths = _strengths(args.smooth)
    request = ClipRequest(
        args.clip, Range(args.start, args.end), args.fps, args.which,
        args.texture_size or None, args.texture_mode,
    )  # fmt: skip
    # Before the models are loaded: a wrong name should not take seconds.
    open_clip(request.source, request.frame_rate)
    home = args.output / args.clip.stem
    require_writable(args.output)
    keep = home / PARTIAL
    if not args.resume:
        discard(keep)
    reconstructor = FaceReconstructor.load(args.device)
    with _progress_bar() as progress:
        tracked = track_from_video(request, reconstructor, keep=keep, progress=progress)
        records = write_clip(home, tracked, reconstructor.model, args.format, strengths)
        if args.preview is not None:
            _write_preview(args.preview, request, tracked, reconstructor, progress)
    discard(keep)
    for remark in _remarks(tracked):
        print(f"synergyface: {args.clip}: {remark}", file=sys.stderr)
    _print(args, tracked, records)
    return 0


def _remarks(tracked: TrackedClip) -> Iterator[str]:
    if tracked.skipped:
        yield f"{tracked.skipped} frames could not be decoded and were left out."
    if tracked.left_out:
        yield (
            f"{tracked.left_out} faces were left out: only the {len(tracked.tracks)} that are "
            "seen best become heads."
        )


def _strengths(given: list[float] | None) -> Any:
    from backend.errors import BadInputError
    from backend.tracking.smoothing import Strengths

    if given is None:
        return Strengths()
    if len(given) not in (1, 3):
        raise BadInputError(
            f"--smooth has {len(given)} numbers.",
            "Give one strength, or three: for rotation, position and expression.",
        )
    try:
        return Strengths(*(given * 3 if len(given) == 1 else given))
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
    from backend.vision.clip import open_clip

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
