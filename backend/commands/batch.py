"""`synergyface batch`: a folder of photos and clips."""

from __future__ import annotations

import argparse
import hashlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.face import MODE_HELP
from backend.engines.devices import DEVICES
from backend.errors import BadInputError

if TYPE_CHECKING:
    from backend.batch.items import BatchOptions, Outcome
    from backend.batch.run import Runner

HELP = "turn a folder of photos and clips into heads and animations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from backend.exchange.contract import DEFAULT_TEXTURE_MODE, TextureMode

    """Declare the command's options."""
    parser.add_argument("input", type=Path, metavar="IN", help="folder of photos and clips")
    parser.add_argument(
        "output", type=Path, metavar="OUT", help="folder for the results; a second run continues"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs", type=int, metavar="N", help="number of processes (default: one per core)"
    )
    where.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="address of a Ray cluster whose computers share IN and OUT; only use it in "
        "networks that you trust",
    )
    parser.add_argument("--which", choices=("all", "largest"), default="all", help="which faces")
    parser.add_argument(
        "--texture-size", type=int, choices=(512, 1024, 2048), default=1024, help="in pixels"
    )
    parser.add_argument(
        "--texture-mode",
        choices=[mode.value for mode in TextureMode],
        default=DEFAULT_TEXTURE_MODE.value,
        help=MODE_HELP,
    )
    parser.add_argument("--preview", action="store_true", help="also draw previews")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def run(args: argparse.Namespace) -> int:
    """Do the items that no earlier run has done; bad ones are told in the table."""
    from tqdm import tqdm

    from backend.batch.items import TABLE, BatchOptions, find_items, find_others
    from backend.batch.run import run_batch
    from backend.batch.table import require_table, row, text_table
    from backend.output.result_folder import sweep

    if args.jobs is not None and args.jobs < 1:
        raise BadInputError(f"--jobs is {args.jobs}.", "Give a number of at least 1.")
    items, others = find_items(args.input, args.output), find_others(args.input, args.output)
    table = args.output / TABLE
    require_table(table)
    sweep(args.output)
    options = BatchOptions(
        args.which,
        args.texture_size,
        args.texture_mode,
        args.preview,
        args.device,
        _weights_in_use(),
    )
    with tqdm(total=len(items), unit="item", disable=None) as bar:
        outcomes = run_batch(
            items,
            options,
            _runner(args, options),
            table,
            watch=lambda outcome: bar.update(),
            others=others,
        )
    print(json.dumps([row(outcome) for outcome in outcomes]) if args.json else text_table(outcomes))
    return _exit_code(outcomes)


def _weights_in_use() -> str:
    """Changes when other weights are imported, so that their batch starts anew."""
    from backend.synergynet import weights as landmarks
    from backend.texture import generator as texture

    digest = hashlib.sha256()
    for path in (landmarks.active_weights(), texture.active_weights()):
        if path.is_file():  # that they are missing is said by who needs them
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _runner(args: argparse.Namespace, options: BatchOptions) -> Runner:
    from backend.batch.worker import process_item

    work = partial(process_item, options=options)
    if args.ray is not None:
        from backend.batch.cluster import run_on_cluster

        on_gpu = options.device == "cuda"
        return partial(run_on_cluster, work=work, address=args.ray, on_gpu=on_gpu)
    from backend.batch.processes import cores, run_in_processes

    return partial(run_in_processes, work=work, jobs=args.jobs or cores())


def _exit_code(outcomes: list[Outcome]) -> int:
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if not failed:
        return 0
    return 2 if all(outcome.bad_input for outcome in failed) else 1
