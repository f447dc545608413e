"""`synergyface bench bulk`: faces a second of many at once, beside the device's limits."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.benchmarks.bulk import BulkSpeed, Limits

HELP = "time batches of faces from pictures to landmarks and dense meshes, beside the limits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=256, help="faces in a batch (default 256)")
    parser.add_argument(
        "--side", type=int, default=256, help="side of the pictures in pixels (default 256)"
    )
    parser.add_argument("--repeat", type=int, default=20, help="batches (default 20)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from backend.errors import BadInputError

    if min(args.batch, args.repeat) < 1 or args.side < 32:
        raise BadInputError(
            f"--batch {args.batch} --repeat {args.repeat} --side {args.side}.",
            "Give at least 1, 1 and 32.",
        )
    from backend.benchmarks.bulk import benchmark_bulk
    from backend.commands.demo import sample_image
    from backend.morphable_model.sources import detector_path
    from backend.vision.detection import FaceDetector

    photo = sample_image()
    with FaceDetector(detector_path()) as detector:
        box = detector.detect(photo)[0].roi_box
    found = benchmark_bulk(photo, box, args.device, args.batch, args.side, args.repeat)
    if args.json:
        print(json.dumps(asdict(found)))
        return 0
    print(f"{found.device}, batches of {args.batch} faces in pictures of {args.side} pixels\n")
    for line in _lines(found):
        print(line)
    return 0


def _lines(found: BulkSpeed) -> list[str]:
    columns = ("faces/s", "way in", "way out", "memory", "arithmetic", "of the limit")
    lines = [" " * 12 + "".join(f"{column:>13}" for column in columns)]
    rows = (
        ("landmarks", found.landmarks, found.landmark_limits),
        ("meshes", found.meshes, found.mesh_limits),
    )
    lines += [_row(name, speed, limits) for name, speed, limits in rows]
    lines += [
        "",
        f"the network takes {found.refinement:.0%} longer with MAFA, {found.reverse:.0%} with the "
        "reverse direction too",
    ]
    return lines


def _row(name: str, speed: float, limits: Limits) -> str:
    figures = (speed, limits.way_in, limits.way_out, limits.memory, limits.arithmetic)
    cells = [f"{'-':>13}" if figure is None else f"{figure:>13,.0f}" for figure in figures]
    return f"{name:<12}" + "".join(cells) + f"{speed / limits.lowest:>13.0%}"
