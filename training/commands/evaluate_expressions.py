"""`synergyface evaluate expressions`: how much of a performance arrives on the head."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

HELP = "movements of the animated head against MediaPipe's points; needs clips, but no annotations"
DECIMALS = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    from backend.commands.inputs import input_path

    parser.add_argument(
        "clips", nargs="+", type=input_path, metavar="CLIP", help="films with a face in them"
    )
    parser.add_argument(
        "--smooth",
        action="store_true",
        help="measure the smoothed motion (default: the raw one)",
    )


def run(args: argparse.Namespace) -> int:
    from backend.engines.engine import load_engine
    from backend.exchange.smoothing import Strengths
    from backend.morphable_model.storage import load_model
    from backend.pipeline import FaceReconstructor
    from backend.vision.detection import FaceDetector
    from backend.vision.opening import open_clip
    from backend.vision.sources import detector_path
    from training.evaluation.expression_accuracy import described, together
    from training.evaluation.expression_trial import ExpressionTrial
    from training.evaluation.tables import format_table

    # Wrong names, before anything is loaded.
    for clip in args.clips:
        open_clip(clip, None)
    model = load_model()
    engine = load_engine(model, args.device, args.weights)
    path = detector_path()
    reconstructor = FaceReconstructor(model, FaceDetector(path), engine)
    trial = ExpressionTrial(reconstructor, path, Strengths() if args.smooth else None)
    found = {}
    for clip in args.clips:
        print(clip, file=sys.stderr, flush=True)
        found[str(clip)] = trial.agreement(clip)
    whole = together([*found.values()])
    report: dict[str, Any] = {
        "clips": {name: described(agreement) for name, agreement in found.items()},
        "all": described(whole),
    }
    if args.json:
        print(json.dumps(report))
        return 0
    print("\n\n".join(format_table(table, DECIMALS) for table in tables(found, whole)))
    return 0


def tables(found: dict[str, Any], whole: Any) -> list[Any]:
    """Clips with their means, and features over all clips."""
    from training.evaluation.expression_features import FEATURES
    from training.evaluation.tables import Table

    rows = [*found.items(), ("all, by movement", whole)]
    clips = Table(
        "clip",
        ("frames", "correl.", "slope", "shut", "followed"),
        tuple(
            (name, [a.frames, a.correlation.mean(), a.slope.mean(), a.shut, a.followed])
            for name, a in rows
        ),
    )
    measures = Table(
        "feature",
        ("correl.", "slope", "moves"),
        tuple(
            (feature.name, values)
            for feature, *values in zip(
                FEATURES, whole.correlation, whole.slope, whole.movement, strict=True
            )
        ),
    )
    return [clips, measures]
