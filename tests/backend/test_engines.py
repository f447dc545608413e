"""Networks without PyTorch: graphs that hold no numbers, weights that belong to them, devices."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from backend.asset_import import import_asset
from backend.engines import devices
from backend.engines.devices import Runtime, find_runtime, find_torch_device
from backend.engines.engine import load_engine
from backend.engines.graph_files import graph_beside
from backend.errors import BadInputError, MissingAssetError
from backend.morphable_model.model import MorphableModel
from backend.synergynet import weights
from backend.synergynet.network import Architecture, SynergyNet
from backend.texture import generator
from backend.texture.covers import finding as covers
from tests.peak_memory import run_alone

GRAPHS = {
    "synergynet": weights.SHIPPED_GRAPH,
    "generator": generator.SHIPPED_GRAPH,
    "covers": covers.GRAPH,
}
LARGEST_CONSTANT = 16
WITHOUT_TORCH = """
import sys
from backend.pipeline import FaceReconstructor
reconstructor = FaceReconstructor.load("cpu")
reconstructor.baker(512, "gan")
import backend.texture.covers.finding
backend.texture.covers.finding.CoverFinder.load()
print("torch" in sys.modules, "onnx" in sys.modules)
"""


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_hold_no_numbers(name: str) -> None:
    """Neither weights nor rows of the morphable model; what is left are sizes and factors."""
    graph = onnx.load(GRAPHS[name], load_external_data=False).graph
    assert not any(array.raw_data or array.float_data for array in graph.initializer)
    constants = [a.t for node in graph.node for a in node.attribute if a.HasField("t")]
    assert constants
    assert max(np.prod(constant.dims, initial=1) for constant in constants) < LARGEST_CONSTANT
    assert GRAPHS[name].stat().st_size < 200_000


def test_shipped_graphs_are_those_of_the_code() -> None:
    """If this fails, run ``python -m backend.engines.graphs``."""
    from backend.synergynet.inference import export_synergynet
    from backend.texture.covers.network import export_covers

    architecture = Architecture(**weights.read_architecture(weights.SHIPPED_WEIGHTS))
    fields, _ = generator.read_generator(generator.SHIPPED_WEIGHTS)
    made = {
        "synergynet": export_synergynet(architecture),
        "generator": generator.export_generator(fields),
        "covers": export_covers(tuple(covers.read_weights(covers.WEIGHTS)[0]["widths"])),
    }
    for name, content in made.items():
        assert operations(content) == operations(GRAPHS[name].read_bytes()), name


def test_no_torch_on_the_processor(model: MorphableModel, detector_file: Path) -> None:
    (imported,), _ = run_alone(WITHOUT_TORCH)
    assert imported == "False False"


def test_another_architecture_needs_torch_once(
    model: MorphableModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imported with PyTorch it runs without; without PyTorch the import says what to install."""
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path / "data"))
    path = tmp_path / "plain.safetensors"
    weights.save_weights(SynergyNet(Architecture(refinement="none", reverse="none")), path)
    with monkeypatch.context() as without:
        without.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(BadInputError, match="PyTorch"):
            import_asset(path)
    assert weights.active_weights() == weights.SHIPPED_WEIGHTS
    import_asset(path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    crops = np.zeros((1, 120, 120, 3), np.uint8)
    answer = load_engine(model, "cpu").run(crops)
    np.testing.assert_array_equal(answer.coarse, answer.refined)
    # Back to a network of the shipped architecture: its graph is the shipped one.
    import_asset(weights.SHIPPED_WEIGHTS)
    assert not graph_beside(weights.active_weights()).exists()


@pytest.mark.parametrize("damage", ["lacks", "shape"])
def test_weights_that_do_not_fit_are_named(
    model: MorphableModel, tmp_path: Path, damage: str
) -> None:
    arrays = load_file(weights.SHIPPED_WEIGHTS)
    if damage == "lacks":
        del arrays["heads.pose.weight"]
    else:
        arrays["heads.pose.weight"] = arrays["heads.pose.weight"][:5]
    path = tmp_path / "odd.safetensors"
    fields = weights.read_architecture(weights.SHIPPED_WEIGHTS)
    save_file(arrays, path, {weights.ARCHITECTURE_KEY: json.dumps(fields)})
    with pytest.raises(MissingAssetError, match=r"odd\.safetensors cannot be used"):
        load_engine(model, "cpu", path)


def test_devices_by_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch before onnxruntime, a graphics card before the processor."""
    has: dict[str, set[str]] = {"torch": set(), "onnxruntime": set()}
    monkeypatch.setattr(devices, "_torch_has", lambda name: name in has["torch"])
    monkeypatch.setattr(devices, "_onnxruntime_has", lambda name: name in has["onnxruntime"])
    assert find_runtime("auto") == Runtime("cpu", "onnxruntime")
    for device in ("cuda", "mps", "directml", "coreml"):
        with pytest.raises(BadInputError) as refused:
            find_runtime(device)
        assert device in refused.value.problem and refused.value.remedy
    has["onnxruntime"] = {"cuda", "directml", "coreml"}
    assert find_runtime("auto") == Runtime("cuda", "onnxruntime")
    assert find_runtime("coreml") == Runtime("coreml", "onnxruntime")
    with pytest.raises(BadInputError):
        find_torch_device("cuda")
    has["torch"] = {"cuda"}
    assert find_runtime("auto") == Runtime("cuda", "torch")
    assert find_torch_device("auto") == "cuda"


def test_providers_of_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(sys, "platform", "win32")
    offered = ["DmlExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    assert find_runtime("directml") == Runtime("directml", "onnxruntime")


def operations(content: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """What a graph computes, by kinds; with the arrays that each step takes."""
    graph = onnx.load_from_string(content).graph
    arrays = {array.name for array in graph.initializer}
    return [
        (node.op_type, tuple(name for name in node.input if name in arrays)) for node in graph.node
    ]


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.engines.sessions import threads

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert threads() == 2
