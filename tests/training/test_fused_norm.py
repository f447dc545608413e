"""The fused layer against PyTorch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from training.synergynet.fused_norm import FusedBatchNorm2d, fuse


@pytest.mark.parametrize("activation", [nn.ReLU6(), nn.Identity()])
@pytest.mark.parametrize("channels", [3, 96])
def test_fused_layers_compute_what_pytorch_does(activation: nn.Module, channels: int) -> None:
    torch.manual_seed(0)
    normalisation = nn.BatchNorm2d(channels)
    nn.init.uniform_(normalisation.weight, 0.5, 2)
    nn.init.uniform_(normalisation.bias)
    plain = nn.Sequential(normalisation, activation)
    fused = copy.deepcopy(plain)
    fuse(fused)
    assert isinstance(fused[0], FusedBatchNorm2d)
    assert fused.state_dict().keys() == plain.state_dict().keys()
    # Off zero mean: naive sums of squares would lose digits.
    x = (torch.randn(5, channels, 40, 30) * 2 + 9).contiguous(memory_format=torch.channels_last)
    gradient = torch.randn_like(x)
    outputs, inputs = [], []
    for network in (plain, fused):
        given = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        output = network(given)
        output.backward(gradient)
        outputs.append(output.detach())
        assert given.grad is not None
        inputs.append(given.grad)
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=2e-4)
    # Rounding decides whether a value right at a limit passes, and its channel's sums with it.
    away = (inputs[1] - inputs[0]).abs()
    assert away.median() < 1e-5
    assert (away > 1e-3).float().mean() < 1e-4
    for name, parameter in plain.named_parameters():
        other = fused.get_parameter(name)
        torch.testing.assert_close(other.grad, parameter.grad, rtol=1e-3, atol=5e-2)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(fused.get_buffer(name), buffer, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fused.eval()(x), plain.eval()(x))
