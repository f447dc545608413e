"""The network: sizes of the paper, the authors' checkpoint, weights on disk, engines."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from backend.engines.torch_engine import TorchEngine
from backend.errors import BadInputError, MissingAssetError
from backend.morphable_model.model import MorphableModel
from backend.synergynet import weights
from backend.synergynet.checkpoint import import_checkpoint
from backend.synergynet.folding import folded
from backend.synergynet.network import Architecture, SynergyNet, parameter_counts
from backend.synergynet.weights import SHIPPED_WEIGHTS, load_weights, save_weights
from tests.backend.onnxruntime_engine import with_onnxruntime

# Stages of MobileNetV2 (Sandler et al. 2018, Table 2): expansion, channels, repeats, stride.
TABLE_2 = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
Blocks = list[tuple[int, int, int, int]]
State = dict[str, torch.Tensor]


def blocks() -> Blocks:
    """(in, out, stride, expansion) of every inverted residual."""
    found, channels = [], 32
    for expansion, out, repeats, stride in TABLE_2:
        for index in range(repeats):
            found.append((channels, out, stride if index == 0 else 1, expansion))
            channels = out
    return found


def official_state(seed: int = 0) -> State:
    """Random tensors under the names and shapes of the authors' ``best.pth.tar``."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        return torch.randn(*shape, generator=generator) * (1.5 / fan_in) ** 0.5

    state: State = {}

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = 0.5 + torch.rand(width, generator=generator)
        state[f"{name}.bias"] = torch.randn(width, generator=generator) * 0.1
        state[f"{name}.running_mean"] = torch.randn(width, generator=generator) * 0.1
        state[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=generator)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    features = "I2P.backbone.features."
    state[f"{features}0.0.weight"] = normal(32, 3, 3, 3)
    norm(f"{features}0.1", 32)
    for number, (inner, out, _, expansion) in enumerate(blocks(), 1):
        hidden, name = inner * expansion, f"{features}{number}.conv"
        step = 0
        if expansion != 1:
            state[f"{name}.0.0.weight"] = normal(hidden, inner, 1, 1)
            norm(f"{name}.0.1", hidden)
            step = 1
        state[f"{name}.{step}.0.weight"] = normal(hidden, 1, 3, 3)
        norm(f"{name}.{step}.1", hidden)
        state[f"{name}.{step + 1}.weight"] = normal(out, hidden, 1, 1)
        norm(f"{name}.{step + 2}", out)
    state[f"{features}18.0.weight"] = normal(1280, 320, 1, 1)
    norm(f"{features}18.1", 1280)
    for name, width in (("ori", 12), ("shape", 40), ("exp", 10)):
        state[f"I2P.backbone.classifier_{name}.1.weight"] = normal(width, 1280)
        state[f"I2P.backbone.classifier_{name}.1.bias"] = normal(width)
    point_widths = [3, 64, 64, 64, 128, 1024]
    for direction in ("forwardDirection", "reverseDirection"):
        for n, (a, b) in enumerate(itertools.pairwise(point_widths), 1):
            state[f"{direction}.conv{n}.weight"] = normal(b, a, 1)
            state[f"{direction}.conv{n}.bias"] = normal(b) * 0.1
            norm(f"{direction}.bn{n}", b)
    for n, (a, b) in enumerate([(2418, 512), (512, 256), (256, 128), (128, 3)], 6):
        state[f"forwardDirection.conv{n}.weight"] = normal(b, a, 1)
        state[f"forwardDirection.conv{n}.bias"] = normal(b) * 0.1
        norm(f"forwardDirection.bn{n}", b)
    for n, width in enumerate((12, 40, 10), 1):
        state[f"reverseDirection.conv6_{n}.weight"] = normal(width, 1024, 1)
        state[f"reverseDirection.conv6_{n}.bias"] = normal(width) * 0.1
        norm(f"reverseDirection.bn6_{n}", width)
    state["param_mean"] = torch.randn(102, generator=generator)
    state["param_std"] = 0.5 + torch.rand(102, generator=generator)
    state["u"] = torch.zeros(159645, 1)
    state["w_shp_base"] = torch.zeros(204, 40)
    return state


