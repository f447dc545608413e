"""Batch normalisation and ReLU6 in one go, for training on a CPU.

A small network on a CPU waits for memory: PyTorch reads and writes every activation eleven times
for normalisation and ReLU6, forwards and backwards; two passes each way do (eight). The result is
the same up to rounding. Activations may be bfloat16, which halves the memory; sums and parameters
stay in single precision.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from numba import njit, prange
from numba.core import config
from numpy.typing import NDArray
from torch import Tensor, nn

from training.synergynet.bfloat16 import get, put
from training.synergynet.strided_depthwise import StridedDepthwiseConv2d, is_strided_depthwise

Float = NDArray[np.float32]
# Of float32, or of uint16: the bits of bfloat16, which NumPy does not know.
Rows = NDArray[Any]

ROWS = 1024  # of a block; one block's sums are single precision, their total is double
CEILING = np.float32(6)
UNLIMITED = np.float32(np.inf)


class FusedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation, then ReLU6 if `activate`; parameters and names are BatchNorm2d's."""

    activate: bool = False

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not _fits(input):
            output = super().forward(input)
            return nn.functional.relu6(output, inplace=True) if self.activate else output
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        output, mean, variance = _Normalise.apply(
            input, self.weight, self.bias, self.eps, self.activate
        )
        count = input.numel() // input.shape[1]
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (count / max(1, count - 1)), momentum)
        return output


def fuse(network: nn.Module) -> None:
    """Put the fused layers in place of BatchNorm2d, and of ReLU6 where that follows one.

    Strided depthwise convolutions get a backward pass that is fast in bfloat16, too.
    """
    for parent in network.modules():
        layers = list(parent.named_children())
        for index, (_, layer) in enumerate(layers):
            if is_strided_depthwise(layer):
                layer.__class__ = StridedDepthwiseConv2d
            if type(layer) is not nn.BatchNorm2d:
                continue
            layer.__class__ = FusedBatchNorm2d
            follows = index + 1 < len(layers) and isinstance(parent, nn.Sequential)
            if follows and isinstance(layers[index + 1][1], nn.ReLU6):
                vars(layer)["activate"] = True
                setattr(parent, layers[index + 1][0], nn.Identity())


def _fits(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.is_contiguous(memory_format=torch.channels_last)
        and x.requires_grad
    )


def _share_threads() -> None:
    """Let numba use as many threads as PyTorch does."""
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, getattr(config, "NUMBA_NUM_THREADS")))  # noqa: B009
    # When numba starts its threads, it sets the number of OpenMP's, which are PyTorch's too.
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _rows(x: Tensor) -> Rows:
    """Return (N, C, H, W) in channels-last layout -> (N * H * W, C) view."""
    rows = x.detach().permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    return (rows.view(torch.uint16) if x.dtype == torch.bfloat16 else rows).numpy()


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Any:
        x, weight, bias, eps, activate = arguments
        rows = _rows(x)
        _share_threads()
        mean, variance = _moments(rows)
        inverse = 1 / np.sqrt(variance + eps)
        scale = (weight.detach().numpy() * inverse).astype(np.float32)
        shift = (bias.detach().numpy() - mean * scale).astype(np.float32)
        output = torch.empty_like(x)
        ceiling = CEILING if activate else UNLIMITED
        floor = np.float32(0) if activate else -UNLIMITED
        _apply(rows, scale, shift, floor, ceiling, _rows(output))
        ctx.save_for_backward(x)
        ctx.numbers = (mean, inverse, scale, shift, floor, ceiling)
        statistics = [torch.from_numpy(a.astype(np.float32)) for a in (mean, variance)]
        ctx.mark_non_differentiable(*statistics)
        return output, *statistics

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (x,) = ctx.saved_tensors
        mean, inverse, scale, shift, floor, ceiling = ctx.numbers
        gradient = gradients[0].to(x.dtype).contiguous(memory_format=torch.channels_last)
        rows, incoming = _rows(x), _rows(gradient)
        total, product = _gradient_sums(rows, incoming, scale, shift, floor, ceiling)
        to_weight = (product - mean * total) * inverse
        by_x = -scale * to_weight * inverse / len(rows)
        constant = -scale * total / len(rows) - by_x * mean
        output = torch.empty_like(x)
        _input_gradient(
            rows, incoming, scale, shift, floor, ceiling,
            by_x.astype(np.float32), constant.astype(np.float32), _rows(output),
        )  # fmt: skip
        return (
            output,
            torch.from_numpy(to_weight.astype(np.float32)),
            torch.from_numpy(total.astype(np.float32)),
            None,
            None,
        )


@njit(parallel=True, fastmath=True, cache=True)
def _moments(x):
    """Mean and (biased) variance of each column."""
    n, channels = x.shape
    blocks = (n + ROWS - 1) // ROWS
    sums = np.zeros((blocks, 2, channels), np.float32)
    pivot = np.zeros(channels, np.float32)
    for c in range(channels):
        pivot[c] = get(x, 0, c)
    for block in prange(blocks):
        first, second = sums[block, 0], sums[block, 1]
        for i in range(block * ROWS, min(n, (block + 1) * ROWS)):
            for c in range(channels):
                value = get(x, i, c) - pivot[c]
                first[c] += value
                second[c] += value * value
    mean = np.zeros(channels, np.float64)
    square = np.zeros(channels, np.float64)
    for block in range(blocks):
        mean += sums[block, 0]
        square += sums[block, 1]
    mean /= n
    variance = np.maximum(square / n - mean * mean, 0.0)
    return mean + pivot, variance


@njit(parallel=True, fastmath={"nsz", "arcp", "contract", "reassoc"}, cache=True)
def _apply(x, scale, shift, floor, ceiling, output):
    n, channels = x.shape
    for i in prange(n):
        for c in range(channels):
            put(output, i, c, min(max(get(x, i, c) * scale[c] + shift[c], floor), ceiling))


@njit(parallel=True, fastmath={"nsz", "arcp", "contract", "reassoc"}, cache=True)
def _gradient_sums(x, gradient, scale, shift, floor, ceiling):
    """Return sums over the rows of the gradient that passes the limits, and of it times x."""
    n, channels = x.shape
    blocks = (n + ROWS - 1) // ROWS
    sums = np.zeros((blocks, 2, channels), np.float32)
    for block in prange(blocks):
        first, second = sums[block, 0], sums[block, 1]
        for i in range(block * ROWS, min(n, (block + 1) * ROWS)):
            for c in range(channels):
                number = get(x, i, c)
                value = number * scale[c] + shift[c]
                slope = get(gradient, i, c)
                passed = slope if (value > floor) & (value < ceiling) else np.float32(0)
                first[c] += passed
                second[c] += passed * number
    total = np.zeros(channels, np.float64)
    product = np.zeros(channels, np.float64)
    for block in range(blocks):
        total += sums[block, 0]
        product += sums[block, 1]
    return total, product


@njit(parallel=True, fastmath={"nsz", "arcp", "contract", "reassoc"}, cache=True)
def _input_gradient(x, gradient, scale, shift, floor, ceiling, by_x, constant, output):
    n, channels = x.shape
    for i in prange(n):
        for c in range(channels):
            number = get(x, i, c)
            value = number * scale[c] + shift[c]
            slope = get(gradient, i, c)
            passed = slope if (value > floor) & (value < ceiling) else np.float32(0)
            put(output, i, c, passed * scale[c] + number * by_x[c] + constant[c])
