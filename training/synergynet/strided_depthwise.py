"""Depthwise convolution with a stride, with a backward pass that is fast in bfloat16 on a CPU.

oneDNN has no fast kernel for the gradient by the input of such a layer in bfloat16: it takes 80 ms
for 96 channels of 60 x 60 pixels in 64 pictures, where single precision takes 4. The same gradient
is a convolution without stride, of the outputs' gradient with zeros in between, by the turned
kernel; for that there is one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def is_strided_depthwise(layer: nn.Module) -> bool:
    """Tell whether a layer can be a `StridedDepthwiseConv2d`."""
    return (
        type(layer) is nn.Conv2d
        and layer.groups == layer.in_channels == layer.out_channels > 1
        and layer.stride == (2, 2)
        and layer.kernel_size == (3, 3)
        and layer.padding == (1, 1)
        and layer.dilation == (1, 1)
        and layer.bias is None
    )


class StridedDepthwiseConv2d(nn.Conv2d):
    """Every second pixel of a 3x3 depthwise convolution; names and numbers are Conv2d's."""

    def forward(self, input: Tensor) -> Tensor:
        narrow = torch.is_autocast_enabled("cpu") and input.device.type == "cpu"
        if not narrow or torch.get_autocast_dtype("cpu") != torch.bfloat16:
            return super().forward(input)
        weight = self.weight.to(torch.bfloat16)
        return _Convolution.apply(input.to(torch.bfloat16), weight)  # pyright: ignore[reportReturnType]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Any:
        x, weight = arguments
        ctx.save_for_backward(x, weight)
        return functional.conv2d(x, weight, stride=2, padding=1, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        _, to_weight, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, [2, 2], [1, 1], [1, 1], False, [0, 0], len(weight),
            [False, True, False],
        )  # fmt: skip
        spread = torch.zeros_like(x)
        spread[:, :, ::2, ::2] = gradient
        to_x = functional.conv2d(spread, weight.flip(2, 3), padding=1, groups=len(weight))
        return to_x, to_weight
