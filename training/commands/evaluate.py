"""`synergyface evaluate`: measure a network, or anyone's predictions, against annotations."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import BadInputError
from training.commands import evaluate_clip, evaluate_expressions, evaluate_texture
from training.commands.evaluation_inputs import (
    asking_of,
    asking_options,
    data_options,
    measured,
    network_options,
)

if TYPE_CHECKING:
    from training.evaluation.landmarks.predictions import Predictions
    from training.evaluation.tables import Table

HELP = "measure a network against annotated photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")

    def add(
        name: str,
        help: str,
        run: Callable[[argparse.Namespace], int],
        *options: argparse.ArgumentParser,
    ) -> argparse.ArgumentParser:
        task = tasks.add_parser(
            name, help=help, description=help, parents=[*options, _common_options()]
        )
        task.set_defaults(run_task=run)
        return task

    inputs = data_options(), network_options(), asking_options(read_back=True)
    plots = _plot_options()
    alignment = add("alignment", "error of the landmarks", _alignment, *inputs, plots)
    alignment.add_argument(
        "--seen-jaw",
        action="store_true",
        help="for annotations of 2D style, whose far jaw follows the visible outline: beside each "
        "answer, the same with the jaw where the outline of its mesh is seen",
    )
    add("orientation", "error of yaw, pitch and roll", _orientation, *inputs, plots)
    add("identity", "how far the same person's shape varies over photos", _identity, *inputs)
    add("modelling", "error of all vertices against true parameters", _modelling, *inputs)
    florence = add(
        "florence", "heads from rendered views of scans", _florence, asking_options(), plots
    )
    florence.add_argument(
        "--scans",
        type=Path,
        required=True,
        metavar="DIR",
        help="meshes (obj, ply, ...): y up, face along +z, coloured",
    )
    florence.add_argument(
        "--unit-mm", type=float, default=1.0, help="millimetres in one unit of the meshes"
    )
    texture = add("texture", evaluate_texture.HELP, evaluate_texture.run)
    evaluate_texture.add_options(texture)
    clip = add("clip", evaluate_clip.HELP, evaluate_clip.run)
    evaluate_clip.add_options(clip)
    expressions = add("expressions", evaluate_expressions.HELP, evaluate_expressions.run)
    evaluate_expressions.add_options(expressions)
    synthetic = add(
        "synthetic",
        "error on rendered faces; needs no photos",
        _synthetic,
        asking_options(read_back=True),
    )
    synthetic.add_argument("-n", type=int, default=200, help="how many faces (default: 200)")
    synthetic.add_argument("--seed", type=int, default=0)
    synthetic.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="write the faces and their truth, and a contact sheet beside the folder",
    )


def run(args: argparse.Namespace) -> int:
    return args.run_task(args)


def _common_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--weights", type=Path, help="weights to measure (default: those in use)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _plot_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--plots", type=Path, metavar="DIR", help="folder for plots")
    return parser


def _alignment(args: argparse.Namespace) -> int:
    from training.evaluation import published
    from training.evaluation.landmarks.alignment import (
        alignment_notes,
        alignment_report,
        alignment_table,
        measure_alignment,
    )
    from training.evaluation.plots import plot_alignment

    annotations, predictions, peers = measured(args)
    if args.seen_jaw:
        predictions, peers = _with_seen_jaws(predictions, peers)
    alignment = measure_alignment(annotations, predictions, peers)
    report = alignment_report(alignment)
    if args.plots is not None:
        plot_alignment(alignment, args.plots)
    beside: list[Table] = []
    if args.format == "aflw":
        beside = [published.TABLE_5]
    elif args.format == "aflw2000":
        reannotated = "reannotated" in args.landmarks[0].name.lower()
        beside = [published.TABLE_S2_REANNOTATED if reannotated else published.TABLE_4]
    _print(args, report, [alignment_table(report), *beside], alignment_notes(report))
    return 0


def _with_seen_jaws(
    predictions: Predictions, peers: dict[str, Predictions]
) -> tuple[Predictions, dict[str, Predictions]]:
    """The answers, ours and the peers', with rows whose jaw is where the mesh's outline is seen."""
    from backend.morphable_model.storage import load_model
    from training.evaluation.landmarks.seen_jaw import SUFFIX, with_seen_jaw

    model = load_model()
    rows = dict(peers)
    for peer in peers.values():
        landmarks = with_seen_jaw(peer, model).landmarks
        seen = {name: points for name, points in landmarks.items() if name.endswith(SUFFIX)}
        rows |= {name: replace(peer, landmarks={name: points}) for name, points in seen.items()}
    return with_seen_jaw(predictions, model), rows


def _orientation(args: argparse.Namespace) -> int:
    from training.evaluation import published
    from training.evaluation.landmarks.orientation import (
        measure_orientation,
        orientation_notes,
        orientation_report,
        orientation_table,
    )
    from training.evaluation.plots import plot_orientation
    from training.readers.aflw import AFLW2000_ANGLES

    if args.format == "aflw2000" and args.pose is None and args.landmarks:
        beside = args.landmarks[0].with_name(AFLW2000_ANGLES)
        args.pose = beside if beside.is_file() else None
    annotations, predictions, peers = measured(args)
    orientation = measure_orientation(annotations, predictions, peers)
    report = orientation_report(orientation)
    if args.plots is not None:
        plot_orientation(orientation, args.plots)
    tables = [orientation_table(report), published.TABLE_8]
    _print(args, report, tables, orientation_notes(report))
    return 0


def _identity(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.evaluation.landmarks.identity import identity_report, identity_table

    report = identity_report(*measured(args), load_model())
    note = f"{report['photos']} photos of {report['people']} people"
    _print(args, report, [identity_table(report)], [note])
    return 0


def _modelling(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.evaluation import published
    from training.evaluation.landmarks.modelling import modelling_report, modelling_table

    annotations, predictions, peers = measured(args)
    answers = {"": predictions, **peers}
    rows = {
        name or row: (parameters, found.boxes)
        for name, found in answers.items()
        for row, parameters in found.parameters.items()
    }
    if not rows:
        raise BadInputError("The predictions have no parameters.", "They need params and boxes.")
    truth = (annotations.parameters, annotations.boxes)
    report = modelling_report(load_model(), annotations.names, rows, truth)
    tables = [modelling_table(report), published.TABLE_9_PROTOCOL_1, published.TABLE_9_PROTOCOL_2]
    _print(args, report, tables, [f"{report['n']} photos, {report['measured']} measured"])
    return 0


def _florence(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.evaluation import published
    from training.evaluation.landmarks.florence import evaluate_florence, florence_table, read_scans
    from training.evaluation.plots import plot_florence

    scans = read_scans(args.scans, args.unit_mm)
    report = evaluate_florence(load_model(), scans, asking_of(args))
    if args.plots is not None:
        plot_florence(report["by_yaw"], args.plots)
    tables = [florence_table(report), published.TABLE_10]
    _print(args, report, tables, [f"{report['scans']} scans"])
    return 0


def _synthetic(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from backend.morphable_model.storage import load_model
    from training.evaluation.landmarks.alignment import alignment_table
    from training.evaluation.landmarks.nme import YAW_BINS
    from training.evaluation.landmarks.orientation import orientation_table
    from training.evaluation.landmarks.synthetic import measure, views, write_views
    from training.evaluation.tables import Table

    if args.n < 1:
        raise BadInputError("-n must be at least 1.")
    model = load_model()
    drawn = list(tqdm(views(model, args.n, args.seed), total=args.n, unit="face", disable=None))
    if args.pictures is not None:
        write_views(drawn, args.pictures)
    report = measure(model, drawn, asking_of(args))
    dense = report["dense"]
    values = [*dense["yaw"].values(), dense["mean_of_bins"], dense["all"]]
    tables = [
        alignment_table(report["alignment"]),
        orientation_table(report["orientation"]),
        Table("dense NME %", (*YAW_BINS, "bins' mean", "all"), (("mesh", values),)),
    ]
    _print(args, report, tables, [f"{args.n} rendered faces, seed {args.seed}"])
    return 0


def _print(
    args: argparse.Namespace, report: dict[str, Any], tables: list[Table], notes: list[str]
) -> None:
    from training.evaluation.tables import format_table

    if getattr(args, "predictions", None) is None:
        report["answers"] = asking_of(args).manner
        notes = [*notes, f"measured: {report['answers']}"]
    if args.json:
        print(json.dumps(report))
        return
    print("\n".join(notes))
    for table in tables:
        print("\n" + format_table(table))
