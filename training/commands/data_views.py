"""Steps of `synergyface data` that render new pictures from fitted photos."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from backend.output.overwriting import refuse_overwriting


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``profile``, ``swap``, ``heads``, ``build``, ``unwrap`` and ``sheet``."""
    profile = steps.add_parser("profile", help="turn the faces of fitted photos out of the plane")
    _add_common(profile)
    profile.add_argument("--views", type=int, default=8, help="pictures per photo (default: 8)")
    profile.add_argument("--largest-yaw", type=float, default=90.0, help="degrees (default: 90)")
    profile.add_argument(
        "--pitch", type=float, default=20.0, help="largest change in degrees (default: 20)"
    )
    profile.set_defaults(run_step=_profile)
    swap = steps.add_parser("swap", help="put one person's face on another's head")
    _add_common(swap)
    swap.add_argument("--views", type=int, default=1, help="pictures per photo (default: 1)")
    _add_one_in(swap)
    swap.set_defaults(run_step=_swap)
    heads = steps.add_parser("heads", help="draw heads with the photos' skin and shape")
    _add_common(heads)
    heads.add_argument("--views", type=int, default=3, help="pictures per photo (default: 3)")
    heads.set_defaults(run_step=_heads)
    build = steps.add_parser("build", help="from photos to shards by a recipe: all steps at once")
    build.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    build.add_argument(
        "--root", type=Path, default=Path(), help="folder that the recipe's paths start from"
    )
    build.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    _add_one_in(build)
    build.add_argument("-o", "--output", type=Path, required=True, help="folder to fill")
    build.set_defaults(run_step=_build)
    _add_unwrap(steps)
    sheet = steps.add_parser("sheet", help="many faces of a set on one picture")
    sheet.add_argument("folder", type=Path, metavar="DIR", help="photos or made pictures")
    sheet.add_argument("--fits", type=Path, metavar="FITS", help="default: DIR/fits.npz")
    sheet.add_argument("-n", type=int, default=48, help="faces (default: 48)")
    sheet.add_argument("--landmarks", action="store_true", help="draw the labels' landmarks")
    sheet.add_argument("-o", "--output", type=Path, required=True, help="PNG or JPEG to write")
    sheet.set_defaults(run_step=_sheet)


def _add_unwrap(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    unwrap = steps.add_parser(
        "unwrap", help="textures of fitted photos, and of turned views of them"
    )
    unwrap.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="as for `build`")
    unwrap.add_argument(
        "--root", type=Path, default=Path(), help="folder that the recipe's paths start from"
    )
    unwrap.add_argument("--views", type=int, default=4, help="of each photo (default: 4)")
    unwrap.add_argument("--size", type=int, default=256, help="texels on a side (default: 256)")
    unwrap.add_argument("--largest-yaw", type=float, default=70.0, help="degrees (default: 70)")
    unwrap.add_argument("--seed", type=int, default=0)
    unwrap.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    unwrap.add_argument("-o", "--output", type=Path, required=True, help="folder to fill")
    unwrap.set_defaults(run_step=_unwrap)


def add_keep_outliers(parser: argparse.ArgumentParser) -> None:
    """Add the switch that photos with bad fits stay."""
    parser.add_argument(
        "--keep-outliers",
        action="store_true",
        help="also photos whose fits `data fit` marked as outliers",
    )


def _add_one_in(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--one-in",
        type=int,
        default=10,
        metavar="N",
        help="one person in N is held out of the training, as its --data.one_in says; their faces "
        "and the others' are not swapped with each other (default: 10)",
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--photos",
        nargs=2,
        type=Path,
        required=True,
        metavar=("DIR", "FITS"),
        help="folder of images and .npz of their fits",
    )
    parser.add_argument(
        "--identity",
        default=r"^(.*)\.[^.]+$",
        help="regular expression whose first group is the person in a file name",
    )
    add_keep_outliers(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to fill")


def _profile(args: argparse.Namespace) -> int:
    from training.data.profiling.views import ProfileRenderer

    renderer = ProfileRenderer(args.views, args.largest_yaw, args.pitch, seed=args.seed)
    return _render(args, renderer, "profile")


def _swap(args: argparse.Namespace) -> int:
    from training.data.face_swap import SwapRenderer

    return _render(args, SwapRenderer(args.views, args.seed, args.one_in), "swap")


def _heads(args: argparse.Namespace) -> int:
    from training.data.drawn_heads import HeadRenderer

    return _render(args, HeadRenderer(args.views, args.seed), "heads")


def _render(args: argparse.Namespace, renderer: object, step: str) -> int:
    from training.data.fitted_photos import (
        FITS_FILE,
        identity_pattern,
        outliers_note,
        read_fitted_photos,
    )
    from training.data.rendered_views import render_views

    refuse_overwriting([args.output, args.output / FITS_FILE], args.photos)
    photos = read_fitted_photos(
        *args.photos,
        identity_of=identity_pattern(args.identity),
        keep_outliers=args.keep_outliers,
    )
    count = render_views(photos, renderer, args.output, step, args.workers)  # pyright: ignore[reportArgumentType]
    print(f"{count} views of {len(photos)} photos in {args.output}{outliers_note([photos])}")
    return 0


def _build(args: argparse.Namespace) -> int:
    from training.data.fitted_photos import outliers_note
    from training.data.pack import pack
    from training.data.recipe import made_sets, read_recipe

    sets = made_sets(read_recipe(args.recipe, args.root), args.output, args.workers, args.one_in)
    count = pack(sets, args.output / "pack", args.workers)
    print(f"{count} faces packed in {args.output / 'pack'}{outliers_note(sets)}")
    return 0


def _unwrap(args: argparse.Namespace) -> int:
    from training.data.fitted_photos import outliers_note
    from training.data.recipe import fitted_sets, read_recipe
    from training.texture_gan.pairs import MADE
    from training.texture_gan.unwrapping import UnwrapSettings, unwrap_photos

    settings = UnwrapSettings(args.size, args.views, args.largest_yaw, seed=args.seed)
    sets = fitted_sets(read_recipe(args.recipe, args.root), args.output)
    pairs = unwrap_photos(sets, settings, args.output, args.workers)
    made = int((pairs.done == MADE).sum())
    print(f"{made} of {len(pairs.done)} photos unwrapped in {args.output}{outliers_note(sets)}")
    return 0


def _sheet(args: argparse.Namespace) -> int:
    from training.data.contact_sheet import contact_sheet, write_contact_sheet
    from training.data.fitted_photos import read_fitted_photos

    photos = read_fitted_photos(args.folder, args.fits, keep_outliers=True)
    refuse_overwriting([args.output], (photos.folder / str(name) for name in photos.names))
    write_contact_sheet(contact_sheet(photos, args.n, landmarks=args.landmarks), args.output)
    print(f"{min(args.n, len(photos))} of {len(photos)} faces in {args.output}")
    return 0
