"""The installer at a terminal: ``python synergyface-<version>.zip``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from .failures import InstallError
from .install import gather, install, take_folder
from .payload import find_payload
from .places import data_folder, environments_folder
from .plan import BFM_LICENCE, PIP_INDEX, Options, Plan, make_plan

LOG_NAME = "install.log"
EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130

log = logging.getLogger(__package__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, or gather the wheels for a computer without network.

    Returns
    -------
    0 ok, 1 failed, 2 not possible like this, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        plan = _plan(options)
    except InstallError as error:
        return _say(error, EXIT_BAD_INPUT)
    try:
        if options.download:
            gather(plan, options.download, _Terminal())
            return 0
        print("\n".join(plan.lines()))
        if not _agreed(options.accept_bfm_license):
            return _say("The licence was not accepted. Nothing was installed.", EXIT_BAD_INPUT)
        take_folder(plan.data)
        _log_to(environments_folder(plan.data))
        health = install(plan, _Terminal())
    except InstallError as error:
        return _say(error, EXIT_FAILED)
    except KeyboardInterrupt:
        return _say("Cancelled. Start it again to continue.", EXIT_INTERRUPTED)
    print(f"Installed: version {health['version']}, runs on {health['device']}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="synergyface-install",
        description="Install SynergyFace's backend into its own environment.",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="for NVIDIA GPUs (cuda) or for the processor (cpu); default: what this computer has",
    )
    parser.add_argument(
        "--wheels",
        type=Path,
        metavar="DIR",
        help="install all packages from this folder, without network",
    )
    parser.add_argument(
        "--download",
        type=Path,
        metavar="DIR",
        help="only download all packages into this folder, for --wheels on a computer with the "
        "same system and Python",
    )
    parser.add_argument(
        "--torch-index",
        default="",
        metavar="URL",
        help=f"package index for PyTorch; {PIP_INDEX!r} is the one that pip uses",
    )
    parser.add_argument(
        "--python", default="", metavar="PATH", help="Python to create the environment with"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data folder (default: the user's own)"
    )
    parser.add_argument(
        "--accept-bfm-license",
        action="store_true",
        help="accept the Basel Face Model's licence (non-commercial) without a question",
    )
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    chosen = Options(options.device, options.wheels, options.torch_index, options.python)
    return make_plan(chosen, find_payload(), options.data or data_folder())


def _agreed(accepted: bool) -> bool:
    print(f"Basel Face Model: {BFM_LICENCE}", flush=True)
    if accepted:
        return True
    if not sys.stdin.isatty():
        print("Add --accept-bfm-license if you accept it.", file=sys.stderr)
        return False
    return input("Do you accept it? [y/N] ").strip().lower() in ("y", "yes")


def _log_to(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / LOG_NAME, mode="w", encoding="utf-8")
    except OSError as error:
        raise InstallError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)


def _say(error: InstallError | str, code: int) -> int:
    print(f"synergyface-install: {error}", file=sys.stderr)
    return code


class _Terminal:
    """Shows progress: on one line of a terminal, or a line for each step in a pipe."""

    def __init__(self) -> None:
        self._alive = sys.stdout.isatty()
        self._shown = ""

    def __call__(self, fraction: float, stage: str) -> None:
        text = f"{fraction:4.0%}  {stage}"
        if self._alive and text != self._shown:
            end = "\n" if fraction >= 1 else ""
            print(f"\r\x1b[K{text[:100]}", end=end, flush=True)
        elif not self._alive and stage != self._shown[6:]:
            print(text, flush=True)
        self._shown = text
