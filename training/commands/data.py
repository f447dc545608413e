"""`synergyface data`: make the data that networks are trained from."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from backend.errors import BadInputError

HELP = "make training data from photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    pack = steps.add_parser("pack", help="crop fitted photos and store them as one array")
    pack.add_argument(
        "--photos",
        action="append",
        nargs=2,
        type=Path,
        required=True,
        metavar=("DIR", "FITS"),
        help="folder of images and .npz of their fits (names, boxes, params, lm68_3d); repeatable",
    )
    pack.add_argument(
        "--points",
        action="append",
        nargs=2,
        type=Path,
        default=[],
        metavar=("DIR", "NPZ"),
        help="annotated points (names, pts) of one of the folders; repeatable",
    )
    pack.add_argument(
        "--one-based", action="store_true", help="the annotated points count pixels from 1"
    )
    pack.add_argument(
        "--identity",
        default=r"^(.*)\.[^.]+$",
        help="regular expression whose first group is the person in a file name",
    )
    pack.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    pack.set_defaults(run_step=_pack)

    mean = steps.add_parser("mean-texture", help="average the textures of fitted photos")
    mean.add_argument(
        "--photos",
        action="append",
        nargs=2,
        type=Path,
        required=True,
        metavar=("DIR", "FITS"),
        help="folder of images and .npz of their fits (names, boxes, params); repeatable",
    )
    mean.add_argument("-o", "--output", type=Path, required=True, help="PNG to write")
    mean.set_defaults(run_step=_mean_texture)


def run(args: argparse.Namespace) -> int:
    return args.run_step(args)


def _pack(args: argparse.Namespace) -> int:
    from training.data.fitted_photos import read_fitted_photos
    from training.data.pack import pack

    try:
        pattern = re.compile(args.identity)
    except re.error as error:
        raise BadInputError(f"--identity is not a regular expression: {error}.") from error

    def identity_of(name: str) -> str:
        found = pattern.search(name)
        return found.group(1) if found and found.groups() else name

    points = {folder.resolve(): path for folder, path in args.points}
    sets = [
        read_fitted_photos(folder, fits, points.get(folder.resolve()), identity_of, args.one_based)
        for folder, fits in args.photos
    ]
    count = pack(sets, args.output)
    print(f"{count} faces packed in {args.output}")
    return 0


def _mean_texture(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.data.mean_texture import build_mean_texture, read_fits, write_mean_texture

    photos = [photo for folder, fits in args.photos for photo in read_fits(folder, fits)]
    write_mean_texture(build_mean_texture(load_model(), photos), args.output)
    print(f"mean texture of {len(photos)} photos in {args.output}")
    return 0
