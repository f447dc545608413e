"""`synergyface report`: tables of finished trainings."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "make the paper's tables from finished trainings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    reports = parser.add_subparsers(dest="report", required=True, metavar="REPORT")
    help_text = "the ablations, with the paper's figures beside ours"
    ablations = reports.add_parser("ablations", help=help_text, description=help_text)
    ablations.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="run folder (metrics.csv, config.yaml), or a folder of such; several seeds of a row "
        "give mean and spread",
    )
    ablations.add_argument("--json", action="store_true", help="print JSON")
    ablations.set_defaults(run_report=_ablations)


def run(args: argparse.Namespace) -> int:
    return args.run_report(args)


def _ablations(args: argparse.Namespace) -> int:
    from training.ablations import ablation_report, report_tables
    from training.evaluation.tables import format_table
    from training.runs import read_runs

    report = ablation_report(read_runs(args.runs))
    if args.json:
        print(json.dumps(report))
        return 0
    print("\n".join(report["notes"]))
    for table in report_tables(report):
        print("\n" + format_table(table))
    return 0
