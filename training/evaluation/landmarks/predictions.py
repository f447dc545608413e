"""What is measured: the network's answers for annotated photos, or a file of someone's answers.

A file of predictions is an ``.npz`` with ``names`` (N,), ``lm68`` (N, 68, 2 or 3; 0-based image
pixels), and optionally ``lm68_coarse``, ``ypr`` (N, 3; degrees), ``params`` (N, 62) and ``boxes``
(N, 4), the upright boxes to whose 120x120 crops the parameters refer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.data_folder import atomic_path
from backend.engines.devices import Device
from backend.engines.engine import Engine, load_engine
from backend.errors import BadInputError
from backend.morphable_model.boxes import CROP_SIZE, RoiBox, RoiBoxes
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.synergynet.two_sided import TwoSidedEngine
from backend.vision.crop import crop
from backend.vision.roi import second_look
from training.data.arrays import read_arrays
from training.data.fitted_photos import require_one_face_each
from training.evaluation.landmarks.angles import Convention, angles_of
from training.readers.annotations import Annotations

Array = NDArray[np.floating]
Boxes = Literal["detected", "given", "annotated"]
BoxOf = Callable[[NDArray[np.uint8], int], RoiBox | None]

BATCH = 64
# Rows of the reports: landmarks refined by MAFA, those of the mesh, and those of the mesh that the
# reverse network reads back from the refined ones (alpha_hat, supplement D of the paper).
REFINED, COARSE, READ_BACK = "refined", "coarse", "read-back"


@dataclass(frozen=True)
class Predictions:
    """Answers for N photos, in the order of their annotations. NaN where there is none.

    Attributes
    ----------
    landmarks
        By row of the report, (N, 68, 2 or 3) image frame.
    parameters
        By row, (N, 62) in the crop frame of `boxes`.
    boxes
        (N, 4) x0, y0, x1, y1 in image pixels.
    ypr
        (N, 3) angles in degrees that came without parameters.
    """

    landmarks: dict[str, Array]
    parameters: dict[str, Array]
    boxes: Array
    ypr: Array

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N,), which photos have an answer."""
        first = next(iter(self.landmarks.values()))
        return np.asarray(np.isfinite(first[..., :2]).all(axis=(1, 2)))

    def angles(self, row: str, convention: Convention = "exact") -> Array:
        """(N, 3) yaw, pitch, roll in degrees, of the parameters if there are any."""
        if row in self.parameters:
            return angles_of(self.parameters[row], convention)
        return self.ypr

    @property
    def best_angles(self) -> Array:
        """(N, 3) exact angles of the first row."""
        return self.angles(next(iter(self.parameters), ""))


@dataclass(frozen=True)
class Asking:
    """Which network is asked, and how.

    Attributes
    ----------
    device
        Where it runs.
    weights
        None: those in use.
    single
        Of each crop alone. Else as the backend asks about photos: of the crop and of its mirror
        image, and the two answers are averaged.
    read_back
        Also for the reverse network's answer.
    """

    device: Device = "auto"
    weights: Path | None = None
    single: bool = False
    read_back: bool = False

    @property
    def manner(self) -> str:
        """What a report says of it."""
        if self.single:
            return "the network's single answer to each photo"
        return "mean of the network's answers to each photo and to its mirror image"

    def engine(self, model: MorphableModel) -> Engine | TwoSidedEngine:
        """What answers."""
        engine = load_engine(model, self.device, self.weights)
        return engine if self.single else TwoSidedEngine(engine, model)


