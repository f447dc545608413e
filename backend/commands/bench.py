"""`synergyface bench`: how long a photo takes on this computer; other packages add subjects."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from backend.engines.devices import DEVICES

HELP = "time the stages of a photo on this computer"
SUBJECTS = {
    "video": "backend.commands.bench_video",
    "bulk": "backend.commands.bench_bulk",
}
ENTRY_POINT_GROUP = "synergyface.benches"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeat", type=int, default=20, help="runs of each stage (default 20)")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--mb05", type=Path, metavar="NPZ", help="weights of 3DDFA_V2's mb05")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run_subject=_photo)
    found = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINT_GROUP)}
    subjects = parser.add_subparsers(metavar="SUBJECT", help="something else than a photo")
    for name, module_name in (SUBJECTS | found).items():
        module = import_module(module_name)
        subject = subjects.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(subject)
        subject.set_defaults(run_subject=module.run)


def run(args: argparse.Namespace) -> int:
    return args.run_subject(args)


def _photo(args: argparse.Namespace) -> int:
    from backend.benchmarks.photo import benchmark, ratios
    from backend.commands.demo import sample_image
    from backend.errors import BadInputError

    if args.repeat < 1:
        raise BadInputError(f"--repeat is {args.repeat}.", "Give a number of at least 1.")
    timings = benchmark(sample_image(), args.repeat, args.device, args.mb05)
    if args.json:
        stages = {t.stage: {"median_ms": t.median, "best_ms": t.best} for t in timings}
        print(json.dumps({"stages": stages, "ratios": ratios(timings)}))
        return 0
    print(f"{'stage':<40}{'median':>10}{'best':>10}")
    for timing in timings:
        print(f"{timing.stage:<40}{timing.median:>7.1f} ms{timing.best:>7.1f} ms")
    for pair, ratio in ratios(timings).items():
        print(f"{pair}: {ratio:.1f}")
    return 0
