"""`synergyface texture`: only the textures of the faces in a photo."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.face import MODE_HELP, tell
from backend.commands.inputs import Photo, input_path
from backend.engines.devices import DEVICES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.output.result_folder import ResultFolder
    from backend.pipeline import FaceReconstructor

HELP = "write the texture of a photo's face: albedo, visibility mask, template"
PARTS = ("albedo", "visibility", "template")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from backend.exchange.contract import DEFAULT_TEXTURE_MODE, TextureMode

    parser.add_argument("photo", type=input_path, metavar="PHOTO", help="- reads standard input")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--which", choices=("all", "largest"), default="largest")
    parser.add_argument("--size", type=int, choices=(512, 1024, 2048), default=1024)
    parser.add_argument(
        "--mode",
        choices=[mode.value for mode in TextureMode],
        default=DEFAULT_TEXTURE_MODE.value,
        help=MODE_HELP,
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--json", action="store_true", help="print the files' paths as JSON")


def run(args: argparse.Namespace) -> int:
    from backend.data_folder import require_room
    from backend.output.result_folder import sweep
    from backend.output.result_places import shared_folder
    from backend.pipeline import FaceReconstructor
    from backend.sandbox.children import warm_child

    require_room(args.output)
    photo = Photo.of(args.photo)
    folder = shared_folder(args.output, photo.source, tuple(f"{part}.png" for part in PARTS))
    sweep(args.output)
    warm_child()
    reconstructor = FaceReconstructor.load(args.device)
    with folder.claimed():
        _print(_written(photo, folder, args, reconstructor), args.json)
    return 0


def _written(
    photo: Photo, folder: ResultFolder, args: argparse.Namespace, reconstructor: FaceReconstructor
) -> list[dict[str, str]]:
    """Return paths of the pictures of each face, by their parts."""
    image = photo.read()
    faces = reconstructor.faces_from_image(image, which=args.which, texture_size=None)
    written = []
    with folder.filled(tell) as staged:
        for index, face in enumerate(faces):
            made = reconstructor.texture_set(image, face.vertices_image, args.size, args.mode)
            number = "" if len(faces) == 1 else f"{index}_"
            names = {part: f"{folder.prefix}{number}{part}.png" for part in PARTS}
            for part, name in names.items():
                _write(staged / name, getattr(made, part))
            written.append({part: str(folder.home / name) for part, name in names.items()})
    return written


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    from backend.data_folder import atomic_path

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)


def _print(written: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(written))
        return
    for paths in written:
        print("\n".join(paths.values()))
