"""Pictures of what a training has learned: landmarks drawn over the same faces every time."""

from __future__ import annotations

import cv2
import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from training.data.augmentation import unchanged, warp
from training.data.packed import PackedBatch, PackedFaces
from training.runs import run_folder
from training.synergynet.data_module import PackedFacesModule
from training.synergynet.module import SynergyModule

SIDE = 240
REFINED, COARSE = (60, 255, 60), (255, 80, 80)


class OverlayPictures(L.Callback):
    """Writes ``overlays/epoch-NNN.png`` into the run's folder after every validation.

    Refined landmarks are green, the mesh's own red.

    Parameters
    ----------
    faces
        How many of the held-out faces, spread evenly over photos and made views.
    """

    def __init__(self, faces: int = 16) -> None:
        self.faces = faces
        self._batch: PackedBatch | None = None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        folder, data = run_folder(trainer), getattr(trainer, "datamodule", None)
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        if not isinstance(data, PackedFacesModule):
            return
        assert isinstance(pl_module, SynergyModule)
        if self._batch is None:
            self._batch = self._choose(data)
        sheet = overlay_sheet(pl_module, self._batch)
        path = folder / "overlays" / f"epoch-{trainer.current_epoch:03d}.png"
        with atomic_path(path) as temporary:
            cv2.imwrite(str(temporary), sheet[:, :, ::-1])

    def _choose(self, data: PackedFacesModule) -> PackedBatch:
        sets = [rows for rows in (data.validation_indices, data.view_indices) if len(rows)]
        share = max(1, self.faces // max(1, len(sets)))
        spread = [np.linspace(0, len(r) - 1, min(share, len(r))).astype(int) for r in sets]
        rows = np.concatenate([r[at] for r, at in zip(sets, spread, strict=True)])
        return PackedFaces(data.pack, rows, data.index).__getitems__(list(range(len(rows))))


def overlay_sheet(module: SynergyModule, batch: PackedBatch) -> NDArray[np.uint8]:
    """Return (rows * 240, columns * 240, 3) RGB: crops of a batch with the landmarks found in
    them.
    """
    batch = PackedBatch(*(field.to(module.device) for field in batch))
    prediction = module.predict(batch)
    change = unchanged(len(batch.crops), batch.crops.device)
    pictures = warp(batch.crops, change, SIDE).permute(0, 2, 3, 1).cpu().numpy()
    tiles = [
        _tile(picture, coarse, refined)
        for picture, coarse, refined in zip(
            pictures, prediction.coarse.cpu(), prediction.refined.cpu(), strict=True
        )
    ]
    columns = int(np.ceil(np.sqrt(len(tiles))))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tile(
    picture: NDArray[np.float32], coarse: torch.Tensor, refined: torch.Tensor
) -> NDArray[np.uint8]:
    tile = np.ascontiguousarray(np.clip(picture * 255, 0, 255).astype(np.uint8))
    scale = SIDE / 120
    for landmarks, colour in ((coarse, COARSE), (refined, REFINED)):
        for x, y, _ in landmarks.float().numpy().T:
            # To the image frame: the crop frame counts from 1, y up.
            place = (round(float(x - 1) * scale), round(float(120 - y) * scale))
            cv2.circle(tile, place, 2, colour, -1, cv2.LINE_AA)
    return tile
