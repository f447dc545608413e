"""``python -m training.occlusion``: train the network that tells what covers a face."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from backend.errors import SynergyFaceError
from backend.morphable_model.storage import load_model
from backend.pipeline import FaceReconstructor
from backend.texture.covers.finding import SIZE, WEIGHTS
from backend.texture.regions import Regions
from backend.texture.uv_map import UvMap
from training.occlusion.faces import load_faces, places_of, save_faces, unwrap_photos
from training.occlusion.training import CoverTraining, train

PHOTOS = {".jpg", ".jpeg", ".png"}


def main() -> int:
    """Run one of the two steps; returns the exit code."""
    args = _arguments()
    try:
        if args.step == "faces":
            photos = [p for folder in args.folders for p in sorted(folder.rglob("*"))]
            photos = [photo for photo in photos if photo.suffix.lower() in PHOTOS]
            save_faces(unwrap_photos(photos, FaceReconstructor.load("cpu")), args.output)
            return 0
        faces, model = load_faces(args.faces), load_model()
        regions = Regions.of(model, UvMap.of(model, 256), SIZE)
        middle = np.clip(regions.face_core + regions.forehead, 0, 1)
        train(faces, places_of(model), middle, args.output, CoverTraining(steps=args.steps))
    except SynergyFaceError as error:
        print(f"training.occlusion: {error}", file=sys.stderr)
        return 2
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.occlusion", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    faces = steps.add_parser("faces", help="unwrap photos of uncovered faces")
    faces.add_argument("folders", nargs="+", type=Path, help="folders of portraits")
    faces.add_argument("-o", "--output", type=Path, required=True, help="an .npz file")
    training = steps.add_parser("train", help="train on unwrapped faces")
    training.add_argument("faces", type=Path, help="made by `faces`")
    training.add_argument("-o", "--output", type=Path, default=WEIGHTS, help="the weights")
    training.add_argument("--steps", type=int, default=CoverTraining.steps)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
