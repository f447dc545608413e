"""`synergyface face`: photos to textured heads."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.contract import DEFAULT_TEXTURE_MODE, TextureMode
from backend.errors import BadInputError, SynergyFaceError

if TYPE_CHECKING:
    from backend.pipeline import FaceReconstructor

HELP = "turn photos into textured heads"
MODE_HELP = f"what fills the parts that the photo does not show (default: {DEFAULT_TEXTURE_MODE})"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--which", choices=("all", "largest"), default="all", help="which faces")
    parser.add_argument(
        "--texture-size", type=int, choices=(512, 1024, 2048), default=1024, help="in pixels"
    )
    parser.add_argument(
        "--texture-mode", choices=tuple(TextureMode), default=DEFAULT_TEXTURE_MODE, help=MODE_HELP
    )
    parser.add_argument("--preview", action="store_true", help="also write preview.png")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(args: argparse.Namespace) -> int:
    """Reconstruct every photo; bad ones are reported, and the others done all the same."""
    from tqdm import tqdm

    from backend.data_folder import require_writable
    from backend.pipeline import FaceReconstructor

    _check_names(args.photos)
    require_writable(args.output)
    reconstructor = FaceReconstructor.load(args.device)
    results: list[dict[str, Any]] = []
    failures: list[SynergyFaceError] = []
    for photo in tqdm(args.photos, unit="photo", disable=True if len(args.photos) == 1 else None):
        try:
            results.append(_reconstruct(photo, args, reconstructor))
        except SynergyFaceError as error:
            failures.append(error)
            print(f"synergyface: {photo}: {error}", file=sys.stderr)
    if args.json:
        print(json.dumps(results))
    else:
        for result in results:
            for face in result["faces"]:
                print(face["directory"])
    if not failures:
        return 0
    return 2 if all(isinstance(error, BadInputError) for error in failures) else 1


def _check_names(photos: list[Path]) -> None:
    """Photos of one stem would overwrite each other's results."""
    stems: dict[str, Path] = {}
    for photo in photos:
        other = stems.setdefault(photo.stem, photo)
        if other is not photo:
            raise BadInputError(
                f"{other} and {photo} would both be written to a folder {photo.stem}.",
                "Rename one of them, or give them one at a time with different -o.",
            )


def _reconstruct(
    photo: Path, args: argparse.Namespace, reconstructor: FaceReconstructor
) -> dict[str, Any]:
    from backend.output.faces import write_faces
    from backend.vision.images import read_image

    image = read_image(photo)
    faces = reconstructor.faces_from_image(
        image,
        which=args.which,
        texture_size=args.texture_size,
        texture_mode=args.texture_mode,
    )
    records = write_faces(
        args.output / photo.stem, faces, image, reconstructor.model, preview=args.preview
    )
    return {"source": str(photo), "faces": records}
