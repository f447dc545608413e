"""What `synergyface evaluate` measures: its options, and from them annotations and answers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import BadInputError

if TYPE_CHECKING:
    from training.evaluation.landmarks.predictions import Asking, Boxes, Predictions
    from training.readers.annotations import Annotations

# Where each format's boxes come from, and whether its files count pixels from 1.
DEFAULTS: dict[str, tuple[Boxes, bool]] = {
    "npz": ("detected", False),
    "aflw2000": ("given", True),
    "aflw": ("given", True),
    "300w-lp": ("annotated", True),
}


def data_options() -> argparse.ArgumentParser:
    """Options that name annotated photos."""
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


def network_options() -> argparse.ArgumentParser:
    """Options that name whose answers are measured."""
    parser = argparse.ArgumentParser(add_help=False)
    network = parser.add_argument_group("what is measured")
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
        "--save-predictions", type=Path, metavar="FILE.npz", help="write the network's answers"
    )
    return parser


def asking_options(read_back: bool = False) -> argparse.ArgumentParser:
    """Options that say how the network is asked."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--single",
        action="store_true",
        help="the network's single answer (default: as photos are reconstructed, the mean of its "
        "answers to the photo and to its mirror image)",
    )
    if read_back:
        parser.add_argument(
            "--read-back",
            action="store_true",
            help="also the mesh that the reverse network reads back from the refined landmarks",
        )
    return parser


def asking_of(args: argparse.Namespace) -> Asking:
    """How the network is asked, by the options."""
    from training.evaluation.landmarks.predictions import Asking

    return Asking(args.device, args.weights, args.single, getattr(args, "read_back", False))


def measured(
    args: argparse.Namespace,
) -> tuple[Annotations, Predictions, dict[str, Predictions]]:
    """Annotations, our answers, and the peers'."""
    from backend.morphable_model.storage import load_model
    from training.evaluation.landmarks.predictions import (
        predict,
        read_predictions,
        write_predictions,
    )

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
        asking_of(args),
        args.boxes or DEFAULTS[args.format][0],
    )
    if args.save_predictions is not None:
        write_predictions(predictions, annotations.names, args.save_predictions)
    return annotations, predictions, peers


def _annotations(args: argparse.Namespace) -> Annotations:
    from training.data.fitted_photos import identity_pattern
    from training.readers.aflw import read_300w_lp, read_aflw, read_aflw2000
    from training.readers.annotations import held_out, joined, read_npz

    identity_of = identity_pattern(args.identity)
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
