"""`synergyface sheet`: pictures of whole heads in many expressions, to look at."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.inputs import input_path, photos_of
from backend.engines.devices import DEVICES

if TYPE_CHECKING:
    from backend.commands.inputs import Photo
    from backend.head.dressed import DressedHead
    from backend.pipeline import FaceReconstructor

HELP = "draw heads of photos in several expressions and from all sides on one sheet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "photos", nargs="+", type=input_path, metavar="PHOTO", help="- reads standard input"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    parser.add_argument(
        "--keys", action="store_true", help="draw each of the 52 expressions of the first face"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")


def run(args: argparse.Namespace) -> int:
    """Draw the largest face of each photo."""
    from PIL import Image

    from backend.data_folder import atomic_path, require_room
    from backend.output.whole_picture import keys_sheet, people_sheet
    from backend.pipeline import FaceReconstructor
    from backend.sandbox.children import warm_child

    require_room(args.output.parent)
    photos = photos_of(args.photos)
    warm_child()
    reconstructor = FaceReconstructor.load(args.device)
    if args.keys:
        sheet = keys_sheet(_head(photos[0], reconstructor), reconstructor.model)
    else:
        heads = [_head(photo, reconstructor) for photo in photos]
        sheet = people_sheet(heads, reconstructor.model)
    with atomic_path(args.output) as path:
        Image.fromarray(sheet).save(path, "PNG")
    print(args.output)
    return 0


def _head(photo: Photo, reconstructor: FaceReconstructor) -> DressedHead:
    (face,) = reconstructor.faces_from_image(photo.read(), which="largest")
    return reconstructor.head_maker.of_face(face)
