"""The texture network that the backend uses: its weights, its graph, and what runs them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.data_folder import atomic_path, data_folder
from backend.engines.devices import PROCESSOR, Runtime
from backend.engines.graph_files import Graph, find_graph, keep_graph
from backend.engines.sessions import open_session
from backend.errors import BadInputError, MissingAssetError
from backend.texture.mean_face import read_mean_texture
from gan_texture.inference import (
    INPUTS,
    OUTPUT,
    SIZE,
    TEMPLATE,
    OnnxGenerator,
    TextureGenerator,
    TorchGenerator,
    inference_module,
)
from gan_texture.weights import read_generator

SHIPPED_WEIGHTS = Path(__file__).parents[2] / "gan_texture" / "generator.safetensors"
# What networks of the shipped weights' architecture compute; see `backend.engines.sessions`.
SHIPPED_GRAPH = SHIPPED_WEIGHTS.with_suffix(".onnx")
REMEDY = "Reinstall SynergyFace, or choose the texture mode `photo`, which needs no network."


def load_texture_generator(
    runtime: Runtime = PROCESSOR, weights: Path | None = None
) -> TextureGenerator:
    """Load the texture network.

    Raises
    ------
    MissingAssetError
        The weights are absent or damaged, or are of an architecture whose graph only PyTorch can
        make, which is not installed.
    """
    weights = weights or active_weights()
    try:
        if runtime.library == "torch":
            return TorchGenerator(weights, read_mean_texture(SIZE), runtime.device)
        return _onnx_generator(weights, runtime)
    except (ValueError, OSError) as error:
        raise MissingAssetError(
            f"The texture weights {weights} cannot be used: {error}.", REMEDY
        ) from error


def _onnx_generator(weights: Path, runtime: Runtime) -> OnnxGenerator:
    architecture, arrays = read_generator(weights)
    used = {n: a for n, a in arrays.items() if not n.endswith("num_batches_tracked")}
    if architecture.get("template", True):
        used[TEMPLATE] = read_mean_texture(SIZE)
    graph = _graph_of(weights, architecture)
    # Once a photo it needs 27 MB for a moment, which others may have meanwhile.
    session = open_session(
        graph, used, runtime.device, enable_cpu_mem_arena=False, enable_mem_pattern=False
    )
    return OnnxGenerator(session)


def _graph_of(weights: Path, architecture: Mapping[str, Any]) -> Graph:
    shipped = architecture == read_generator(SHIPPED_WEIGHTS)[0]
    graph = SHIPPED_GRAPH if shipped else None
    try:
        return find_graph(weights, graph, lambda: export_generator(architecture))
    except TypeError as error:  # fields that no architecture has, or of other kinds
        raise ValueError(str(error)) from error


def export_generator(architecture: Mapping[str, Any]) -> bytes:
    """Export the graph of every generator of an architecture, as an ONNX file's content."""
    import torch

    from backend.engines.graphs import export_graph
    from gan_texture.generator import Architecture, Generator

    picture = torch.zeros(1, SIZE, SIZE, 3)
    examples = (picture, picture, picture[..., 0])
    inputs = {**dict(zip(INPUTS, examples, strict=True)), TEMPLATE: picture[0]}
    module = inference_module(Generator(Architecture(**architecture)))
    return export_graph(module, inputs, (OUTPUT,), (TEMPLATE,), prefix="generator.")


def active_weights() -> Path:
    """Return the user's imported weights if there are any, else those that we ship."""
    imported = _imported_weights()
    return imported if imported.is_file() else SHIPPED_WEIGHTS


def is_generator(path: Path) -> bool:
    """Tell whether a safetensors file says that it holds a texture network."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as stored:
            described = json.loads((stored.metadata() or {}).get("architecture", "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError):
        return False
    return isinstance(described, dict) and "source" in described


def import_generator(path: Path) -> Path:
    """Make exported weights the network that the backend uses; returns their copy's path.

    Raises
    ------
    BadInputError
        The file is damaged, or needs PyTorch, which is not installed.
    """
    try:
        _onnx_generator(path, PROCESSOR)
    except ValueError as error:
        raise BadInputError(
            f"The texture weights {path} cannot be used: {error}.",
            "Give the file that a training exported.",
        ) from error
    target = _imported_weights()
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    keep_graph(target, lambda: _graph_of(target, read_generator(target)[0]))
    return target


def _imported_weights() -> Path:
    return data_folder() / SHIPPED_WEIGHTS.name
