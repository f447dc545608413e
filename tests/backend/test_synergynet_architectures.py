"""Backbones against their papers, and the networks of the ablations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from backend.engines.torch_engine import TorchEngine
from backend.errors import BadInputError, MissingAssetError
from backend.morphable_model.model import MorphableModel
from backend.synergynet.architecture import Architecture, Refinement, Reverse
from backend.synergynet.backbones import BACKBONES, BackboneName
from backend.synergynet.network import SynergyNet, normalise_image, parameter_counts
from backend.synergynet.resnest import SplitAttentionBottleneck
from backend.synergynet.resnet import Bottleneck
from backend.synergynet.weights import load_weights, save_weights
from tests.backend.onnxruntime_engine import with_onnxruntime

# Parameters with a classifier of 1000 classes, as published with the networks.
PUBLISHED = {
    "mobilenet_v2": 3_504_872,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnest50": 27_483_240,
    "resnest101": 48_275_016,
}
WIDTHS = dict.fromkeys(PUBLISHED, 2048) | {"mobilenet_v2": 1280}
PLAIN = Architecture(refinement="none", reverse="none")
ABLATIONS = {
    "full": Architecture(),
    "plain": PLAIN,
    "larger_plain": replace(PLAIN, head_width=1172),
    "mafa_only": Architecture(reverse="none"),
    "reverse_only": Architecture(refinement="none"),
    "points": Architecture(refinement="points", reverse="none"),
    "points_image": Architecture(refinement="points_image", reverse="none"),
    "comparison1": Architecture(reverse="from_refinement"),
    "comparison2": Architecture(reverse="with_attributes"),
}


def images(n: int = 2, size: int = 64) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(3)) * 2 - 1


def used(network: nn.Module) -> nn.Module:
    """A new network whose normalisation has seen something, in evaluation mode."""
    generator = torch.Generator().manual_seed(4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.1, generator=generator)
    return network.eval()


@pytest.mark.parametrize("name", list(BACKBONES))
def test_backbones_have_the_published_sizes(name: BackboneName) -> None:
    """Without the classifier; the feature of a crop of 120 pixels is what the paper pools."""
    backbone = BACKBONES[name]()
    width = backbone.feature_width
    assert width == WIDTHS[name]
    count = sum(p.numel() for p in backbone.parameters())
    assert count + width * 1000 + 1000 == PUBLISHED[name]
    with torch.no_grad():
        z = backbone.eval()(images(1, 120))
    assert z.shape == (1, width)


@pytest.mark.parametrize("name", ["resnet50", "resnest50"])
def test_backbones_reduce_the_picture_by_32(name: BackboneName) -> None:
    """Five halvings: 128 pixels end as 4 x 4, which the last block of the last stage shows."""
    backbone = BACKBONES[name]().eval()
    shapes: list[tuple[int, ...]] = []
    last = list(backbone.get_submodule("layer4").children())[-1]
    last.register_forward_hook(lambda _m, _i, output: shapes.append(tuple(output.shape)))
    with torch.no_grad():
        backbone(images(1, 128))
    assert shapes == [(1, 2048, 4, 4)]


def norm(block: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    def column(field: str) -> Tensor:
        return block[f"{name}.{field}"].view(1, -1, 1, 1)

    centred = (x - column("running_mean")) / torch.sqrt(column("running_var") + 1e-5)
    return centred * column("weight") + column("bias")


def test_bottleneck_is_the_papers() -> None:
    block = used(Bottleneck(64, 32, stride=2))
    s = block.state_dict()
    x = torch.randn(2, 64, 9, 9, generator=torch.Generator().manual_seed(5))
    y = norm(s, "bn1", functional.conv2d(x, s["conv1.weight"])).clamp(min=0)
    y = functional.conv2d(y, s["conv2.weight"], stride=2, padding=1)
    y = norm(s, "bn2", y).clamp(min=0)
    y = norm(s, "bn3", functional.conv2d(y, s["conv3.weight"]))
    skip = norm(s, "downsample.1", functional.conv2d(x[:, :, ::2, ::2], s["downsample.0.weight"]))
    with torch.no_grad():
        torch.testing.assert_close(block(x), (y + skip).clamp(min=0), atol=1e-5, rtol=1e-4)


def test_split_attention_is_the_papers() -> None:
    """Equations 1 to 4 of Zhang et al. 2020 with cardinality 1 and radix 2, split by split."""
    block = used(SplitAttentionBottleneck(64, 32, stride=2))
    s = block.state_dict()
    x = torch.randn(2, 64, 8, 8, generator=torch.Generator().manual_seed(6))
    y = norm(s, "bn1", functional.conv2d(x, s["conv1.weight"])).clamp(min=0)
    kernels = s["conv2.conv.weight"]
    halves = [
        functional.conv2d(y[:, :16], kernels[:32], padding=1),
        functional.conv2d(y[:, 16:], kernels[32:], padding=1),
    ]
    u = norm(s, "conv2.bn0", torch.cat(halves, 1)).clamp(min=0)
    gap = (u[:, :32] + u[:, 32:]).mean((2, 3), keepdim=True)
    hidden = functional.conv2d(gap, s["conv2.fc1.weight"], s["conv2.fc1.bias"])
    hidden = norm(s, "conv2.bn1", hidden).clamp(min=0)
    scores = functional.conv2d(hidden, s["conv2.fc2.weight"], s["conv2.fc2.bias"])
    first = 1 / (1 + torch.exp(scores[:, 32:] - scores[:, :32]))
    v = first * u[:, :32] + (1 - first) * u[:, 32:]
    v = functional.avg_pool2d(v, 3, 2, 1)
    v = norm(s, "bn3", functional.conv2d(v, s["conv3.weight"]))
    pooled = x.reshape(2, 64, 4, 2, 4, 2).mean((3, 5))
    skip = norm(s, "downsample.2", functional.conv2d(pooled, s["downsample.1.weight"]))
    with torch.no_grad():
        torch.testing.assert_close(block(x), (v + skip).clamp(min=0), atol=1e-5, rtol=1e-4)


def test_resnet_takes_torchvisions_names() -> None:
    names = set(BACKBONES["resnet50"]().state_dict())
    norms = {f"bn{n}.{f}" for n in (1, 2, 3) for f in ("weight", "running_var")}
    block = {f"conv{n}.weight" for n in (1, 2, 3)} | norms
    blocks = {1: 3, 2: 4, 3: 6, 4: 3}
    expected = {
        f"layer{n}.{i}.{part}" for n, k in blocks.items() for i in range(k) for part in block
    }
    expected |= {f"layer{n}.0.downsample.{part}" for n in blocks for part in ("0.weight", "1.bias")}
    assert expected | {"conv1.weight", "bn1.weight"} <= names
    assert len(names) == 318  # torchvision's 320 entries less fc.weight and fc.bias


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_every_parameter_of_an_ablation_learns(name: str, model: MorphableModel) -> None:
    """None is left without gradient (DDP would wait for it), and the outputs are there."""
    torch.manual_seed(0)
    architecture = ABLATIONS[name]
    network = SynergyNet(architecture)
    network.attach(model)
    said = network.train().training_forward(images())
    assert said.refined.shape == said.coarse.shape == (2, 3, 68)
    outputs = [said.whitened, said.refined]
    if architecture.reverse == "none":
        assert said.read_back is None
    else:
        assert said.read_back is not None
        assert said.read_back.shape == (2, 62)
        outputs.append(said.read_back)
    sum(output.square().mean() for output in outputs).backward()  # pyright: ignore
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    assert torch.equal(said.refined, said.coarse) == (architecture.refinement == "none")


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_inference_says_what_training_does(name: str, model: MorphableModel) -> None:
    torch.manual_seed(1)
    network = SynergyNet(ABLATIONS[name])
    network.attach(model)
    used(network)
    with torch.no_grad():
        inferred, trained = network(images()), network.training_forward(images())
    for field in inferred._fields:
        assert torch.equal(getattr(inferred, field), getattr(trained, field)), field


def _brighten(_module: nn.Module, _inputs: object, z: Tensor) -> Tensor:
    return z + 0.5


@pytest.mark.parametrize(
    ("reverse", "through_refined", "through_image"),
    [("adopted", True, False), ("with_attributes", True, True), ("from_refinement", False, False)],
)
def test_where_parameters_are_read_back_from(
    reverse: Reverse, through_refined: bool, through_image: bool, model: MorphableModel
) -> None:
    """Shift the refined landmarks, or the image feature behind the heads' back, and look."""
    torch.manual_seed(2)
    network = SynergyNet(Architecture(reverse=reverse, refinement="points"))
    network.attach(model)
    used(network)
    assert network.refinement is not None
    with torch.no_grad():
        before = network.training_forward(images()).read_back
        network.refinement.residual.get_parameter("bias").add_(torch.tensor([9.0, 0.0, 0.0]))
        shifted = network.training_forward(images()).read_back
        network.backbone.register_forward_hook(_brighten)
        for head in (network.heads.pose, network.heads.shape, network.heads.expression):
            head.bias.sub_(0.5 * head.weight.sum(dim=1))
        brighter = network.training_forward(images()).read_back
    assert before is not None
    assert shifted is not None
    assert brighter is not None
    assert ((shifted - before).abs().max() > 1e-3) == through_refined
    assert ((brighter - shifted).abs().max() > 1e-3) == through_image