def predict(
    annotations: Annotations,
    model: MorphableModel,
    asking: Asking,
    boxes: Boxes = "detected",
) -> Predictions:
    """Ask the network about annotated photos.

    Parameters
    ----------
    asking
        Which network, and how.
    boxes
        Where it looks: at what our own detector finds (of several faces, the one nearest to the
        annotation), at the boxes that come with the annotations, or at the box around the
        annotated points by the training's convention.
    """
    from backend.vision.images import read_image

    with ExitStack() as stack:
        box_of = _box_source(annotations, boxes, asking.engine(model), stack)
        chosen: dict[int, RoiBox] = {}
        crops: list[NDArray[np.uint8]] = []
        for index in tqdm(range(len(annotations)), unit="photo", disable=None):
            image = read_image(annotations.images[index])
            box = box_of(image, index)
            if box is not None:
                chosen[index] = box
                crops.append(_crop(image, box, annotations.may_be_crops))
    answers = answer(crops, list(chosen.values()), model, asking)
    return _spread(answers, np.array(list(chosen), np.intp), len(annotations))


def answer(
    crops: list[NDArray[np.uint8]],
    boxes: list[RoiBox],
    model: MorphableModel,
    asking: Asking,
) -> Predictions:
    """Ask the network about crops of 120x120 pixels that show the content of boxes."""
    engine = asking.engine(model)
    outputs = [engine.run(np.stack(crops[i : i + BATCH])) for i in range(0, len(crops), BATCH)]
    in_crop = {
        REFINED: np.concatenate([o.refined for o in outputs] or [np.empty((0, 68, 3))]),
        COARSE: np.concatenate([o.coarse for o in outputs] or [np.empty((0, 68, 3))]),
    }
    parameters = {COARSE: np.concatenate([o.parameters for o in outputs] or [np.empty((0, 62))])}
    if asking.read_back and outputs:
        parameters[READ_BACK], in_crop[READ_BACK] = _read_back(
            in_crop[REFINED], model, asking.weights
        )
    where = RoiBoxes.of(boxes)
    return Predictions(
        landmarks={
            row: np.asarray(where.to_image(points), np.float64) for row, points in in_crop.items()
        },
        parameters={
            row: FaceParameters(values).upright(where).numbers for row, values in parameters.items()
        },
        boxes=where.corners,
        ypr=np.full((len(boxes), 3), np.nan),
    )


def read_predictions(
    paths: list[Path], annotations: Annotations, row: str = REFINED
) -> Predictions:
    """Read someone's answers for annotated photos, found by name.

    Parameters
    ----------
    paths
        One file, or several with the same arrays.
    row
        What the report calls ``lm68``; ``lm68_coarse`` is read only beside `REFINED`.

    Raises
    ------
    BadInputError
        A file lacks an array, shapes disagree, or none of the photos is named.
    """
    arrays = _prediction_arrays(paths)
    require_one_face_each(paths[0], arrays["names"], annotations.names)
    where = {str(name): index for index, name in enumerate(arrays["names"])}
    rows = np.array([where.get(str(name), -1) for name in annotations.names])
    if (rows < 0).all():
        raise BadInputError(
            f"{paths[0]} has no prediction for any of the photos.",
            "Its names must be the file names of the images.",
        )

    def found(name: str, *shape: int) -> Array:
        if name not in arrays:
            return np.full((len(rows), *shape), np.nan)
        values = arrays[name].astype(np.float64)[rows]
        values[rows < 0] = np.nan
        return values

    landmarks = {row: found("lm68")}
    if row == REFINED and "lm68_coarse" in arrays:
        landmarks[COARSE] = found("lm68_coarse")
    parameters = {}
    if "params" in arrays:
        parameters = {COARSE if row == REFINED else row: found("params")}
    return Predictions(landmarks, parameters, found("boxes", 4), found("ypr", 3))


def _prediction_arrays(paths: list[Path]) -> dict[str, NDArray]:
    """The arrays that all files have, one file after the other."""
    files = []
    for path in paths:
        arrays = read_arrays(path, ("names", "lm68"))
        n = len(arrays["names"])
        shapes = {"lm68": (n, 68), "params": (n, 62), "ypr": (n, 3), "boxes": (n, 4)}
        for name, shape in shapes.items():
            if name in arrays and arrays[name].shape[:2] != shape:
                raise BadInputError(f"{path}: {name} is {arrays[name].shape}, not {shape}.")
        files.append(arrays)
    shared = set.intersection(*(set(arrays) for arrays in files))
    return {name: np.concatenate([arrays[name] for arrays in files]) for name in shared}


