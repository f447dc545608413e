"""Where the graph of a file of weights lies: shipped, kept beside the weights, or made now."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from backend.data_folder import atomic_path

Graph = Path | bytes


def find_graph(weights: Path, shipped: Path | None, export: Callable[[], bytes]) -> Graph:
    """Find or make the graph of weights, as a file or a file's content.

    Parameters
    ----------
    shipped
        The shipped graph, if the weights are of its architecture.
    export
        Makes it with PyTorch.

    Raises
    ------
    ValueError
        It would have to be made, and PyTorch is not installed.
    """
    if shipped is not None:
        return shipped
    kept = graph_beside(weights)
    if kept.is_file():
        return kept
    if not all(importlib.util.find_spec(name) for name in ("torch", "onnx")):
        raise ValueError(
            "they have another architecture, and importing those needs PyTorch. Run pip "
            'install "synergyface[gpu]" and import them again'
        )
    return export()


def keep_graph(weights: Path, find: Callable[[], Graph]) -> None:
    """Keep the graph of weights beside them, unless it is a shipped one.

    Later no PyTorch is needed. A graph that lies there is of earlier weights, and goes.
    """
    kept = graph_beside(weights)
    kept.unlink(missing_ok=True)
    graph = find()
    if isinstance(graph, bytes):
        with atomic_path(kept) as temporary:
            temporary.write_bytes(graph)


def graph_beside(weights: Path) -> Path:
    """Name the file in which the graph of imported weights is kept."""
    return weights.with_suffix(".onnx")