@pytest.mark.parametrize(
    ("refinement", "z_matters", "coefficients_matter"),
    [("points", False, False), ("points_image", True, False), ("mafa", True, True)],
)
def test_what_the_refinement_aggregates(
    refinement: Refinement, z_matters: bool, coefficients_matter: bool
) -> None:
    """Of the face part of the joint layer: 1024 for the points, 1280 for z, 50 for alpha."""
    network = SynergyNet(Architecture(refinement=refinement))
    assert network.refinement is not None
    width = 1024 + 1280 * z_matters + 50 * coefficients_matter
    assert network.refinement.joint_face.weight.shape == (512, width)


def test_larger_plain_network_has_the_size_of_table_s2() -> None:
    """3.8 M: a layer of 1280 x 1172, its normalisation, and heads of 1172 x 62."""
    counts = parameter_counts(SynergyNet(ABLATIONS["larger_plain"]))
    assert counts["heads"] == 1280 * 1172 + 2 * 1172 + 1172 * 62 + 62
    assert sum(counts.values()) == pytest.approx(3.8e6, rel=0.002)
    assert set(counts) == {"backbone", "heads", "decoder"}


def test_architectures_survive_the_disk(tmp_path: Path) -> None:
    for name, architecture in ABLATIONS.items():
        path = tmp_path / f"{name}.safetensors"
        save_weights(SynergyNet(architecture), path)
        assert load_weights(path).architecture == architecture