def batch_norm(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    shape = (1, -1, *[1] * (x.ndim - 2))
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    scale = state[f"{name}.weight"] / torch.sqrt(var + 1e-5)
    return (x - mean.view(shape)) * scale.view(shape) + state[f"{name}.bias"].view(shape)


def official_features(state: State, bgr: torch.Tensor) -> torch.Tensor:
    """The authors' image branch, written down step by step: (N, 1280)."""
    features = "I2P.backbone.features."
    x = functional.conv2d(bgr, state[f"{features}0.0.weight"], stride=2, padding=1)
    x = batch_norm(state, f"{features}0.1", x).clamp(0, 6)
    for number, (inner, out, stride, expansion) in enumerate(blocks(), 1):
        name, step, y = f"{features}{number}.conv", 0, x
        if expansion != 1:
            y = functional.conv2d(y, state[f"{name}.0.0.weight"])
            y = batch_norm(state, f"{name}.0.1", y).clamp(0, 6)
            step = 1
        depthwise = state[f"{name}.{step}.0.weight"]
        y = functional.conv2d(y, depthwise, stride=stride, padding=1, groups=inner * expansion)
        y = batch_norm(state, f"{name}.{step}.1", y).clamp(0, 6)
        y = functional.conv2d(y, state[f"{name}.{step + 1}.weight"])
        y = batch_norm(state, f"{name}.{step + 2}", y)
        x = x + y if stride == 1 and inner == out else y
    x = functional.conv2d(x, state[f"{features}18.0.weight"])
    return batch_norm(state, f"{features}18.1", x).clamp(0, 6).mean((2, 3))


def official_whitened(state: State, z: torch.Tensor) -> torch.Tensor:
    head = "I2P.backbone.classifier_"
    return torch.cat(
        [
            z @ state[f"{head}{name}.1.weight"].T + state[f"{head}{name}.1.bias"]
            for name in ("ori", "shape", "exp")
        ],
        1,
    )


def point_layer(state: State, direction: str, n: str, x: torch.Tensor) -> torch.Tensor:
    weight = state[f"{direction}.conv{n}.weight"][:, :, 0]
    y = torch.einsum("oi,nip->nop", weight, x) + state[f"{direction}.conv{n}.bias"][:, None]
    return batch_norm(state, f"{direction}.bn{n}", y).clamp(min=0)


def official_residual(
    state: State, points: torch.Tensor, z: torch.Tensor, whitened: torch.Tensor
) -> torch.Tensor:
    """The authors' forward direction with its concatenation of 2418 features per point."""
    x = point_layer(state, "forwardDirection", "2", point_layer(state, "forwardDirection", "1",
                                                               points))  # fmt: skip
    low_level = x
    for n in "345":
        x = point_layer(state, "forwardDirection", n, x)
    holistic = x.max(dim=2, keepdim=True).values

    def repeat(attribute: torch.Tensor) -> torch.Tensor:
        return attribute.unsqueeze(2).repeat(1, 1, 68)

    x = torch.cat(
        [low_level, holistic.repeat(1, 1, 68), repeat(z), repeat(whitened[:, 12:52]),
         repeat(whitened[:, 52:])], 1
    )  # fmt: skip
    for n in "6789":
        x = point_layer(state, "forwardDirection", n, x)
    return x


def official_reverse(state: State, points: torch.Tensor) -> torch.Tensor:
    x = points
    for n in "12345":
        x = point_layer(state, "reverseDirection", n, x)
    pooled = x.max(dim=2, keepdim=True).values
    heads = [point_layer(state, "reverseDirection", f"6_{n}", pooled) for n in (1, 2, 3)]
    return torch.cat(heads, 1)[:, :, 0]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, SynergyNet]:
    folder = tmp_path_factory.mktemp("checkpoint")
    state = official_state()
    saved = {"epoch": 80, "state_dict": {f"module.{name}": t for name, t in state.items()}}
    torch.save(saved, folder / "best.pth.tar")
    return state, load_weights(import_checkpoint(folder / "best.pth.tar", folder / "w.safetensors"))


