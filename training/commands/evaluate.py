"""`synergyface evaluate`: measure a network against annotations."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "measure a network against annotated photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    alignment = tasks.add_parser("alignment", help="error of the 68 landmarks")
    alignment.add_argument("--images", type=Path, required=True, metavar="DIR")
    alignment.add_argument(
        "--landmarks",
        type=Path,
        required=True,
        metavar="FILE.npz",
        help="arrays names, pts (N,68,2 or 3; 0-based pixels), optional boxes (N,4)",
    )
    alignment.add_argument(
        "--boxes",
        choices=("detected", "given"),
        default="detected",
        help="boxes of our own detector, or those in the file",
    )
    alignment.add_argument(
        "--weights", type=Path, help="weights to measure (default: those in use)"
    )
    alignment.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    alignment.add_argument("--json", action="store_true", help="print JSON")
    alignment.set_defaults(run_task=_alignment)


def run(args: argparse.Namespace) -> int:
    return args.run_task(args)


def _alignment(args: argparse.Namespace) -> int:
    from training.evaluation.alignment import (
        evaluate_alignment,
        format_report,
        read_annotations,
    )

    annotations = read_annotations(args.images, args.landmarks, args.boxes == "given")
    report = evaluate_alignment(annotations, args.device, args.weights)
    print(json.dumps(report) if args.json else format_report(report))
    return 0
