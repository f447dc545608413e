"""`synergyface info`: the networks and their sizes."""

from __future__ import annotations

import argparse
import json

HELP = "show the networks and their parameter counts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from backend.synergynet.network import Architecture, SynergyNet, parameter_counts
    from backend.synergynet.weights import active_weights

    weights = active_weights()
    counts = {
        variant: parameter_counts(SynergyNet(Architecture(variant)))
        for variant in ("paper", "official")
    }
    if args.json:
        print(json.dumps({"weights": str(weights), "parameters": counts}))
        return 0
    print(f"weights: {weights}{'' if weights.is_file() else ' (missing)'}")
    for variant, parts in counts.items():
        print(f"\nSynergyNet, variant {variant}")
        for part, count in parts.items():
            print(f"  {part:<18}{count:>12,}")
        print(f"  {'total':<18}{sum(parts.values()):>12,}")
    return 0
