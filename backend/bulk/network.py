"""From pictures to parameters, landmarks and vertices, as one function of tensors."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from backend.bulk.dense import DenseDecoder
from backend.bulk.geometry import crops, image_from_crop_frame
from backend.morphable_model.model import MorphableModel
from backend.synergynet.network import SynergyNet


class BulkNetwork(nn.Module):
    """Crops, network and decoding on one device.

    The channels of a pixel lie side by side. In half precision compute the image network and the
    refinement; parameters, landmarks and vertices are in single precision always.

    Parameters
    ----------
    network
        Folded, see `backend.synergynet.folding.folded`; a copy of it is taken.
    model
        The morphable model.
    device
        ``cpu``, ``cuda`` or ``mps``.
    dense
        Whether vertices are made too.
    half
        Whether to use half precision; by default on CUDA.
    """

    def __init__(
        self,
        network: SynergyNet,
        model: MorphableModel,
        device: str,
        dense: bool,
        half: bool | None = None,
    ) -> None:
        super().__init__()
        network = copy.deepcopy(network).eval()
        network.attach(model)
        fold_convolutions(network)
        self.device = torch.device(device)
        self._in_half = self.device.type == "cuda" if half is None else half
        if self._in_half:
            network.backbone.half()
            if network.refinement is not None:
                network.refinement.half()
        self.network = network.to(
            memory_format=torch.channels_last  # pyright: ignore[reportCallIssue]
        )
        self.decoder = DenseDecoder(model) if dense else None
        self.to(self.device)

    def forward(self, pictures: Tensor, image_from_crop: Tensor, places: int) -> tuple[Tensor, ...]:
        """Return everything about F * K faces.

        Parameters
        ----------
        pictures
            (F, H, W, 3) uint8.
        image_from_crop
            (F, K, 2, 3) float32.
        places
            See `backend.bulk.geometry.crops`.

        Returns
        -------
        (F * K, 62) parameters, (F * K, 3, 68) landmarks, and, if dense, (F * K, 3, V) vertices;
        points are in the image frame.
        """
        images = (crops(pictures, image_from_crop, places) - 127.5) / 128.0
        with self.precision():
            found = self.network(self.to_input(images))
        turn, shift = image_from_crop_frame(image_from_crop.flatten(0, 1))
        landmarks = turn @ found.refined.float() + shift[..., None]
        if self.decoder is None:
            return found.parameters, landmarks
        return found.parameters, landmarks, self.decoder(found.parameters, turn, shift)

    def to_input(self, images: Tensor) -> Tensor:
        """Return (N, 3, 120, 120) images in the layout and precision that the network takes."""
        images = images.contiguous(memory_format=torch.channels_last)
        return images.half() if self._in_half else images

    def precision(self) -> AbstractContextManager[object]:
        """Set the precision in which the network computes."""
        if not self._in_half:
            return nullcontext()
        # Weights are in half precision already; a cache must not be recorded in a graph.
        return torch.autocast(self.device.type, torch.float16, cache_enabled=False)


def fold_convolutions(network: nn.Module) -> None:
    """Multiply normalisations into the convolutions right before them, in place."""
    for sequence in [part for part in network.modules() if isinstance(part, nn.Sequential)]:
        for index in range(len(sequence) - 1):
            convolution, norm = sequence[index], sequence[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                sequence[index] = fuse_conv_bn_eval(convolution, norm)
                sequence[index + 1] = nn.Identity()
