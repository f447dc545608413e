"""Speed of many faces at once, and how far it is from what the device could do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from backend.bulk.answering import Answering
from backend.bulk.faces import BulkFaces
from backend.bulk.frames import FrameBatch
from backend.engines.devices import Device
from backend.morphable_model.boxes import RoiBox

FLOAT_BYTES = 4
# A product of matrices this large keeps a device busy; a copy of this many bytes as well.
MATRIX_SIDE, COPIED_BYTES = {"cpu": 1024, "cuda": 8192, "mps": 4096}, 2**28


@dataclass(frozen=True)
class Limits:
    """Faces a second, if nothing but this took time.

    Attributes
    ----------
    way_in, way_out
        Copies of pictures to the device and of results from it; None where nothing is copied.
    memory
        What the layers read and write in the device's memory.
    arithmetic
        Multiplications and additions, at the rate of a large product of matrices.
    """

    way_in: float | None
    way_out: float | None
    memory: float
    arithmetic: float

    @property
    def lowest(self) -> float:
        """Which these layers do not exceed, unless several are made one."""
        ways = [way for way in (self.way_in, self.way_out) if way is not None]
        return min(*ways, self.memory, self.arithmetic)


@dataclass(frozen=True)
class BulkSpeed:
    """What was measured.

    Attributes
    ----------
    device
        Where.
    landmarks, meshes
        Faces a second from pictures to landmarks and to dense meshes, copies included.
    landmark_limits, mesh_limits
        How far that could go.
    refinement, reverse
        How much longer the network takes with MAFA, and with MAFA and the reverse direction, in
        parts of the time without both.
    """

    device: str
    landmarks: float
    meshes: float
    landmark_limits: Limits
    mesh_limits: Limits
    refinement: float
    reverse: float


def benchmark_bulk(
    photo: NDArray[np.uint8],
    box: RoiBox,
    device: Device = "auto",
    batch: int = 256,
    side: int = 256,
    batches: int = 20,
) -> BulkSpeed:
    """Time batches of copies of a photo.

    Parameters
    ----------
    photo
        (H, W, 3) uint8 RGB, square, with one face.
    box
        The face's region.
    device
        Where to compute.
    batch
        Faces in a batch, one to a picture.
    side
        Of the pictures in pixels, to which the photo is scaled.
    batches
        How many are timed, after two that warm up.
    """
    factor = side / len(photo)
    picture = np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    scaled = RoiBox(box.x * factor, box.y * factor, box.side * factor, box.roll)
    one = FrameBatch.of(np.repeat(picture[None], batch, axis=0), [[scaled]] * batch)
    landmarks, meshes = BulkFaces.load(device), BulkFaces.load(device, dense=True)
    plain, refined, reversed_too = _network_seconds(landmarks.answering, batch, batches)
    return BulkSpeed(
        device=landmarks.answering.device.type,
        landmarks=_speed(landmarks, one, batches),
        meshes=_speed(meshes, one, batches),
        landmark_limits=_limits(landmarks.answering, one),
        mesh_limits=_limits(meshes.answering, one),
        refinement=refined / plain - 1,
        reverse=reversed_too / plain - 1,
    )


def _speed(faces: BulkFaces, batch: FrameBatch, batches: int) -> float:
    """Faces a second."""

    def timed() -> Iterator[FrameBatch]:
        nonlocal began
        for number in range(batches + 2):
            if number == 2:
                began = time.perf_counter()
            yield batch

    began = time.perf_counter()
    for _ in faces.find(timed()):
        pass
    return batches * len(batch.pictures) / (time.perf_counter() - began)


def _limits(answering: Answering, batch: FrameBatch) -> Limits:
    count = len(batch.pictures)
    inputs = (torch.from_numpy(batch.pictures[:1]), torch.from_numpy(batch.image_from_crop[:1]))
    one = tuple(part.to(answering.device) for part in inputs)
    with torch.inference_mode():
        read_and_written, found = _bytes_moved(answering, lambda: answering(*one, batch.places))
        with FlopCounterMode(display=False) as counter:
            answering(*one, batch.places)
    into = sum(part.nbytes for part in (batch.pictures, batch.image_from_crop)) / count
    out = sum(part.numel() * FLOAT_BYTES for part in found)
    on_cpu = answering.device.type == "cpu"
    return Limits(
        None if on_cpu else _copied(answering.device, to_device=True) / into,
        None if on_cpu else _copied(answering.device, to_device=False) / out,
        _copied(answering.device, to_device=None) / read_and_written,
        _multiplied(answering.device) / counter.get_total_flops(),
    )


def _bytes_moved(
    answering: Answering, run: Callable[[], tuple[Tensor, ...]]
) -> tuple[float, tuple[Tensor, ...]]:
    """What the layers of a run read and write, weights left out, and what it gives."""
    moved = 0

    def count(_: nn.Module, given: tuple[object, ...], made: object) -> None:
        nonlocal moved
        parts = [part for part in (*given, made) if isinstance(part, Tensor)]
        moved += sum(part.nbytes for part in parts)

    layers = [part for part in answering.modules() if not list(part.children())]
    work = [layer for layer in layers if not isinstance(layer, nn.Identity)]
    hooks = [layer.register_forward_hook(count) for layer in work]
    try:
        found = run()
    finally:
        for hook in hooks:
            hook.remove()
    return float(moved), found


def _network_seconds(answering: Answering, batch: int, repeat: int) -> tuple[float, float, float]:
    """Seconds of a batch: of the image network, with MAFA, and with the reverse direction too."""
    network, device = answering.network, answering.device.type
    images = answering.as_taken(torch.randn(batch, 3, 120, 120, device=device))
    with torch.inference_mode(), answering.precision():
        return (
            _seconds(lambda: network.regress(images), device, repeat),
            _seconds(lambda: network(images), device, repeat),
            _seconds(lambda: network.training_forward(images), device, repeat),
        )


def _copied(device: torch.device, to_device: bool | None) -> float:
    """Bytes a second; None: within the device's memory, read and written ones."""
    here = torch.empty(COPIED_BYTES, dtype=torch.uint8)
    there = torch.empty(COPIED_BYTES, dtype=torch.uint8, device=device)
    if to_device is None:
        other = torch.empty_like(there)
        return 2 * COPIED_BYTES / _seconds(lambda: other.copy_(there), device.type, 5)
    here = here.pin_memory() if device.type == "cuda" else here
    target, source = (there, here) if to_device else (here, there)
    return COPIED_BYTES / _seconds(lambda: target.copy_(source), device.type, 5)


def _multiplied(device: torch.device) -> float:
    """Operations a second of a large product, in the precision that the network has there."""
    side = MATRIX_SIDE[device.type]
    kind = torch.float16 if device.type == "cuda" else torch.float32
    matrix = torch.randn(side, side, device=device, dtype=kind)
    return 2 * side**3 / _seconds(lambda: matrix @ matrix, device.type, 5)


def _seconds(run: Callable[[], object], device: str, repeat: int) -> float:
    """The least of some runs, after one that warms up."""
    run()
    taken = []
    for _ in range(repeat):
        _wait(device)
        began = time.perf_counter()
        run()
        _wait(device)
        taken.append(time.perf_counter() - began)
    return min(taken)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()