def test_files_that_name_only_a_variant_still_load(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "old.safetensors"
    network = SynergyNet()
    save_file(network.state_dict(), path, {"architecture": json.dumps({"variant": "paper"})})
    assert load_weights(path).architecture == Architecture()


def test_parts_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(ValueError, match="official"):
        Architecture("official", backbone="resnet50")
    with pytest.raises(ValueError, match="needs a refinement"):
        Architecture(refinement="none", reverse="from_refinement")
    unknown = {"variant": "paper", "backbone": "alexnet"}
    path = tmp_path / "unknown.safetensors"
    save_file(SynergyNet().state_dict(), path, {"architecture": json.dumps(unknown)})
    with pytest.raises(MissingAssetError, match="alexnet"):
        load_weights(path)
    with pytest.raises(BadInputError, match="does not take landmarks alone"):
        SynergyNet(PLAIN).reverse(torch.zeros(1, 3, 68))


@pytest.mark.parametrize("architecture", [PLAIN, Architecture(backbone="resnest50")])
def test_onnx_and_torch_agree(
    architecture: Architecture, model: MorphableModel, tmp_path: Path
) -> None:
    """As for the paper's network: 1e-4 of the crop's side (120 pixels)."""
    torch.manual_seed(0)
    network = SynergyNet(architecture)
    network.decoder.parameter_mean.copy_(torch.from_numpy(model.parameter_mean))
    network.decoder.parameter_std.copy_(torch.from_numpy(0.1 * model.parameter_std))
    network.attach(model)
    crops = np.random.default_rng(0).integers(0, 256, (3, 120, 120, 3), np.uint8)
    crops[0], crops[1] = 0, 255
    # Without statistics of its own, an untrained network in evaluation mode sees no image at all.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(normalise_image(torch.from_numpy(crops)))
    network.eval()
    onnx = with_onnxruntime(network, model, tmp_path).run(crops)
    reference = TorchEngine(network, model, "cpu").run(crops)
    for name in ("coarse", "refined"):
        assert np.abs(getattr(onnx, name) - getattr(reference, name)).max() < 120e-4
    assert np.ptp(onnx.coarse, axis=0).max() > 0.1


def test_landmarks_are_exact_under_autocast(model: MorphableModel) -> None:
    """bfloat16 has 8 bits: at 120 pixels it would be off by up to half of one."""
    decoder = SynergyNet(PLAIN).decoder
    decoder.attach(model)
    parameters = torch.from_numpy(model.parameter_mean)[None]
    with torch.autocast("cpu", torch.bfloat16):
        found = decoder(parameters)
    matrix = model.parameter_mean[:12].reshape(3, 4).astype(np.float64)
    vertices = model.landmark_mean + model.landmark_basis @ model.parameter_mean[12:]
    expected = 1000 * vertices @ matrix[:, :3].T + matrix[:, 3]
    np.testing.assert_allclose(found[0].T.numpy(), expected, atol=1e-2)
