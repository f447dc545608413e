"""`synergyface evaluate`: measure a network, or anyone's predictions, against annotations."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import BadInputError

if TYPE_CHECKING:
    from training.evaluation.annotations import Annotations
    from training.evaluation.predictions import Boxes, Predictions
    from training.evaluation.tables import Table

HELP = "measure a network against annotated photos"

# Where each format's boxes come from, and whether its files count pixels from 1.
DEFAULTS: dict[str, tuple[Boxes, bool]] = {
    "npz": ("detected", False),
    "aflw2000": ("given", True),
    "aflw": ("given", True),
    "300w-lp": ("annotated", True),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    common = [_data_options(), _network_options(), _output_options()]

    def add(name: str, help: str, run: Callable[[argparse.Namespace], int]) -> None:
        tasks.add_parser(name, help=help, description=help, parents=common).set_defaults(
            run_task=run
        )

    add("alignment", "error of the landmarks", _alignment)
    add("orientation", "error of yaw, pitch and roll", _orientation)
    add("identity", "how far the same person's shape varies over photos", _identity)
    add("modelling", "error of all vertices, where params and boxes are known", _modelling)

    help = "heads from rendered views of scans"
    florence = tasks.add_parser("florence", help=help, description=help)
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
    florence.add_argument("--weights", type=Path, help="default: those in use")
    florence.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    florence.add_argument("--json", action="store_true", help="print JSON")
    florence.add_argument("--plots", type=Path, metavar="DIR", help="folder for plots")
    florence.set_defaults(run_task=_florence)

    help = "error on rendered faces of the morphable model; needs no photos"
    synthetic = tasks.add_parser("synthetic", help=help, description=help)
    synthetic.add_argument("-n", type=int, default=200, help="how many faces (default: 200)")
    synthetic.add_argument("--seed", type=int, default=0)
    synthetic.add_argument("--weights", type=Path, help="default: those in use")
    synthetic.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    synthetic.add_argument("--read-back", action="store_true", help="as in alignment")
    synthetic.add_argument(
        "--pictures", type=Path, metavar="DIR", help="write the faces, their truth, a contact sheet"
    )
    synthetic.add_argument("--json", action="store_true", help="print JSON")
    synthetic.set_defaults(run_task=_synthetic)


def run(args: argparse.Namespace) -> int:
    return args.run_task(args)


def _data_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    data = parser.add_argument_group("annotated photos")
    data.add_argument(
        "--images",
        action="append",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of photos; repeatable, each with its own --landmarks",
    )
    data.add_argument(
        "--landmarks",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="npz: names, pts (N,68,2 or 3; 0-based pixels) or lm68_3d, optional boxes, ypr, "
        "params, identities; aflw2000, aflw: the file of 68 points; 300w-lp: none",
    )
    data.add_argument("--format", choices=tuple(DEFAULTS), default="npz")
    data.add_argument(
        "--points", choices=("pts", "lm68_3d"), help="which of an npz's points (default: pts)"
    )
    data.add_argument(
        "--one-based",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the annotations count pixels from 1 (default: all formats but npz)",
    )
    data.add_argument("--list", type=Path, help="aflw2000, aflw: names of the photos in order")
    data.add_argument("--roi-boxes", type=Path, metavar="FILE.npy", help="aflw2000, aflw: boxes")
    data.add_argument(
        "--pose", type=Path, metavar="FILE.npy", help="aflw2000, aflw: yaw, or yaw, pitch, roll"
    )
    data.add_argument(
        "--boxes",
        choices=("detected", "given", "annotated"),
        help="boxes of our own detector, those of the annotations, or around the annotated points "
        "(default: detected for npz, given for aflw2000 and aflw, annotated for 300w-lp)",
    )
    data.add_argument(
        "--identity",
        default=r"^(.*)\.[^.]+$",
        metavar="REGEX",
        help="its first group is the person in a file name",
    )
    data.add_argument(
        "--split",
        choices=("all", "held-out"),
        default="all",
        help="held-out: only people whom the training leaves out",
    )
    data.add_argument(
        "--one-in", type=int, default=10, metavar="N", help="one person in N is held out"
    )
    return parser


def _network_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    network = parser.add_argument_group("what is measured")
    network.add_argument("--weights", type=Path, help="weights to measure (default: those in use)")
    network.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    network.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        metavar="FILE.npz",
        help="measure these in place of the network: names, lm68 (0-based pixels), optional "
        "lm68_coarse, ypr, params, boxes",
    )
    network.add_argument(
        "--peer",
        action="append",
        nargs="+",
        default=[],
        metavar=("NAME", "FILE.npz"),
        help="someone else's predictions in one or more files, to print beside; repeatable",
    )
    network.add_argument(
        "--read-back",
        action="store_true",
        help="also the mesh that the reverse network reads back from the refined landmarks",
    )
    network.add_argument(
        "--save-predictions", type=Path, metavar="FILE.npz", help="write the network's answers"
    )
    return parser


def _output_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--plots", type=Path, metavar="DIR", help="folder for plots")
    return parser


def _alignment(args: argparse.Namespace) -> int:
    from training.evaluation import published
    from training.evaluation.alignment import (
        alignment_notes,
        alignment_report,
        alignment_table,
        measure_alignment,
    )

    annotations, predictions, peers = _measured(args)
    alignment = measure_alignment(annotations, predictions, peers)
    report = alignment_report(alignment)
    beside: list[Table] = []
    if args.format == "aflw":
        beside = [published.TABLE_5]
    elif args.format == "aflw2000":
        reannotated = "reannotated" in args.landmarks[0].name.lower()
        beside = [published.TABLE_S2_REANNOTATED if reannotated else published.TABLE_4]
    _print(args, report, [alignment_table(report), *beside], alignment_notes(report))
    return 0


def _orientation(args: argparse.Namespace) -> int:
    from training.evaluation import published
    from training.evaluation.benchmarks import AFLW2000_ANGLES
    from training.evaluation.orientation import (
        measure_orientation,
        orientation_notes,
        orientation_report,
        orientation_table,
    )

    if args.format == "aflw2000" and args.pose is None and args.landmarks:
        beside = args.landmarks[0].with_name(AFLW2000_ANGLES)
        args.pose = beside if beside.is_file() else None
    annotations, predictions, peers = _measured(args)
    report = orientation_report(measure_orientation(annotations, predictions, peers))
    tables = [orientation_table(report), published.TABLE_8]
    _print(args, report, tables, orientation_notes(report))
    return 0


def _identity(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.evaluation.identity import identity_report, identity_table

    report = identity_report(*_measured(args), load_model())
    note = f"{report['photos']} photos of {report['people']} people"
    _print(args, report, [identity_table(report)], [note])
    return 0


def _modelling(args: argparse.Namespace) -> int:
    from backend.morphable_model.storage import load_model
    from training.evaluation import published
    from training.evaluation.modelling import modelling_report, modelling_table

    annotations, predictions, peers = _measured(args)
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
    from training.evaluation.florence import evaluate_florence, florence_table, read_scans

    scans = read_scans(args.scans, args.unit_mm)
    report = evaluate_florence(load_model(), scans, args.device, args.weights)
    tables = [florence_table(report), published.TABLE_10]
    _print(args, report, tables, [f"{report['scans']} scans"])
    return 0


def _synthetic(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from backend.morphable_model.storage import load_model
    from training.evaluation.alignment import alignment_table
    from training.evaluation.nme import YAW_BINS
    from training.evaluation.orientation import orientation_table
    from training.evaluation.synthetic import measure, views, write_views
    from training.evaluation.tables import Table

    if args.n < 1:
        raise BadInputError("-n must be at least 1.")
    model = load_model()
    drawn = list(tqdm(views(model, args.n, args.seed), total=args.n, unit="face", disable=None))
    if args.pictures is not None:
        write_views(drawn, args.pictures)
    report = measure(model, drawn, args.device, args.weights, args.read_back)
    dense = report["dense"]
    values = [*dense["yaw"].values(), dense["mean_of_bins"], dense["all"]]
    tables = [
        alignment_table(report["alignment"]),
        orientation_table(report["orientation"]),
        Table("dense NME %", (*YAW_BINS, "bins' mean", "all"), (("mesh", values),)),
    ]
    _print(args, report, tables, [f"{args.n} rendered faces, seed {args.seed}"])
    return 0


def _measured(
    args: argparse.Namespace,
) -> tuple[Annotations, Predictions, dict[str, Predictions]]:
    """Annotations, our answers, and the peers'."""
    from backend.morphable_model.storage import load_model
    from training.evaluation.predictions import predict, read_predictions, write_predictions

    annotations = _annotations(args)
    peers = {
        name: read_predictions([Path(file) for file in files], annotations, name)
        for name, *files in args.peer
        if _has_files(name, files)
    }
    if args.predictions is not None:
        return annotations, read_predictions(args.predictions, annotations), peers
    predictions = predict(
        annotations,
        load_model(),
        boxes=args.boxes or DEFAULTS[args.format][0],
        device=args.device,
        weights=args.weights,
        read_back=args.read_back,
    )
    if args.save_predictions is not None:
        write_predictions(predictions, annotations.names, args.save_predictions)
    return annotations, predictions, peers