def test_imported_checkpoint_computes_what_the_authors_code_does(
    imported: tuple[State, SynergyNet],
) -> None:
    state, network = imported
    rgb = torch.rand(3, 3, 120, 120, generator=torch.Generator().manual_seed(1)) * 2 - 1
    z = official_features(state, rgb.flip(1))
    whitened = official_whitened(state, z)
    with torch.no_grad():
        prediction = network(rgb)
    torch.testing.assert_close(prediction.whitened, whitened, atol=1e-4, rtol=1e-4)
    expected = whitened * state["param_std"][:62] + state["param_mean"][:62]
    torch.testing.assert_close(prediction.parameters, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(prediction.refined, prediction.coarse)


def test_imported_point_networks_compute_what_the_authors_code_does(
    imported: tuple[State, SynergyNet],
) -> None:
    state, network = imported
    assert network.refinement is not None
    generator = torch.Generator().manual_seed(2)
    points = torch.rand(2, 3, 68, generator=generator) * 120
    z, whitened = torch.rand(2, 1280, generator=generator), torch.randn(2, 62, generator=generator)
    with torch.no_grad():
        residual = network.refinement(points, z, whitened[:, 12:52], whitened[:, 52:])
        # Ours are y up, theirs 121 - y.
        ours = torch.stack([points[:, 0], 121 - points[:, 1], points[:, 2]], 1)
        reverse = network.reverse(ours)
    expected = 0.05 * official_residual(state, points, z, whitened)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(residual, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(reverse, official_reverse(state, points), atol=1e-4, rtol=1e-4)


def test_checkpoints_that_execute_code_or_are_of_another_network_are_refused(
    tmp_path: Path,
) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "executed",))  # type: ignore[return-value]

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth.tar")
    torch.save({"state_dict": {"fc.weight": torch.zeros(2)}}, tmp_path / "other.pth.tar")
    (tmp_path / "text.pth.tar").write_text("not a checkpoint")
    wrong_shape = official_state() | {"I2P.backbone.classifier_exp.1.bias": torch.zeros(29)}
    torch.save({"state_dict": wrong_shape}, tmp_path / "shape.pth.tar")
    for name in ("evil", "other", "text", "shape"):
        with pytest.raises(BadInputError) as refused:
            import_checkpoint(tmp_path / f"{name}.pth.tar", tmp_path / "out.safetensors")
        assert f"{name}.pth.tar" in refused.value.problem
        assert refused.value.remedy
    assert not (tmp_path / "executed").exists()
    assert not (tmp_path / "out.safetensors").exists()


def test_parameter_counts(tmp_path: Path) -> None:
    """MobileNetV2 without classifier has 2,223,872 (torchvision's 3,504,872 less 1280x1000+1000).

    The heads and the point networks are counted by hand from the widths in the paper; a layer of
    them is an affine map with a bias, and batch normalisation two numbers per channel.
    """

    def layers(*widths: int) -> int:
        pairs = itertools.pairwise(widths)
        return sum(a * b + 3 * b for a, b in pairs)

    mafa = layers(3, 64, 64, 64, 128, 1024) + layers(2418, 512, 256, 128) + 128 * 3 + 3
    adaptation = sum(width * width + width for width in (1280, 40, 10))
    save_weights(SynergyNet(), tmp_path / "w.safetensors")
    stored = weights.parameter_counts(tmp_path / "w.safetensors")
    assert stored | {"decoder": 0} == parameter_counts(SynergyNet())
    assert parameter_counts(SynergyNet()) == {
        "backbone": 3_504_872 - 1_281_000,
        "heads": 1280 * 62 + 62,
        "refinement": mafa + adaptation,
        "landmark_to_3dmm": layers(3, 64, 64, 64, 128, 1024) + 1024 * 62 + 62,
        "decoder": 0,
    }


