"""A clip that is drawn, so that all of it is known. Run by the Python that has the backend:

``drawn_clip.py draw FOLDER``: write ``clip.mp4`` with its truth, ``model.bin`` and ``truth.bin``,
the bodies that a backend with a perfect tracker would send; and ``blank.mp4`` without a face.

``drawn_clip.py overlap FOLDER POINTS.npy ROW...``: print, for some rows of the truth, how much the
face drawn there and one with the given vertices overlap: (R, V, 2) image pixels.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SECONDS, WIDTH, HEIGHT = 4.0, 640, 360


def draw(folder: Path) -> None:
    """Write the clip and the bodies."""
    from backend.answers.faces import static_model
    from backend.exchange import contract
    from backend.geometry.camera import blender_from_model
    from backend.geometry.pose import blender_quaternions
    from backend.morphable_model.model import N_SHAPE
    from backend.morphable_model.storage import load_model
    from training.evaluation.clips.file import ClipPlan, draw_clip, write_video

    model = load_model()
    plan = ClipPlan("turn", "29.97", SECONDS, WIDTH, HEIGHT, seed=3)
    truth = draw_clip(plan, model, folder / "clip.mp4")
    [track] = truth.tracks
    neutral = model.mean + np.tensordot(track.alpha_shape, model.basis[:N_SHAPE], 1)
    quaternions = blender_quaternions(track.rotation)
    face = contract.VideoTrack(
        number=0,
        neutral=blender_from_model(neutral).astype(np.float32),
        parameters=track.parameters,
        roi_boxes=track.roi_boxes,
        quaternions=quaternions.astype(np.float32),
        scale=track.scale,
        translation=track.translation,
        expression=track.expression,
        confidence=track.confidence,
        texture_png=np.zeros(0, np.uint8),
    )
    result = contract.VideoResult(
        (face,), truth.times, truth.frames, (WIDTH, HEIGHT), truth.info.frame_rate
    )
    (folder / "truth.bin").write_bytes(contract.encode_video(result))
    (folder / "model.bin").write_bytes(contract.encode_model(static_model(model)))
    grey = np.full((12, HEIGHT, WIDTH, 3), 120, np.uint8)
    write_video(folder / "blank.mp4", grey, np.arange(12) * 3600, WIDTH, HEIGHT)


def overlap(folder: Path, points: Path, rows: list[int]) -> None:
    """Print intersections over unions."""
    from backend.geometry.rasterizer import rasterize
    from backend.morphable_model.storage import load_model
    from training.evaluation.clips.file import truth_path
    from training.evaluation.clips.truth import read_truth

    model = load_model()
    truth = read_truth(truth_path(folder / "clip.mp4"))
    [track] = truth.tracks
    triangles = np.asarray(model.triangles, np.int32)
    for row, seen in zip(rows, np.load(points), strict=True):
        alpha = track.parameters[row, 12:]
        vertices = track.pose(row).apply(model.mean + np.tensordot(alpha, model.basis, 1))
        offset = track.translation[row]
        # The pose is y-up about its origin, the image y-down.
        drawn = (vertices - offset) * [1, -1, 1] + offset
        flat = np.column_stack([seen, np.zeros(len(seen))])
        masks = [
            rasterize(corners.astype(np.float32), triangles, HEIGHT, WIDTH, cull=False).covered
            for corners in (drawn, flat)
        ]
        print(np.logical_and(*masks).sum() / np.logical_or(*masks).sum())


if __name__ == "__main__":
    if sys.argv[1] == "draw":
        draw(Path(sys.argv[2]))
    else:
        overlap(Path(sys.argv[2]), Path(sys.argv[3]), [int(row) for row in sys.argv[4:]])
