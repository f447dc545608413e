"""The generator at work: onnxruntime or PyTorch, behind one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import nn

    from gan_texture.generator import Generator

Float = NDArray[np.float32]

SIZE = 256
INPUTS = ("photo", "filled", "believed")
OUTPUT = "texture"
TEMPLATE = "template"


class TextureGenerator(Protocol):
    """Something that makes textures."""

    def make(self, photo: Float, filled: Float, confidence: Float) -> Float:
        """Make a texture.

        Parameters
        ----------
        photo
            (256, 256, 3) crop of the face, RGB in [0, 1].
        filled
            (256, 256, 3) what the photo shows of the texture, over a guess at the rest.
        confidence
            (256, 256) in [0, 1], where the photo shows it.

        Returns
        -------
        (256, 256, 3) float32 RGB in [0, 1].
        """
        ...


class OnnxGenerator:
    """onnxruntime on any of its devices.

    Parameters
    ----------
    session
        An ``onnxruntime.InferenceSession`` of a generator's graph, with its weights and template.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._wanted = {entry.name for entry in self._session.get_inputs()}

    def make(self, photo: Float, filled: Float, confidence: Float) -> Float:
        """See `TextureGenerator.make`."""
        given = zip(INPUTS, (photo, filled, confidence), strict=True)
        feed = {name: array[None] for name, array in given if name in self._wanted}
        return np.asarray(self._session.run([OUTPUT], feed)[0], np.float32)[0]


class TorchGenerator:
    """PyTorch on any of its devices, in half precision where that is faster.

    Parameters
    ----------
    weights
        Written by `gan_texture.weights.save_generator`.
    template
        (256, 256, 3) RGB in [0, 1], texture of the mean face.
    device
        ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, weights: Path, template: Float, device: str) -> None:
        import torch

        from gan_texture.weights import load_generator

        self._torch = torch
        self._device = device
        self._network = inference_module(load_generator(weights)).to(device)
        self._template = torch.from_numpy(np.ascontiguousarray(template)).to(device)

    def make(self, photo: Float, filled: Float, confidence: Float) -> Float:
        """See `TextureGenerator.make`."""
        torch = self._torch
        narrow = self._device == "cuda"
        arrays = (torch.from_numpy(a[None]).to(self._device) for a in (photo, filled, confidence))
        with torch.inference_mode(), torch.autocast(self._device, torch.float16, enabled=narrow):
            return self._network(*arrays, self._template)[0].float().cpu().numpy()


def inference_module(generator: Generator) -> nn.Module:
    """Wrap a generator: pictures with the channels last and in [0, 1], in and out.

    Returns
    -------
    A module that takes photo, filled and confidence as `TextureGenerator.make` does, but N of them,
    and the template (256, 256, 3) in [0, 1], the texture of the mean face.
    """
    import torch

    from gan_texture.generator import generator_input

    class Inference(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator = generator

        def forward(
            self,
            photo: torch.Tensor,
            filled: torch.Tensor,
            confidence: torch.Tensor,
            template: torch.Tensor,
        ) -> torch.Tensor:
            photo, filled = (2 * p.permute(0, 3, 1, 2) - 1 for p in (photo, filled))
            condition, base = generator_input(
                self.generator.architecture,
                photo,
                filled,
                confidence[:, None],
                2 * template.permute(2, 0, 1) - 1,
            )
            return (self.generator(condition, base).permute(0, 2, 3, 1) + 1) / 2

    return Inference().eval()
