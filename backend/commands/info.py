"""`synergyface info`: the network in use and its size."""

from __future__ import annotations

import argparse
import json

HELP = "show the network in use and its parameter counts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from backend.synergynet.weights import active_weights, parameter_counts, read_architecture

    weights = active_weights()
    architecture, counts = read_architecture(weights), parameter_counts(weights)
    if args.json:
        described = {"weights": str(weights), "architecture": architecture, "parameters": counts}
        print(json.dumps(described))
        return 0
    print(f"weights: {weights}")
    print(f"\nSynergyNet, variant {architecture['variant']}")
    for part, count in counts.items():
        print(f"  {part:<18}{count:>12,}")
    print(f"  {'total':<18}{sum(counts.values()):>12,}")
    return 0
