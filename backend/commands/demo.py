"""`synergyface demo`: a sample photo, or the user's own, to a textured head with pictures of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import MissingAssetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELP = "turn a sample photo (or your own) into a textured head"
SAMPLE = "astronaut"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", nargs="?", type=Path, help="your photo (default: a sample)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), help="folder to write")


def run(args: argparse.Namespace) -> int:
    from backend.cli import main

    photo = args.photo or _write_sample(args.output)
    code = main(["face", str(photo), "-o", str(args.output), "--preview"])
    for preview in sorted((args.output / photo.stem).rglob("preview.png")):
        print(f"Look at {preview}")
    return code


def sample_image() -> NDArray[np.uint8]:
    """scikit-image's portrait of the astronaut Eileen Collins, a NASA photo, public domain.

    Raises
    ------
    MissingAssetError
        scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise MissingAssetError(
            "The sample photo comes with scikit-image, which is not installed.",
            "Run `pip install scikit-image`, or name a photo of your own.",
        ) from error
    return data.astronaut()


def _write_sample(folder: Path) -> Path:
    from PIL import Image

    from backend.data_folder import atomic_path

    target = folder / f"{SAMPLE}.png"
    with atomic_path(target) as path:
        Image.fromarray(sample_image()).save(path)
    return target
