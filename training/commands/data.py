"""`synergyface data`: make the data that networks are trained from."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import BadInputError
from backend.output.overwriting import refuse_overwriting
from training.commands import data_clip, data_fit, data_views

if TYPE_CHECKING:
    from training.data.fitted_photos import FittedPhotos

HELP = "make training data from photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    data_fit.add_steps(steps)
    data_views.add_steps(steps)
    data_clip.add_steps(steps)
    _add_pack(steps)
    _add_index(steps)
    _add_mean_texture(steps)


def run(args: argparse.Namespace) -> int:
    return args.run_step(args)


def _add_pack(steps: argparse._SubParsersAction) -> None:
    pack = steps.add_parser("pack", help="crop fitted photos and store them in shards")
    sets = pack.add_argument_group("what to pack", "any number of sets, in any mixture")
    sets.add_argument(
        "--photos",
        action="append",
        nargs=2,
        type=Path,
        default=[],
        metavar=("DIR", "FITS"),
        help="folder of images and .npz of their fits (names, boxes, params, lm68_3d)",
    )
    sets.add_argument(
        "--set",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        dest="sets",
        help="folder of images with fits.npz in it",
    )
    sets.add_argument(
        "--w300lp",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="folder of 300W-LP, or one of its folders",
    )
    sets.add_argument(
        "--tddfa",
        action="append",
        nargs=3,
        type=Path,
        default=[],
        metavar=("DIR", "LIST", "PARAMS"),
        help="3DDFA's train_aug_120x120, its file list and param_all_norm.pkl",
    )
    pack.add_argument(
        "--whitening", type=Path, metavar="PKL", help="param_whitening.pkl of --tddfa's parameters"
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
        "--one-based", action="store_true", help="the points of --points count pixels from 1"
    )
    pack.add_argument(
        "--identity",
        default=r"^(.*)\.[^.]+$",
        metavar="REGEX",
        help="its first group is the person in a file name",
    )
    data_views.add_keep_outliers(pack)
    pack.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: one for each core)",
    )
    pack.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    pack.set_defaults(run_step=_pack)


def _add_index(steps: argparse._SubParsersAction) -> None:
    index = steps.add_parser("index", help="make the index of a pack again from its shards")
    index.add_argument("folder", type=Path, metavar="DIR", help="folder of shards")
    index.set_defaults(run_step=_index)


def _add_mean_texture(steps: argparse._SubParsersAction) -> None:
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


def _pack(args: argparse.Namespace) -> int:
    from training.data.fitted_photos import outliers_note
    from training.data.pack import pack

    if args.workers < 1:
        raise BadInputError(f"--workers is {args.workers}.", "Give 1 or more.")
    sets = _read_sets(args)
    count = pack(sets, args.output, args.workers)
    print(f"{count} faces packed in {args.output}{outliers_note(sets)}")
    return 0


def _read_sets(args: argparse.Namespace) -> list[FittedPhotos]:
    from training.data.fitted_photos import identity_pattern, read_fitted_photos

    identity_of = identity_pattern(args.identity)
    points = {folder.resolve(): path for folder, path in args.points}
    folders = [*args.photos, *((folder, None) for folder in args.sets)]
    unused = set(points) - {folder.resolve() for folder, _ in folders}
    if unused:
        raise BadInputError(
            f"--points names {unused.pop()}, which is not packed.",
            "Give the folder to --photos or --set too.",
        )
    sets = [
        read_fitted_photos(
            folder,
            fits,
            points.get(folder.resolve()),
            identity_of,
            args.one_based,
            args.keep_outliers,
        )
        for folder, fits in folders
    ]
    if args.w300lp or args.tddfa:
        from backend.morphable_model.storage import load_model
        from training.readers.tddfa import read_tddfa
        from training.readers.w300lp import read_300w_lp

        model = load_model()
        sets += [read_300w_lp(folder, model) for folder in args.w300lp]
        sets += [
            read_tddfa(folder, listed, parameters, model, args.whitening)
            for folder, listed, parameters in args.tddfa
        ]
    return sets


def _index(args: argparse.Namespace) -> int:
    from training.data.shards import INDEX_FILE, build_index, write_index

    index = build_index(args.folder)
    write_index(index, args.folder / INDEX_FILE)
    print(f"{len(index.labels)} faces of {len(index.files)} shards in {args.folder / INDEX_FILE}")
    return 0


def _mean_texture(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.data.mean_texture import build_mean_texture, read_fits, write_mean_texture

    photos = [photo for folder, fits in args.photos for photo in read_fits(folder, fits)]
    inputs = [*(fits for _, fits in args.photos), *(photo.path for photo in photos)]
    refuse_overwriting([args.output], inputs)
    write_mean_texture(build_mean_texture(load_model(), photos), args.output)
    print(f"mean texture of {len(photos)} photos in {args.output}")
    return 0
