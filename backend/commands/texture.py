"""`synergyface texture`: only the textures of the faces in a photo."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.face import MODE_HELP
from backend.contract import DEFAULT_TEXTURE_MODE, TextureMode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELP = "write the texture of a photo's face: albedo, visibility mask, template"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--which", choices=("all", "largest"), default="largest")
    parser.add_argument("--size", type=int, choices=(512, 1024, 2048), default=1024)
    parser.add_argument(
        "--mode", choices=tuple(TextureMode), default=DEFAULT_TEXTURE_MODE, help=MODE_HELP
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--json", action="store_true", help="print the files' paths as JSON")


def run(args: argparse.Namespace) -> int:
    from backend.data_folder import require_writable
    from backend.pipeline import FaceReconstructor
    from backend.vision.images import read_image

    require_writable(args.output)
    reconstructor = FaceReconstructor.load(args.device)
    image = read_image(args.photo)
    faces = reconstructor.faces_from_image(image, which=args.which, texture_size=None)
    written = []
    for index, face in enumerate(faces):
        made = reconstructor.texture_set(image, face.vertices_image, args.size, args.mode)
        stem = args.photo.stem if len(faces) == 1 else f"{args.photo.stem}_{index}"
        written.append(
            {
                name: str(_write(args.output / f"{stem}_{name}.png", getattr(made, name)))
                for name in ("albedo", "visibility", "template")
            }
        )
    _print(written, args.json)
    return 0


def _write(path: Path, picture: NDArray[np.uint8]) -> Path:
    from PIL import Image

    from backend.data_folder import atomic_path

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)
    return path


def _print(written: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(written))
        return
    for paths in written:
        print("\n".join(paths.values()))
