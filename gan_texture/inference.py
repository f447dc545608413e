"""The generator at work: onnxruntime on the CPU, PyTorch on other devices, behind one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

SIZE = 256
INPUTS = ("photo", "filled", "believed")
OUTPUT = "texture"
CPU_THREADS = 2


class TextureGenerator(Protocol):
    """Something that makes textures."""

    def make(self, photo: Float, filled: Float, believed: Float) -> Float:
        """Make a texture.

        Parameters
        ----------
        photo
            (256, 256, 3) crop of the face, RGB in [0, 1].
        filled
            (256, 256, 3) what the photo shows of the texture, over a guess at the rest.
        believed
            (256, 256) in [0, 1], where the photo shows it.

        Returns
        -------
        (256, 256, 3) float32 RGB in [0, 1].
        """
        ...


class OnnxGenerator:
    """onnxruntime on the CPU.

    Parameters
    ----------
    exported
        A generator made by `export_onnx`: the file, or its content, of which a copy is kept.
    """

    def __init__(self, exported: Path | bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = CPU_THREADS
        options.log_severity_level = 3
        # Once a photo it needs 27 MB for a moment, which others may have meanwhile.
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(
            exported, options, providers=["CPUExecutionProvider"]
        )
        self._wanted = {entry.name for entry in self._session.get_inputs()}

    def make(self, photo: Float, filled: Float, believed: Float) -> Float:
        """See `TextureGenerator.make`."""
        given = zip(INPUTS, (photo, filled, believed), strict=True)
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

        self._torch = torch
        self._device = device
        self._network = _inference_module(weights, template).to(device)

    def make(self, photo: Float, filled: Float, believed: Float) -> Float:
        """See `TextureGenerator.make`."""
        torch = self._torch
        narrow = self._device == "cuda"
        arrays = (torch.from_numpy(a[None]).to(self._device) for a in (photo, filled, believed))
        with torch.inference_mode(), torch.autocast(self._device, torch.float16, enabled=narrow):
            return self._network(*arrays)[0].float().cpu().numpy()


def export_onnx(weights: Path, template: Float) -> bytes:
    """A generator with its template as an ONNX file's content.

    Raises
    ------
    ValueError
        The weights are absent or damaged.
    """
    import io
    import warnings

    import torch

    content: Any = io.BytesIO()  # which its types leave out
    example = (torch.zeros(1, SIZE, SIZE, 3), torch.zeros(1, SIZE, SIZE, 3))
    with warnings.catch_warnings():
        # As in `backend.engines`: the exporter by tracing is quick and needs no further packages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _inference_module(weights, template),
            (*example, torch.zeros(1, SIZE, SIZE)),
            content,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamo=False,
        )
    return content.getvalue()


def _inference_module(weights: Path, template: Float):
    import torch

    from gan_texture.generator import generator_input
    from gan_texture.weights import load_generator

    class Inference(torch.nn.Module):
        """Pictures with the channels last and in [0, 1], in and out."""

        def __init__(self) -> None:
            super().__init__()
            self.generator = load_generator(weights)
            mean = torch.from_numpy(np.ascontiguousarray(template)).permute(2, 0, 1)
            self.register_buffer("template", 2 * mean - 1)

        template: torch.Tensor

        def forward(
            self, photo: torch.Tensor, filled: torch.Tensor, believed: torch.Tensor
        ) -> torch.Tensor:
            photo, filled = (2 * p.permute(0, 3, 1, 2) - 1 for p in (photo, filled))
            condition, base = generator_input(
                self.generator.architecture, photo, filled, believed[:, None], self.template
            )
            return (self.generator(condition, base).permute(0, 2, 3, 1) + 1) / 2

    return Inference().eval()
