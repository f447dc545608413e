"""`synergyface demo`: a sample photo, or the user's own, to a textured head with pictures of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import BadInputError, MissingAssetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELP = "turn a sample photo (or your own) into a textured head"
SAMPLE = "astronaut"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", nargs="?", type=Path, help="your photo (default: a sample)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), help="folder to write")


def run(args: argparse.Namespace) -> int:
    from backend.commands import face

    photo = args.photo or _write_sample(args.output)
    parser = argparse.ArgumentParser()
    face.add_arguments(parser)
    order = parser.parse_args(["-o", str(args.output), "--preview", "--", str(photo)])
    results, exit_code = face.reconstruct(order)
    for result in results:
        for record in result["faces"]:
            directory = Path(record["directory"])
            print(directory)
            print(f"Look at {directory / 'preview.png'}")
    return exit_code


def sample_image() -> NDArray[np.uint8]:
    """Return scikit-image's portrait of the astronaut Eileen Collins, a NASA photo, public domain.

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
    """Return the sample as a file; another picture that has its name stays as it is."""
    from PIL import Image

    from backend.data_folder import atomic_path
    from backend.exchange.contract import numbered

    used: set[str] = set()
    while (target := folder / f"{numbered(SAMPLE, used)}.png").exists():
        if _is_sample(target):
            return target
        used.add(target.stem)
    with atomic_path(target) as path:
        Image.fromarray(sample_image()).save(path)
    return target


def _is_sample(path: Path) -> bool:
    import numpy as np

    from backend.vision.images import read_image

    try:
        return np.array_equal(read_image(path), sample_image())
    except BadInputError:
        return False
