"""`synergyface data clip`: draw a video whose every value is known."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from backend.errors import BadInputError

SCENARIO_HELP = "turn, still, gap, leaving, edge, cut, shots or crossing"
RATE_HELP = "23.976, 25, 29.97, 60 or variable"


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``clip``."""
    clip = steps.add_parser("clip", help="draw a video of moving heads, its truth beside it")
    add_plan(clip)
    clip.add_argument(
        "--scenario", default="turn", metavar="NAME", help=f"{SCENARIO_HELP} (default: turn)"
    )
    clip.add_argument("--rate", default="25", metavar="FPS", help=f"{RATE_HELP} (default: 25)")
    clip.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.mp4")
    clip.set_defaults(run_step=_clip)


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add what all drawn clips have in common."""
    parser.add_argument("--seconds", type=float, default=8.0, help="length (default: 8)")
    parser.add_argument(
        "--size", type=size, default=(1280, 720), metavar="WxH", help="(default: 1280x720)"
    )
    parser.add_argument("--seed", type=int, default=0)


def size(text: str) -> tuple[int, int]:
    """Width and height of ``1280x720``."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 1280x720")
    return int(match[1]), int(match[2])


def _clip(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.evaluation.clips.file import ClipPlan, draw_clip, truth_path

    if args.output.suffix.lower() not in (".mp4", ".mov", ".mkv"):
        raise BadInputError(f"Cannot write {args.output}.", "Name an .mp4, .mov or .mkv file.")
    width, height = args.size
    plan = ClipPlan(args.scenario, args.rate, args.seconds, width, height, args.seed)
    truth = draw_clip(plan, load_model(), args.output)
    print(f"{len(truth.times)} frames in {args.output}, their truth in {truth_path(args.output)}")
    return 0
