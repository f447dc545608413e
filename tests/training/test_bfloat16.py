"""What training in bfloat16 on a CPU computes, against PyTorch."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from numba import njit
from torch import nn

from backend.morphable_model.model import MorphableModel
from backend.synergynet.network import Architecture, SynergyNet
from tests.training.conftest import random_parameters
from training.synergynet.bfloat16 import get, put
from training.synergynet.fused_norm import FusedBatchNorm2d, fuse
from training.synergynet.strided_depthwise import StridedDepthwiseConv2d


@njit
def copied(source, target):
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            put(target, i, j, get(source, i, j))


def test_numbers_round_as_pytorch_rounds_them() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 4096, np.uint32)
    halves = np.arange(0x3F80_8000, 0x3F90_8000, 0x1_0000, dtype=np.uint32)
    numbers = np.concatenate([bits, halves]).view(np.float32)
    numbers = numbers[np.isfinite(numbers)][None]
    expected = torch.from_numpy(numbers).to(torch.bfloat16)
    narrow = np.zeros(numbers.shape, np.uint16)
    copied(numbers, narrow)
    np.testing.assert_array_equal(narrow, expected.view(torch.uint16).numpy())
    wide = np.zeros(numbers.shape, np.float32)
    copied(narrow, wide)
    np.testing.assert_array_equal(wide, expected.float().numpy())


def gradients(network: nn.Module, x: torch.Tensor, gradient: torch.Tensor) -> list[torch.Tensor]:
    """Output, and gradients by the input and by every parameter."""
    network.zero_grad()
    given = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    output = network(given)
    output.backward(gradient.to(output.dtype))
    assert given.grad is not None
    return [
        output.detach(),
        given.grad,
        *(p.grad for p in network.parameters() if p.grad is not None),
    ]


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found.float() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("activation", [nn.ReLU6(), nn.Identity()])
def test_fused_layers_take_narrow_activations(activation: nn.Module) -> None:
    torch.manual_seed(0)
    normalisation = nn.BatchNorm2d(24)
    nn.init.uniform_(normalisation.weight, 0.5, 2)
    plain = nn.Sequential(normalisation, activation)
    fused = copy.deepcopy(plain)
    fuse(fused)
    assert isinstance(fused[0], FusedBatchNorm2d)
    x = torch.randn(8, 24, 20, 20).contiguous(memory_format=torch.channels_last).bfloat16()
    gradient = torch.randn_like(x, dtype=torch.float32).bfloat16()
    expected = gradients(plain, x.float(), gradient.float())
    found = gradients(fused, x, gradient)
    assert found[0].dtype == found[1].dtype == torch.bfloat16
    assert found[2].dtype == torch.float32
    for a, b in zip(found, expected, strict=True):
        assert relative_error(a, b) < 4e-3  # a bfloat16 has eight bits


@pytest.mark.parametrize("side", [30, 15])
def test_strided_depthwise_layers_have_pytorch_s_gradients(side: int) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False))
    narrow = copy.deepcopy(plain)
    fuse(narrow)
    assert isinstance(narrow[0], StridedDepthwiseConv2d)
    x = torch.randn(4, 16, side, side).contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(4, 16, (side + 1) // 2, (side + 1) // 2)
    expected = gradients(plain, x, gradient)
    for a, b in zip(gradients(narrow, x, gradient), expected, strict=True):
        torch.testing.assert_close(a, b)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients(narrow, x, gradient)
    assert found[0].dtype == torch.bfloat16
    for a, b in zip(found, expected, strict=True):
        assert relative_error(a, b) < 1e-2


def test_landmarks_are_decoded_exactly_where_all_else_is_narrow(model: MorphableModel) -> None:
    """With eight bits of mantissa they would err by up to half a pixel."""
    network = SynergyNet(Architecture())
    network.attach(model)
    parameters = torch.from_numpy(random_parameters(model, 8, seed=3))
    exact = network.decoder(parameters)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.decoder(parameters).numpy() == pytest.approx(exact.numpy(), abs=1e-3)
