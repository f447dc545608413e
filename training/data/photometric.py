"""What cameras, light and codecs do to a face: batched distortions of colours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class PhotometricSettings:
    """Probabilities and ranges.

    Attributes
    ----------
    brightness, contrast, saturation, tint
        Largest relative changes (uniform); `tint` acts on each channel by itself.
    grey
        Probability of a grey image.
    low_resolution
        Probability of a loss of resolution by 2 to 4.
    blur
        Probability of a Gaussian blur of 0.8 to 2 pixels.
    noise
        Probability of Gaussian noise; `noise_level` is its largest standard deviation.
    occlusion
        Probability that a rectangle hides a part of the face.
    """

    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.4
    tint: float = 0.08
    grey: float = 0.1
    low_resolution: float = 0.25
    blur: float = 0.15
    noise: float = 0.25
    noise_level: float = 0.05
    occlusion: float = 0.25


def distort(images: Tensor, settings: PhotometricSettings) -> Tensor:
    """Return (N, 3, H, W) in [0, 1] -> the same, distorted."""
    images = occlude(images, settings.occlusion)
    images = jitter_colours(images, settings)
    images = lose_resolution(images, settings.low_resolution)
    images = blur(images, settings.blur)
    return add_noise(images, settings.noise, settings.noise_level).clamp_(0, 1)


def _chosen(images: Tensor, probability: float) -> Tensor:
    """Return (k,) indices of the images that something happens to."""
    return torch.nonzero(torch.rand(len(images), device=images.device) < probability)[:, 0]


def _factor(images: Tensor, limit: float, channels: int = 1) -> Tensor:
    return 1 + (torch.rand(len(images), channels, 1, 1, device=images.device) * 2 - 1) * limit


def jitter_colours(images: Tensor, settings: PhotometricSettings) -> Tensor:
    """Return brightness, tint, contrast, saturation, and now and then no colour at all."""
    images = images * _factor(images, settings.brightness) * _factor(images, settings.tint, 3)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = torch.lerp(mean, images, _factor(images, settings.contrast))
    grey = images.mean(dim=1, keepdim=True)
    saturation = _factor(images, settings.saturation)
    saturation[_chosen(images, settings.grey)] = 0
    return torch.lerp(grey, images, saturation)


def lose_resolution(images: Tensor, probability: float) -> Tensor:
    """Shrink some images by 2, 3 or 4 and enlarge them again."""
    chosen = _chosen(images, probability)
    shrink = torch.randint(2, 5, (len(chosen),), device=images.device)
    for factor in (2, 3, 4):
        at = chosen[shrink == factor]
        if len(at):
            small = functional.interpolate(images[at], scale_factor=1 / factor, mode="area")
            images[at] = functional.interpolate(
                small, size=images.shape[2:], mode="bilinear", align_corners=False
            )
    return images


def blur(images: Tensor, probability: float) -> Tensor:
    """Return Gaussian blur of some images, each with its own width."""
    at = _chosen(images, probability)
    if not len(at):
        return images
    sigma = 0.8 + 1.2 * torch.rand(len(at), 1, device=images.device)
    offsets = torch.arange(-4, 5, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]
    height, width = images.shape[2:]
    flat = images[at].reshape(1, -1, height, width)
    flat = functional.conv2d(flat, kernel[:, :, :, None], padding=(4, 0), groups=flat.shape[1])
    flat = functional.conv2d(flat, kernel[:, :, None, :], padding=(0, 4), groups=flat.shape[1])
    images[at] = flat.reshape(-1, 3, height, width)
    return images


def add_noise(images: Tensor, probability: float, level: float) -> Tensor:
    """Return Gaussian noise in some images, of a strength of their own."""
    at = _chosen(images, probability)
    strength = level * torch.rand(len(at), 1, 1, 1, device=images.device)
    images[at] += strength * torch.randn_like(images[at])
    return images


def occlude(images: Tensor, probability: float) -> Tensor:
    """Cover a rectangle of some images with another image's pixels or with one colour."""
    hit = torch.rand(len(images), 1, 1, 1, device=images.device) < probability
    height, width = images.shape[2:]

    def span(length: int, axis_shape: tuple[int, ...]) -> Tensor:
        size = (0.1 + 0.35 * torch.rand(len(images), 1, 1, 1, device=images.device)) * length
        start = torch.rand_like(size) * length - size / 2
        position = torch.arange(length, device=images.device).reshape(axis_shape)
        return (position >= start) & (position < start + size)

    inside = hit & span(height, (1, 1, -1, 1)) & span(width, (1, 1, 1, -1))
    plain = torch.rand(len(images), 3, 1, 1, device=images.device)
    other = images.roll(1, 0).flip(2)
    use_plain = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(inside, torch.where(use_plain, plain, other), images)
