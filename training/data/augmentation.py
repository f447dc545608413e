"""Batched augmentation of face crops, with the exact transform of their labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from backend.morphable_model.boxes import CROP_SIZE
from backend.morphable_model.mirror_image import (
    MIRROR,
    MIRRORED_LANDMARKS,
    MirrorImage,
)
from backend.morphable_model.model import N_POSE
from backend.morphable_model.parameters import split
from training.data.packed import PackedBatch
from training.data.photometric import PhotometricSettings, distort
from training.data.shards import CONTEXT

# The middle of the crop, in the y-up, 1-based pixels of the crop frame.
CENTRE = (CROP_SIZE / 2 + 1, CROP_SIZE / 2)


@dataclass(frozen=True)
class AugmentationSettings:
    """Ranges of the augmentation.

    Attributes
    ----------
    rotation
        Largest in-plane rotation in degrees (uniform).
    scale
        Largest relative change of size (uniform).
    shift
        Largest shift as a fraction of the crop (uniform).
    flip
        Probability of a mirror image.
    photometric
        What happens to the colours.
    """

    rotation: float = 20.0
    scale: float = 0.15
    shift: float = 0.06
    flip: float = 0.5
    photometric: PhotometricSettings = field(default_factory=PhotometricSettings)


@dataclass(frozen=True)
class Similarity:
    """N similarities of the crop about its middle: mirror first, then rotate and scale, then shift.

    Attributes
    ----------
    linear
        (N, 2, 2) rotation times scale in the y-up crop frame.
    shift
        (N, 2) crop pixels, y up.
    scale
        (N,).
    mirrored
        (N,) bool.
    """

    linear: Tensor
    shift: Tensor
    scale: Tensor
    mirrored: Tensor


def similarity(angle: Tensor, scale: Tensor, shift: Tensor, mirrored: Tensor) -> Similarity:
    """From degrees (anticlockwise as seen), factors, pixels (y up) and flags; each of length N."""
    c, s = torch.cos(torch.deg2rad(angle)) * scale, torch.sin(torch.deg2rad(angle)) * scale
    linear = torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)
    return Similarity(linear, shift, scale, mirrored)


def unchanged(n: int, device: torch.device) -> Similarity:
    """N times the similarity that changes nothing."""
    return similarity(
        torch.zeros(n, device=device),
        torch.ones(n, device=device),
        torch.zeros(n, 2, device=device),
        torch.zeros(n, dtype=torch.bool, device=device),
    )


def random_similarity(n: int, settings: AugmentationSettings, device: torch.device) -> Similarity:
    """Draw N similarities."""

    def uniform(limit: float, *shape: int) -> Tensor:
        return (torch.rand(n, *shape, device=device) * 2 - 1) * limit

    return similarity(
        uniform(settings.rotation),
        1 + uniform(settings.scale),
        uniform(settings.shift * CROP_SIZE, 2),
        torch.rand(n, device=device) < settings.flip,
    )


class Augmentation(nn.Module):
    """Turns packed faces into network input and labels, on whatever device they are.

    Parameters
    ----------
    mirror
        What mirrored faces' coefficients are.
    settings
        Ranges in training.
    """

    mirror_matrix: Tensor
    mirror_offset: Tensor
    mirror_order: Tensor

    def __init__(
        self,
        mirror: MirrorImage,
        settings: AugmentationSettings,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("mirror_matrix", torch.from_numpy(mirror.matrix), persistent=False)
        self.register_buffer("mirror_offset", torch.from_numpy(mirror.offset), persistent=False)
        self.register_buffer(
            "mirror_order", torch.from_numpy(MIRRORED_LANDMARKS.copy()), persistent=False
        )

    def forward(self, batch: PackedBatch, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Augment a batch.

        Parameters
        ----------
        batch
            Crops with their context and labels.
        size
            Side of the network's input in pixels.

        Returns
        -------
        images (N, 3, size, size) in [-1, 1], parameters (N, 62), landmarks (N, 3, 68).
        """
        device = batch.crops.device
        # Half a pixel of 120 is what bfloat16 can tell apart.
        with torch.autocast(device.type, enabled=False):
            change = random_similarity(len(batch.crops), self.settings, device)
            images = distort(warp(batch.crops, change, size), self.settings.photometric)
            parameters, landmarks = self.transform(batch.parameters, batch.landmarks, change)
        return to_network(images), parameters, landmarks

    def transform(
        self, parameters: Tensor, landmarks: Tensor, change: Similarity
    ) -> tuple[Tensor, Tensor]:
        """Carry parameters (N, 62) and landmarks (N, 3, 68) along.

        The rotation, scale and shift are exact. A mirrored face is not in the span of the shape
        basis, so its coefficients are the nearest ones; its landmarks are exact. The depth of the
        model's origin, which no image shows, stays what it was.
        """
        flip = change.mirrored
        mirrored_parameters, mirrored_landmarks = self._mirror(parameters, landmarks)
        parameters = torch.where(flip[:, None], mirrored_parameters, parameters)
        landmarks = torch.where(flip[:, None, None], mirrored_landmarks, landmarks)

        matrix, alpha = split(parameters)
        rotation = torch.cat(
            [change.linear @ matrix[:, :2, :3], change.scale[:, None, None] * matrix[:, 2:, :3]], 1
        )
        centre = parameters.new_tensor(CENTRE)
        offset = matrix[:, :, 3]
        plane = (change.linear @ (offset[:, :2] - centre)[:, :, None])[:, :, 0]
        translation = torch.cat([plane + centre + change.shift, offset[:, 2:]], 1)
        pose = torch.cat([rotation, translation[:, :, None]], 2).reshape(-1, N_POSE)

        plane = change.linear @ (landmarks[:, :2] - centre[:, None])
        depth = change.scale[:, None] * (landmarks[:, 2] - offset[:, 2:]) + offset[:, 2:]
        plane = plane + (centre + change.shift)[:, :, None]
        return (
            torch.cat([pose, alpha], 1),
            torch.cat([plane, depth[:, None]], 1),
        )

    def _mirror(self, parameters: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        sign = parameters.new_tensor(MIRROR)
        matrix, alpha = split(parameters)
        rotation = sign[:, None] * matrix[:, :, :3] * sign
        translation = matrix[:, :, 3] * sign + parameters.new_tensor([2 * CENTRE[0], 0.0, 0.0])
        pose = torch.cat([rotation, translation[:, :, None]], 2).reshape(-1, N_POSE)
        alpha = alpha @ self.mirror_matrix.T + self.mirror_offset
        points = landmarks[:, :, self.mirror_order] * sign[:, None]
        points = points + parameters.new_tensor([2 * CENTRE[0], 0.0, 0.0])[:, None]
        return torch.cat([pose, alpha], 1), points


def warp(crops: Tensor, change: Similarity, size: int) -> Tensor:
    """Sample augmented crops.

    Parameters
    ----------
    crops
        (N, S, S, 3) uint8, showing `CONTEXT` times the side of the roi box.
    change
        N similarities of the crop.
    size
        Side of the result.

    Returns
    -------
    (N, 3, size, size) float32 in [0, 1]; black outside the stored context.
    """
    stored = crops.shape[1]
    images = crops.permute(0, 3, 1, 2).to(torch.float32) / 255
    # Output pixel j stands for crop pixel j * 120 / size, relative to the middle of the crop.
    axis = torch.arange(size, device=crops.device, dtype=torch.float32) * (CROP_SIZE / size)
    axis = axis - CROP_SIZE / 2
    target = torch.stack(torch.meshgrid(axis, -axis, indexing="xy"), -1).reshape(-1, 2)
    source = (target - change.shift[:, None]) @ torch.linalg.inv(change.linear).transpose(1, 2)
    x = torch.where(change.mirrored[:, None], -source[..., 0], source[..., 0])
    y = -source[..., 1]
    pixels_per_unit = stored / (CONTEXT * CROP_SIZE)
    grid = torch.stack([x, y], -1) * pixels_per_unit + stored / 2
    grid = grid * (2 / (stored - 1)) - 1
    grid = grid.reshape(-1, size, size, 2)
    return functional.grid_sample(images, grid, align_corners=True, padding_mode="zeros")


def to_network(images: Tensor) -> Tensor:
    """[0, 1] to the network's range, as `backend.synergynet.network.normalise_image`."""
    return (images * 255 - 127.5) / 128
