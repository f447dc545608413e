"""`synergyface face`: photos to textured heads."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.inputs import Photo, input_path, photos_of
from backend.engines.devices import DEVICES
from backend.errors import BadInputError, MissingAssetError, SynergyFaceError

if TYPE_CHECKING:
    from backend.head.dressed import HeadMaker
    from backend.output.result_folder import ResultFolder
    from backend.pipeline import FaceReconstructor

HELP = "turn photos into textured heads"
MODE_HELP = "what fills the parts that the photo does not show (default: %(default)s)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from backend.exchange.contract import DEFAULT_TEXTURE_MODE, TextureMode

    parser.add_argument(
        "photos", nargs="+", type=input_path, metavar="PHOTO", help="- reads standard input"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--which", choices=("all", "largest"), default="all", help="which faces")
    parser.add_argument(
        "--texture-size", type=int, choices=(512, 1024, 2048), default=1024, help="in pixels"
    )
    parser.add_argument(
        "--texture-mode",
        choices=[mode.value for mode in TextureMode],
        default=DEFAULT_TEXTURE_MODE.value,
        help=MODE_HELP,
    )
    parser.add_argument(
        "--parts",
        choices=("head", "face"),
        help="a whole head, with skull, eyes, teeth and named expressions, or the face alone "
        "(default: a head if its data are there)",
    )
    parser.add_argument("--preview", action="store_true", help="also write preview.png")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(args: argparse.Namespace) -> int:
    """Reconstruct every photo; bad ones are reported, and the others done all the same."""
    results, exit_code = reconstruct(args)
    if args.json:
        print(json.dumps(results))
    else:
        for result in results:
            for face in result["faces"]:
                print(face["directory"])
    return exit_code


def reconstruct(args: argparse.Namespace) -> tuple[list[dict[str, Any]], int]:
    """Write the heads of every photo that can be used.

    Returns
    -------
    What was written, as JSON knows it, and the exit code.
    """
    from tqdm import tqdm

    from backend.data_folder import require_room
    from backend.output.result_folder import sweep
    from backend.output.result_places import result_folders
    from backend.pipeline import FaceReconstructor
    from backend.sandbox.children import warm_child

    require_room(args.output)
    photos = photos_of(args.photos)
    folders = result_folders(args.output, [photo.source for photo in photos])
    sweep(args.output)
    warm_child()
    reconstructor = FaceReconstructor.load(args.device)
    maker = _maker(reconstructor, args.parts)
    results: list[dict[str, Any]] = []
    failures: list[SynergyFaceError] = []
    pairs = list(zip(photos, folders, strict=True))
    for photo, folder in tqdm(pairs, unit="photo", disable=True if len(pairs) == 1 else None):
        try:
            results.append(_reconstruct(photo, folder, args, reconstructor, maker))
        except SynergyFaceError as error:
            failures.append(error)
            print(f"synergyface: {photo.path}: {error}", file=sys.stderr)
    if not failures:
        return results, 0
    return results, 2 if all(isinstance(error, BadInputError) for error in failures) else 1


def _reconstruct(
    photo: Photo,
    folder: ResultFolder,
    args: argparse.Namespace,
    reconstructor: FaceReconstructor,
    maker: HeadMaker | None,
) -> dict[str, Any]:
    from backend.output.faces import write_faces

    with folder.claimed():
        image = photo.read()
        faces = reconstructor.faces_from_image(
            image,
            which=args.which,
            texture_size=args.texture_size,
            texture_mode=args.texture_mode,
        )
        for remark in {face.remark for face in faces if face.remark}:
            tell(f"{photo.path}: {remark}")
        with folder.filled(tell) as home:
            records = write_faces(
                home, faces, image, reconstructor.model, args.preview, folder.home, maker
            )
    return {"source": str(photo.path), "faces": records}


def _maker(reconstructor: FaceReconstructor, parts: str | None) -> HeadMaker | None:
    """Return what makes whole heads, unless faces alone are wanted or nothing else can be made."""
    if parts == "face":
        return None
    try:
        return reconstructor.head_maker
    except MissingAssetError as error:
        if parts == "head":
            raise
        tell(f"{error} The face alone is written.")
        return None


def tell(remark: str) -> None:
    """Say something that is no result."""
    print(f"synergyface: {remark}", file=sys.stderr)