def _annotations(args: argparse.Namespace) -> Annotations:
    from training.evaluation.annotations import held_out, joined, read_npz
    from training.evaluation.benchmarks import read_300w_lp, read_aflw, read_aflw2000

    identity_of = _identity_of(args.identity)
    one_based = DEFAULTS[args.format][1] if args.one_based is None else args.one_based
    if args.format == "300w-lp":
        sets = [read_300w_lp(folder, identity_of, one_based) for folder in args.images]
    else:
        if len(args.landmarks) != len(args.images):
            raise BadInputError(
                f"There are {len(args.images)} --images and {len(args.landmarks)} --landmarks.",
                "Give one file of landmarks for every folder of images.",
            )
        pairs = zip(args.images, args.landmarks, strict=True)
        if args.format == "npz":
            sets = [read_npz(*pair, identity_of, one_based, args.points) for pair in pairs]
        else:
            read = read_aflw if args.format == "aflw" else read_aflw2000
            sets = [
                read(
                    *pair,
                    image_list=args.list,
                    boxes=args.roi_boxes,
                    pose=args.pose,
                    one_based=one_based,
                )
                for pair in pairs
            ]
    annotations = joined(sets)
    return held_out(annotations, args.one_in) if args.split == "held-out" else annotations


def _has_files(name: str, files: list[str]) -> bool:
    if not files:
        raise BadInputError(f"--peer {name} names no file.", "Write --peer NAME FILE.npz.")
    return True


def _identity_of(expression: str) -> Callable[[str], str]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise BadInputError(f"--identity is not a regular expression: {error}.") from error

    def identity_of(name: str) -> str:
        found = pattern.search(name)
        return found.group(1) if found and found.groups() else name

    return identity_of


def _print(
    args: argparse.Namespace, report: dict[str, Any], tables: list[Table], notes: list[str]
) -> None:
    from training.evaluation.tables import format_table

    if args.json:
        print(json.dumps(report))
        return
    print("\n".join(notes))
    for table in tables:
        print("\n" + format_table(table))
