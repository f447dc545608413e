"""`synergyface evaluate clip`: track drawn clips and compare with their truth."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from training.commands.data_clip import RATE_HELP, SCENARIO_HELP, add_plan

HELP = "error of tracks on clips that are drawn; needs no footage"
SCENARIOS = ("turn", "still", "gap", "leaving", "edge", "cut", "shots", "crossing")
RATES = ("23.976", "25", "29.97", "60", "variable")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenario",
        nargs="+",
        default=SCENARIOS,
        metavar="NAME",
        help=f"{SCENARIO_HELP} (default: all)",
    )
    parser.add_argument(
        "--rate",
        nargs="+",
        default=RATES,
        metavar="FPS",
        help=f"of turn: {RATE_HELP} (default: all)",
    )
    add_plan(parser)
    parser.add_argument(
        "--smooth",
        nargs=3,
        type=float,
        metavar=("ROTATION", "POSITION", "EXPRESSION"),
        help="strengths, 0 to 1",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="keep clips and truth in this folder"
    )


def run(args: argparse.Namespace) -> int:
    from backend.engines.engine import load_engine
    from backend.errors import BadInputError
    from backend.exchange.smoothing import Strengths
    from backend.morphable_model.storage import load_model
    from backend.pipeline import FaceReconstructor
    from backend.vision.detection import FaceDetector
    from backend.vision.sources import detector_path
    from training.evaluation.clips.file import ClipPlan
    from training.evaluation.clips.report import ClipTrial, clip_tables
    from training.evaluation.tables import format_table

    width, height = args.size
    plan = ClipPlan("turn", "25", args.seconds, width, height, args.seed)
    # Wrong names, before anything is drawn.
    for scenario in args.scenario:
        ClipPlan(scenario)
    for rate in args.rate:
        ClipPlan(rate=rate)
    try:
        strengths = Strengths(*(args.smooth or ()))
    except ValueError as error:
        raise BadInputError(str(error), "Give --smooth three strengths from 0 to 1.") from error
    model = load_model()
    engine = load_engine(model, args.device, args.weights)
    reconstructor = FaceReconstructor(model, FaceDetector(detector_path()), engine)
    kept = tempfile.TemporaryDirectory() if args.output is None else nullcontext(args.output)
    with kept as folder:
        trial = ClipTrial(plan, Path(folder), reconstructor, strengths)
        report = trial.report(
            args.scenario, args.rate, lambda what: print(what, file=sys.stderr, flush=True)
        )
    if args.json:
        print(json.dumps(report))
        return 0
    print("\n\n".join(format_table(table) for table in clip_tables(report)))
    return 0
