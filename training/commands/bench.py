"""`synergyface bench training`: faces per second of the loader, of the steps, and of both."""

from __future__ import annotations

import argparse
import json

from backend.errors import BadInputError

HELP = "time the training of SynergyNet with a config and a pack"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=40, help="steps to time (default 40)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("config", metavar="CONFIG", help="a config of `synergyface train`")
    parser.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        help="any option of the config, as --data.pack DIR",
    )


def run(args: argparse.Namespace) -> int:
    from training.synergynet.bench import measure

    if args.steps < 1:
        raise BadInputError(f"--steps is {args.steps}.", "Give a number of at least 1.")
    rates = measure(args.config, args.options, args.steps)
    if args.json:
        print(json.dumps([vars(rate) for rate in rates]))
        return 0
    print(f"{'images/s':<24}{'loader':>10}{'step':>10}{'joint':>10}")
    for rate in rates:
        stage = f"{rate.size} px{', refining' if rate.refines else ''}"
        print(f"{stage:<24}{rate.loader:>10.0f}{rate.step:>10.0f}{rate.joint:>10.0f}")
    return 0