def test_onnx_and_torch_agree(model: MorphableModel, tmp_path: Path) -> None:
    """Worst case over both outputs: 1e-4 of whitened parameters, 1e-4 of the crop's side."""
    torch.manual_seed(0)
    network = SynergyNet()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            assert module.running_var is not None
            assert module.running_mean is not None
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
    network.decoder.parameter_mean.copy_(torch.from_numpy(model.parameter_mean))
    network.decoder.parameter_std.copy_(torch.from_numpy(model.parameter_std))
    crops = np.random.default_rng(0).integers(0, 256, (3, 120, 120, 3), np.uint8)
    onnx = with_onnxruntime(network.eval(), model, tmp_path).run(crops)
    reference = TorchEngine(network, model, "cpu").run(crops)
    whitened = (onnx.parameters - reference.parameters) / model.parameter_std
    assert np.abs(whitened).max() < 1e-4
    for name in ("coarse", "refined"):
        assert np.abs(getattr(onnx, name) - getattr(reference, name)).max() < 120e-4
    assert np.abs(onnx.refined - onnx.coarse).max() > 1e-3


@pytest.mark.parametrize("architecture", [Architecture(), Architecture("official")], ids=str)
def test_folded_network_computes_the_same(
    architecture: Architecture, model: MorphableModel
) -> None:
    torch.manual_seed(0)
    network = SynergyNet(architecture)
    network.attach(model)
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(norm.weight, 0.5, 2)
            torch.nn.init.normal_(norm.bias, mean=4)
            assert norm.running_mean is not None and norm.running_var is not None
            torch.nn.init.normal_(norm.running_mean)
            torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    network.eval()
    smaller = folded(network)
    points, z = torch.randn(3, 3, 68), torch.randn(3, 1280)
    attributes = (points, z, torch.randn(3, 40), torch.randn(3, 10))
    assert network.refinement is not None and smaller.refinement is not None
    with torch.inference_mode():
        expected = network.refinement(*attributes)
        found = smaller.refinement(*attributes)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    norms = [m for m in smaller.refinement.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert not norms
    # The original stays what it was.
    with torch.inference_mode():
        torch.testing.assert_close(network.refinement(*attributes), expected, rtol=0, atol=0)


def test_weights_survive_the_disk_without_any_bfm_array(tmp_path: Path) -> None:
    from safetensors import safe_open

    network = SynergyNet(Architecture("official"))
    save_weights(network, tmp_path / "w.safetensors", half=False)
    again = load_weights(tmp_path / "w.safetensors")
    assert again.architecture == network.architecture
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    with safe_open(tmp_path / "w.safetensors", framework="pt") as stored:
        assert not [name for name in stored.keys() if "landmark_mean" in name or "basis" in name]  # noqa: SIM118


def test_missing_and_damaged_weights_say_what_to_do(tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    save_weights(SynergyNet(), cut)
    cut.write_bytes(cut.read_bytes()[:100_000])
    for path in (tmp_path / "none.safetensors", cut):
        with pytest.raises(MissingAssetError) as error:
            load_weights(path)
        assert str(path) in error.value.problem
        assert "assets import" in error.value.remedy


def test_shipped_weights_are_half_precision_and_hold_no_bfm_arrays() -> None:
    from safetensors import safe_open

    with safe_open(SHIPPED_WEIGHTS, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    assert SHIPPED_WEIGHTS.stat().st_size < 15e6
    assert set(tensors) == set(SynergyNet().state_dict())
