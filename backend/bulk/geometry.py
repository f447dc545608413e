"""Crops, and ways between the frames, as batches on a device; see `backend.geometry.camera`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from backend.morphable_model.boxes import CROP_SIZE


def crops(pictures: Tensor, image_from_crop: Tensor, places: int) -> Tensor:
    """Cut out the regions of all faces, turned upright; what lies outside a picture is black.

    `backend.vision.crop.crop` averages whole blocks of pixels before it samples. Here each pixel of
    a crop is the mean of places x places samples, spread over as large a block.

    Parameters
    ----------
    pictures
        (F, H, W, 3) uint8.
    image_from_crop
        (F, K, 2, 3) float32.
    places
        At how many places a side each pixel is sampled.

    Returns
    -------
    (F * K, 3, 120, 120) float32, 0 to 255.
    """
    count, height, width, _ = pictures.shape
    x, y = _sampled_places(image_from_crop, places).unbind(dim=-1)
    # From -1 to 1 over the picture. No tensor is made of these numbers: a graph of the card's work
    # can hold no copy from here.
    grid = torch.stack([x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1], dim=-1)
    sampled = functional.grid_sample(
        pictures.permute(0, 3, 1, 2).float(),
        grid.reshape(count, -1, CROP_SIZE * places, 2),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=True,
    )
    # The faces of a picture lie one below the other.
    faces = sampled.reshape(count, 3, -1, CROP_SIZE * places, CROP_SIZE * places)
    faces = faces.transpose(1, 2).reshape(-1, 3, CROP_SIZE * places, CROP_SIZE * places)
    return functional.avg_pool2d(faces, places) if places > 1 else faces


def _sampled_places(image_from_crop: Tensor, places: int) -> Tensor:
    """(F, K, 120 * places, 120 * places, 2) image pixels."""
    device = image_from_crop.device
    pixels = torch.arange(CROP_SIZE, device=device, dtype=torch.float32)
    within = (torch.arange(places, device=device, dtype=torch.float32) + 0.5) / places - 0.5
    linear, origin = image_from_crop[..., :2], image_from_crop[..., 2]
    step = linear[..., 0].norm(dim=-1)
    # A block of one pixel is sampled in its middle, as often as the others are at their places.
    block = step.round().clamp(min=1)
    spread = torch.where(block > 1, block / step, torch.zeros_like(step))
    line = (pixels[:, None] + within * spread[..., None, None]).flatten(-2)
    across = line[..., None] * linear[..., None, :, 0]
    down = line[..., None] * linear[..., None, :, 1]
    return down[..., :, None, :] + across[..., None, :, :] + origin[..., None, None, :]


def image_from_crop_frame(image_from_crop: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 2, 3) affine maps of crops -> (N, 3, 3) and (N, 3) of their frames.

    They carry points of the crop frame (1-based pixels, y up) into the image frame.
    """
    linear, origin = image_from_crop[:, :, :2], image_from_crop[:, :, 2]
    turn = torch.zeros(len(linear), 3, 3, device=linear.device, dtype=linear.dtype)
    turn[:, :2, 0] = linear[:, :, 0]
    turn[:, :2, 1] = -linear[:, :, 1]
    turn[:, 2, 2] = linear[:, :, 0].norm(dim=1)
    shift = torch.zeros_like(turn[:, :, 0])
    shift[:, :2] = origin - linear[:, :, 0] + CROP_SIZE * linear[:, :, 1]
    return turn, shift
