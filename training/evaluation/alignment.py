"""Alignment: normalised mean error of 68 landmarks over all, over the inner face, by yaw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.engines import Device, load_engine
from backend.errors import BadInputError
from backend.geometry.camera import RoiBox
from backend.geometry.pose import euler_angles
from backend.morphable_model.sources import detector_path
from backend.morphable_model.storage import load_model
from backend.pipeline import Face, FaceReconstructor
from backend.vision.detection import FaceDetector
from backend.vision.images import read_image
from training.evaluation.nme import normalised_mean_error

YAW_BINS = ((0, 30), (30, 60), (60, 90))


@dataclass(frozen=True)
class Annotations:
    """Annotated photos.

    Attributes
    ----------
    folder
        Where the images are.
    names
        (N,) file names.
    points
        (N, 68, 2) float, 0-based image pixels.
    boxes
        (N, 4) roi boxes to use in place of detections, or None.
    """

    folder: Path
    names: NDArray[np.str_]
    points: NDArray[np.floating]
    boxes: NDArray[np.floating] | None


def read_annotations(folder: Path, path: Path, use_boxes: bool) -> Annotations:
    """Read an annotation file.

    Raises
    ------
    BadInputError
        The file lacks an array, shapes disagree, or there is no such folder.
    """
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.", "Give the folder of the images.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            names, points = stored["names"], stored["pts"]
            boxes = stored["boxes"] if use_boxes else None
    except (OSError, KeyError, ValueError) as error:
        needed = "names, pts and boxes" if use_boxes else "names and pts"
        raise BadInputError(f"Cannot use {path}: {error}.", f"It needs {needed}.") from error
    if points.shape[:2] != (len(names), 68) or points.ndim != 3 or points.shape[2] not in (2, 3):
        raise BadInputError(
            f"{path}: pts is {points.shape}, not ({len(names)}, 68, 2 or 3).",
            "Give 68 points in iBUG order for every name.",
        )
    if boxes is not None and boxes.shape != (len(names), 4):
        raise BadInputError(f"{path}: boxes is {boxes.shape}, not ({len(names)}, 4).", "")
    return Annotations(folder, names, points[..., :2], boxes)


def evaluate_alignment(
    annotations: Annotations, device: Device = "auto", weights: Path | None = None
) -> dict[str, Any]:
    """Measure the network on annotated photos.

    Of several detected faces the one counts whose box is nearest to the annotation. Photos in
    which none is detected are listed and left out of the errors.

    Returns
    -------
    ``{"n", "detected", "undetected", "nme": {"refined": {...}, "coarse": {...}}}`` with ``all``,
    ``inner`` and ``yaw`` in percent; None where there is no photo.
    """
    model = load_model()
    engine = load_engine(model, device, weights)
    with FaceDetector(detector_path()) as detector:
        reconstructor = FaceReconstructor(model, detector, engine)
        faces = [
            _face(reconstructor, annotations, index)
            for index in tqdm(range(len(annotations.names)), unit="photo", disable=None)
        ]
    found = [index for index, face in enumerate(faces) if face is not None]
    present = [face for face in faces if face is not None]
    truth = annotations.points[found]
    yaw = np.array([abs(euler_angles(face.pose.rotation)[0]) for face in present])
    refined = np.array([face.landmarks for face in present]).reshape(-1, 68, 3)
    coarse = np.array([face.landmarks_coarse for face in present]).reshape(-1, 68, 3)
    return {
        "n": len(faces),
        "detected": len(present),
        "undetected": [
            str(name) for name, face in zip(annotations.names, faces, strict=True) if face is None
        ],
        "nme": {
            "refined": summarise(refined, truth, yaw),
            "coarse": summarise(coarse, truth, yaw),
        },
    }


def _face(reconstructor: FaceReconstructor, annotations: Annotations, index: int) -> Face | None:
    image = read_image(annotations.folder / str(annotations.names[index]))
    if annotations.boxes is not None:
        box = RoiBox.from_corners(*annotations.boxes[index].astype(float))
    else:
        detections = reconstructor.detect(image)
        if not detections:
            return None
        points = annotations.points[index]
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        boxes = [d.roi_box for d in detections]
        box = min(boxes, key=lambda b: float(np.hypot(*(middle - (b.x, b.y)))))
    return reconstructor.regress(image, [box])[0]


def summarise(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], yaw: NDArray[np.floating]
) -> dict[str, Any]:
    """Mean errors over all points, the inner 51, and all points by absolute yaw in degrees."""
    if not len(truth):
        empty = {f"{low}-{high}": None for low, high in YAW_BINS}
        return {"all": None, "inner": None, "yaw": empty}
    error = normalised_mean_error(predicted, truth, "all")
    bins = {}
    for low, high in YAW_BINS:
        inside = (yaw >= low) & (yaw < high if high < 90 else yaw <= high)
        bins[f"{low}-{high}"] = float(error[inside].mean()) if inside.any() else None
    inner = float(normalised_mean_error(predicted, truth, "inner").mean())
    return {"all": float(error.mean()), "inner": inner, "yaw": bins}


def format_report(report: dict[str, Any]) -> str:
    """The report as a small table."""

    def cell(value: float | None) -> str:
        return "     -" if value is None else f"{value:6.2f}"

    columns = ["all", "inner", *(f"{low}-{high}" for low, high in YAW_BINS)]
    lines = [
        f"{report['n']} photos, {report['detected']} with a detected face",
        "NME %     " + "".join(f"{name:>8}" for name in columns),
    ]
    for kind, values in report["nme"].items():
        row = [values["all"], values["inner"], *values["yaw"].values()]
        lines.append(f"{kind:<10}" + "".join(f"  {cell(value)}" for value in row))
    if report["undetected"]:
        lines.append("not detected: " + ", ".join(report["undetected"]))
    return "\n".join(lines)
