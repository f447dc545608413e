"""`synergyface evaluate texture`: what the texture network is worth, and sheets to look at."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import BadInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gan_texture.inference import TextureGenerator
    from training.data.fitted_photos import FittedPhotos
    from training.evaluation.tables import Table
    from training.evaluation.textures.completion import Chart, Completion
    from training.texture_gan.pairs import Pairs

HELP = "textures completed from turned views, on people held out"
OURS = "GAN"
# Of the textures on sheets and in renders.
TEXTURE_SIZE = 512
MOST_ON_SHEET = 8
# What a fair comparison of networks keeps equal.
BUDGET = (
    "model.architecture.source",
    "model.architecture.width",
    "model.discriminator_width",
    "model.weights",
    "model.loss_weights",
    "model.optimiser",
    "model.masked",
    "data.folder",
    "data.batch_size",
    "data.one_in",
    "trainer.max_epochs",
)


def add_options(task: argparse.ArgumentParser) -> None:
    task.add_argument("pairs", type=Path, metavar="PAIRS", help="made by `data unwrap`")
    task.add_argument(
        "--peer",
        action="append",
        nargs=2,
        default=[],
        metavar=("NAME", "FILE"),
        help="another generator's weights, to print beside; repeatable",
    )
    task.add_argument(
        "--one-in", type=int, default=10, metavar="N", help="one person in N is held out"
    )
    task.add_argument("-n", type=int, metavar="N", help="at most so many photos (default: all)")
    renders = task.add_argument_group("renders compared with the photo, and sheets")
    renders.add_argument(
        "--recipe", type=Path, help="the recipe of the pairs, to find their photos again"
    )
    renders.add_argument("--root", type=Path, default=Path(), help="as for `data unwrap`")
    renders.add_argument(
        "--renders", type=int, default=40, metavar="N", help="photos to compare (default: 40)"
    )
    renders.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write report.json and sheets"
    )
    renders.add_argument(
        "--photos",
        type=Path,
        nargs="+",
        default=[],
        metavar="PHOTO",
        help="photos for the sheets (default: scikit-image's astronaut)",
    )
    renders.add_argument(
        "--sheet-set",
        default="london",
        metavar="NAME",
        help="set of the pairs whose held-out people are on the sheets, without their photos "
        "(default: london, which may be shown)",
    )


def run(args: argparse.Namespace) -> int:
    from backend.data_folder import require_writable
    from backend.morphable_model.storage import load_model
    from training.evaluation.textures.completion import Chart, held_out_rows
    from training.texture_gan.pairs import open_pairs

    if args.n is not None and args.n < 1:
        raise BadInputError("-n must be at least 1.")
    if args.output is not None:
        require_writable(args.output)
    pairs = open_pairs(args.pairs)
    rows = held_out_rows(pairs, args.one_in, args.n)
    chart = Chart.of(load_model(), pairs.size)
    generators = _generators(args, pairs.size)
    sets = _sets(args)

    report, tables = _completed(args, pairs, chart, generators, rows)
    if sets:
        report["renders"], table = _rendered(args, pairs, sets, chart)
        tables.append(table)
    report["budget"] = _budget(args)
    if args.output is not None:
        _write_sheets(args, pairs, sets, chart, generators)
        _write_json(report, args.output / "report.json")
    _print(report, tables, args.json)
    return 0


def _budget(args: argparse.Namespace) -> list[str]:
    """What keeps the networks from being compared, by the trainings that their weights lie in."""
    from training.runs import budget_notes, read_run

    if not args.peer:
        return []
    runs, notes = [], []
    for name, path in _weights(args).items():
        try:
            runs.append(read_run(path.parent))
        except BadInputError:
            notes.append(f"How long {name} was trained is not known: {path} is in no training.")
    return notes + budget_notes(runs, BUDGET)


def _weights(args: argparse.Namespace) -> dict[str, Path]:
    """Files of networks by name, ours first."""
    from backend.texture.generator import active_weights

    return {OURS: args.weights or active_weights()} | {n: Path(file) for n, file in args.peer}


def _generators(args: argparse.Namespace, size: int) -> dict[str, TextureGenerator]:
    """Networks by name, ours first, for pictures of a size."""
    from backend.engines.devices import find_torch_device
    from backend.texture.mean_face import read_mean_texture
    from gan_texture.inference import TorchGenerator

    template, device = read_mean_texture(size), find_torch_device(args.device)
    made = {}
    for name, path in _weights(args).items():
        try:
            made[name] = TorchGenerator(path, template, device)
        except ValueError as error:
            raise BadInputError(
                f"{path} holds no texture generator: {error}.",
                "Give a generator.safetensors that `synergyface train texture-gan` wrote.",
            ) from error
    return made


def _sets(args: argparse.Namespace) -> list[FittedPhotos]:
    from dataclasses import replace

    from training.data.recipe import fitted_sets, read_recipe

    if args.recipe is None:
        return []
    # The pairs may have been made with photos that would be left out now.
    sets = [replace(entry, keep_outliers=True) for entry in read_recipe(args.recipe, args.root)]
    return fitted_sets(sets, args.pairs)


def _completed(
    args: argparse.Namespace,
    pairs: Pairs,
    chart: Chart,
    generators: dict[str, TextureGenerator],
    rows: NDArray[np.intp],
) -> tuple[dict[str, Any], list[Table]]:
    from tqdm import tqdm

    from training.evaluation.textures.completion import (
        network_completions,
        simple_completions,
        texture_report,
        texture_tables,
        turned_view,
    )
    from training.evaluation.textures.fitting import fitting_completions

    ways: dict[str, Completion] = simple_completions(chart)
    ways |= fitting_completions(pairs, chart, args.one_in)
    for name, generator in generators.items():
        ways |= network_completions(name, generator)
    bar = tqdm(rows, unit="view", desc="texture", disable=None)
    report = texture_report(ways, chart, (turned_view(pairs, int(row)) for row in bar))
    return report, texture_tables(report)


def _rendered(
    args: argparse.Namespace,
    pairs: Pairs,
    sets: list[FittedPhotos],
    chart: Chart,
) -> tuple[dict[str, Any], Table]:
    from tqdm import tqdm

    from backend.texture.baker import TextureBaker
    from backend.texture.chart import MASK_SIZE
    from training.evaluation.textures.completion import held_out_rows
    from training.evaluation.textures.render import compare_renders, render_report, render_table

    generator = _generators(args, MASK_SIZE)[OURS]
    baker = TextureBaker.load(chart.model, TEXTURE_SIZE, generator)
    chosen = held_out_rows(pairs, args.one_in, args.renders)
    compared = compare_renders(baker, sets, pairs, chosen)
    bar = tqdm(compared, total=len(chosen), unit="photo", desc="renders", disable=None)
    report = render_report(list(bar))
    return report, render_table(report)


def _write_sheets(
    args: argparse.Namespace,
    pairs: Pairs,
    sets: list[FittedPhotos],
    chart: Chart,
    generators: dict[str, TextureGenerator],
) -> None:
    from backend.commands.demo import sample_image
    from backend.pipeline import FaceReconstructor
    from backend.texture.baker import TextureBaker
    from backend.texture.chart import MASK_SIZE
    from backend.vision.images import read_image
    from training.evaluation.textures.completion import held_out_rows
    from training.evaluation.textures.render import photo_of
    from training.evaluation.textures.sheets import (
        head_sheet,
        people_of,
        subject_of_fit,
        subject_of_photo,
        template_sheet,
        texture_sheet,
        widest_views,
    )

    model, full_size = chart.model, _generators(args, MASK_SIZE)
    reconstructor = FaceReconstructor.load(args.device)
    photos = [read_image(path) for path in args.photos] or [sample_image()]
    subjects = [subject_of_photo(reconstructor, photo) for photo in photos]
    shown = people_of(pairs, held_out_rows(pairs, args.one_in), args.sheet_set)
    if sets:
        subjects += [subject_of_fit(model, photo_of(sets, pairs, r)) for r in shown[:MOST_ON_SHEET]]
    baker = TextureBaker.load(model, TEXTURE_SIZE, full_size[OURS])
    _write_png(texture_sheet(baker, subjects), args.output / "textures.png")
    _write_png(head_sheet(baker, subjects), args.output / "heads.png")
    if shown:
        views = widest_views(pairs, shown, MOST_ON_SHEET)
        _write_png(template_sheet(views, generators), args.output / "template.png")


def _write_png(picture: NDArray[np.uint8], path: Path) -> None:
    from PIL import Image

    from backend.data_folder import atomic_path

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)


def _write_json(report: dict[str, Any], path: Path) -> None:
    from backend.data_folder import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1), encoding="utf-8")


def _print(report: dict[str, Any], tables: list[Table], as_json: bool) -> None:
    from training.evaluation.tables import format_table

    if as_json:
        print(json.dumps(report))
        return
    print(f"{report['n']} views of people held out that hide part of the face")
    for note in report["budget"]:
        print(note)
    for table in tables:
        print("\n" + format_table(table))
