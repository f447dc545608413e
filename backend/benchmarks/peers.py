"""3DDFA_V2's network mb05, to be timed beside ours. Its weights are the user's own (MIT)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.engines.sessions import THREADS
from backend.errors import BadInputError
from backend.morphable_model.boxes import CROP_SIZE

# Blocks of MobileNetV1 by their names in the weights, and the stride of each.
STRIDES = {
    "dw2_1": 1, "dw2_2": 2, "dw3_1": 1, "dw3_2": 2, "dw4_1": 1, "dw4_2": 2, "dw5_1": 1, "dw5_2": 1,
    "dw5_3": 1, "dw5_4": 1, "dw5_5": 1, "dw5_6": 2, "dw6": 1,
}  # fmt: skip


class MobileNetV1(nn.Module):
    """(N, 3, 120, 120) -> (N, 62) whitened parameters; built to fit a state dictionary."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self._state = state

    def forward(self, image: Tensor) -> Tensor:
        features = self._convolve(image, "conv1", "bn1", 2)
        for name, stride in STRIDES.items():
            features = self._convolve(features, f"{name}.conv_dw", f"{name}.bn_dw", stride)
            features = self._convolve(features, f"{name}.conv_sep", f"{name}.bn_sep", 1)
        pooled = features.mean(dim=(2, 3))
        weight, bias = self._state["fc_param.weight"], self._state["fc_param.bias"]
        return nn.functional.linear(pooled, weight, bias)

    def _convolve(self, features: Tensor, conv: str, norm: str, stride: int) -> Tensor:
        weight = self._state[f"{conv}.weight"]
        groups = features.shape[1] // weight.shape[1]
        features = nn.functional.conv2d(
            features, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups
        )
        mean, variance, scale, shift = (
            self._state[f"{norm}.{field}"]
            for field in ("running_mean", "running_var", "weight", "bias")
        )
        return nn.functional.relu(nn.functional.batch_norm(features, mean, variance, scale, shift))


class Mb05:
    """mb05 on onnxruntime, with as many threads as ours.

    Parameters
    ----------
    path
        ``.npz`` of its arrays under the names of the published state dictionary.

    Raises
    ------
    BadInputError
        The file is no such thing.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.log_severity_level = 3
        content = _exported(path)
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, 120, 120, 3) uint8 RGB -> (1, 62) whitened parameters."""
        # Blue first, as its authors read images.
        image = (crops[..., ::-1].astype(np.float32) - np.float32(127.5)) / np.float32(128)
        feed = {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))}
        return np.asarray(self._session.run(None, feed)[0])


def _exported(path: Path) -> bytes:
    content: Any = io.BytesIO()  # which PyTorch's types leave out
    example = torch.zeros(1, 3, CROP_SIZE, CROP_SIZE)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        network = MobileNetV1(state).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(network, (example,), content, input_names=["image"], dynamo=False)
    except Exception as error:
        raise BadInputError(
            f"{path} does not contain the weights of mb05 ({type(error).__name__}).",
            "Give an .npz of its arrays under the names of 3DDFA_V2's state dictionary.",
        ) from error
    return content.getvalue()
