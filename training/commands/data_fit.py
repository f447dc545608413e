"""`synergyface data annotate`, `fit` and `correspondence`: from photos to fitted photos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from backend.errors import BadInputError
from backend.output.overwriting import refuse_overwriting

# Files that are named on the screen, of those that were left out.
NAMED = 50


def add_steps(steps: argparse._SubParsersAction) -> None:
    """Add the steps to those of `synergyface data`."""
    _add_annotate(steps)
    _add_fit(steps)
    _add_correspondence(steps)


def _add_annotate(steps: argparse._SubParsersAction) -> None:
    annotate = steps.add_parser("annotate", help="find the faces of a folder of photos")
    annotate.add_argument("folder", type=Path, metavar="DIR", help="photos; annotations.npz in it")
    annotate.add_argument("--all", action="store_true", help="every face, not only the largest")
    annotate.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one for each core)"
    )
    annotate.set_defaults(run_step=_annotate)


def _add_fit(steps: argparse._SubParsersAction) -> None:
    fit = steps.add_parser("fit", help="fit the face model to annotated photos")
    fit.add_argument("folder", type=Path, metavar="DIR", help="photos")
    fit.add_argument(
        "--points",
        type=Path,
        metavar="FILE.npz",
        help="names and pts (N, 68, 2) or mp478 (N, 478, 3) (default: DIR/annotations.npz)",
    )
    fit.add_argument("--one-based", action="store_true", help="pts counts pixels from 1")
    fit.add_argument(
        "--to",
        choices=("silhouette", "bone", "mesh"),
        help="what is fitted: pts, whose jaw follows the visible outline or the jaw bone, or the "
        "mesh mp478 (default: mesh if there is one, else silhouette)",
    )
    fit.add_argument(
        "--ridge",
        nargs=2,
        type=float,
        default=(5.0, 2.0),
        metavar=("SHAPE", "EXPRESSION"),
        help="weights of the squared whitened coefficients (default: 5 2)",
    )
    fit.add_argument(
        "--identity",
        default=r"^(.*)\.[^.]+$",
        metavar="REGEX",
        help="its first group is the person in a file name",
    )
    fit.add_argument("-o", "--output", type=Path, help="default: DIR/fits.npz")
    fit.set_defaults(run_step=_fit)


def _add_correspondence(steps: argparse._SubParsersAction) -> None:
    correspondence = steps.add_parser(
        "correspondence", help="register MediaPipe's points on the face model"
    )
    correspondence.add_argument(
        "fits", type=Path, metavar="FITS.npz", help="params, boxes and mp478 of many photos"
    )
    correspondence.add_argument(
        "--limit", type=int, default=1000, metavar="N", help="photos to use (default: 1000)"
    )
    correspondence.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npz")
    correspondence.set_defaults(run_step=_correspondence)


def _annotate(args: argparse.Namespace) -> int:
    from training.data.annotation import ANNOTATIONS_FILE, annotate
    from training.data.manifest import manifest_path, write_manifest

    if args.workers is not None and args.workers < 1:
        raise BadInputError(f"--workers is {args.workers}.", "Give 1 or more.")
    summary = annotate(args.folder, args.all, args.workers)
    faces, skipped = len(summary.annotations.names), summary.annotations.skipped
    if summary.new:
        counts = {"faces": faces, "photos": len(set(summary.annotations.names)), "new": summary.new}
        write_manifest(args.folder / ANNOTATIONS_FILE, "annotate", counts, skipped, all=args.all)
    _name_skipped(skipped, manifest_path(args.folder / ANNOTATIONS_FILE))
    print(
        f"{faces} faces in {args.folder / ANNOTATIONS_FILE}; {summary.new} files were new, "
        f"{len(skipped)} have no face or are no photos"
    )
    return 0


def _fit(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from backend.morphable_model.storage import load_model
    from training.data.annotation import ANNOTATIONS_FILE
    from training.data.fit_photos import fit_photos, read_points
    from training.data.fitted_photos import FITS_FILE, identity_pattern
    from training.data.fitting import FitSettings
    from training.data.manifest import manifest_path, write_manifest

    shape, expression = args.ridge
    if shape < 0 or expression < 0:
        raise BadInputError(f"--ridge is {shape} {expression}.", "Give numbers of at least 0.")
    settings = FitSettings(shape_ridge=shape, expression_ridge=expression)
    points, output = (
        args.points or args.folder / ANNOTATIONS_FILE,
        args.output or args.folder / FITS_FILE,
    )
    _require_arrays_file(output, points)
    file = read_points(points, args.one_based)
    kind = args.to or ("silhouette" if file.mesh is None else "mesh")
    summary = fit_photos(
        load_model(), args.folder, file, output, kind, settings, identity_pattern(args.identity)
    )
    fits = summary.fits
    error, outliers = float(fits.errors.mean()), int(fits.outliers.sum())
    counts = {"faces": len(fits.errors), "outliers": outliers, "skipped": len(summary.skipped)}
    write_manifest(
        output, "fit", counts, summary.skipped, to=kind, mean_error=error, settings=asdict(settings)
    )
    _name_skipped(summary.skipped, manifest_path(output))
    print(
        f"{len(fits.errors)} faces fitted in {output}: mean error {error:.2f} %, {outliers} "
        f"outliers, {len(summary.skipped)} skipped"
    )
    return 0


def _require_arrays_file(output: Path, source: Path) -> None:
    """Refuse the name of an output that NumPy changes, or that is the input's."""
    if output.suffix.lower() != ".npz":
        raise BadInputError(f"{output} does not end in .npz.", "Name a file that does.")
    refuse_overwriting([output], [source])


def _name_skipped(skipped: Mapping[str, str], manifest: Path) -> None:
    """Say what was left out, and why; of many the first, because a file has all."""
    for name, reason in islice(skipped.items(), NAMED):
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if len(skipped) > NAMED:
        print(f"left out: {len(skipped) - NAMED} more; {manifest} names all", file=sys.stderr)


def _correspondence(args: argparse.Namespace) -> int:
    from backend.expressions.points import save_table
    from backend.morphable_model.storage import load_model
    from training.data.arrays import read_arrays
    from training.data.correspondence import register
    from training.data.manifest import write_manifest

    _require_arrays_file(args.output, args.fits)
    arrays = read_arrays(args.fits, ("params", "boxes", "mp478"))
    step = max(1, -(-len(arrays["params"]) // max(1, args.limit)))
    chosen = (arrays[name][::step] for name in ("params", "boxes", "mp478"))
    registration = register(load_model(), *chosen)
    save_table(registration.table, args.output)
    reliable = int(registration.table.reliable.sum())
    counts = {"photos": len(arrays["params"][::step]), "points": 468, "reliable": reliable}
    error = float(registration.errors.mean())
    write_manifest(args.output, "correspondence", counts, mean_error_mm=error)
    print(f"{reliable} of 468 points are reliable, mean error {error:.2f} mm: {args.output}")
    return 0