def write_predictions(predictions: Predictions, names: NDArray[np.str_], path: Path) -> None:
    """Write the answers that there are, for `read_predictions`."""
    found = predictions.found
    arrays = {
        "names": names[found],
        "lm68": predictions.landmarks[REFINED][found].astype(np.float32),
        "boxes": predictions.boxes[found].astype(np.float32),
    }
    if COARSE in predictions.landmarks:
        arrays["lm68_coarse"] = predictions.landmarks[COARSE][found].astype(np.float32)
    if COARSE in predictions.parameters:
        arrays["params"] = predictions.parameters[COARSE][found].astype(np.float32)
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # pyright: ignore[reportArgumentType]


def _box_source(
    annotations: Annotations, boxes: Boxes, engine: Engine | TwoSidedEngine, stack: ExitStack
) -> BoxOf:
    if boxes == "given":
        if not np.isfinite(annotations.boxes).all():
            raise BadInputError("The annotations have no boxes.", "Use --boxes detected.")
        return lambda _, index: RoiBox.from_corners(*annotations.boxes[index].tolist())
    if boxes == "annotated":
        return lambda _, index: RoiBox.around(annotations.points[index])

    from backend.vision.detection import FaceDetector
    from backend.vision.sources import detector_path

    detector = stack.enter_context(FaceDetector(detector_path()))

    def nearest(image: NDArray[np.uint8], index: int) -> RoiBox | None:
        found = [detection.roi_box for detection in detector.detect(image)]
        points = annotations.points[index]
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        if np.isnan(middle).any():
            box = max(found, key=lambda box: box.side, default=None)
        else:
            box = min(found, key=lambda b: float(np.hypot(*(middle - (b.x, b.y)))), default=None)
        return box and _looked_at(image, box, engine)

    return nearest


def _looked_at(image: NDArray[np.uint8], box: RoiBox, engine: Engine | TwoSidedEngine) -> RoiBox:
    """Where the backend looks at a face that was found, at last."""
    first = engine.run(crop(image, box)[None])
    return second_look(first.parameters[0], first.refined[0], box) or box


def _crop(image: NDArray[np.uint8], box: RoiBox, may_be_crop: bool) -> NDArray[np.uint8]:
    is_crop = may_be_crop and image.shape[:2] == (CROP_SIZE, CROP_SIZE)
    return image if is_crop else crop(image, box)


def _read_back(refined: Array, model: MorphableModel, weights: Path | None) -> tuple[Array, Array]:
    """(N, 62) parameters and (N, 68, 3) crop-frame landmarks that the reverse network sees."""
    import torch

    from backend.synergynet.weights import active_weights, load_weights

    network = load_weights(weights or active_weights())
    network.attach(model)
    with torch.inference_mode():
        points = torch.from_numpy(np.ascontiguousarray(refined.transpose(0, 2, 1)))
        parameters = network.decoder.parameters_from(network.reverse(points.float()))
        landmarks = network.decoder(parameters)
    return parameters.numpy(), landmarks.numpy().transpose(0, 2, 1)


def _spread(answers: Predictions, where: NDArray[np.intp], n: int) -> Predictions:
    """Answers for some of N photos, with NaN for the others."""

    def full(values: Array) -> Array:
        spread = np.full((n, *values.shape[1:]), np.nan)
        spread[where] = values
        return spread

    return Predictions(
        {row: full(values) for row, values in answers.landmarks.items()},
        {row: full(values) for row, values in answers.parameters.items()},
        full(answers.boxes),
        full(answers.ypr),
    )
