"""Graphs without numbers, and the numbers, as one network in onnxruntime.

A graph file says what is computed, and holds no weight and no array of the Basel Face Model. Both
are put in when it is loaded: the weights from a safetensors file, the arrays from the user's own
copy of the model. So one file of weights serves PyTorch and onnxruntime, and no PyTorch is needed
to run what PyTorch has trained.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backend.engines.devices import PROVIDERS
from backend.engines.graph_files import Graph

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

THREADS = 2


def open_session(
    graph: Graph, values: Mapping[str, NDArray[Any]], device: str = "cpu", **options: bool
) -> InferenceSession:
    """Open a graph with its numbers.

    Parameters
    ----------
    graph
        Made by `backend.engines.graphs.export_graph`: the file, or its content.
    values
        Arrays by the names that the graph gives them, all that it has and no others. Floating
        point numbers of any precision become single.
    device
        A key of `PROVIDERS`. What it cannot compute, the processor does.
    options
        Switches of ``onnxruntime.SessionOptions``.

    Raises
    ------
    ValueError
        The graph is damaged, or has other arrays than these; the text says which.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads()
    settings.log_severity_level = 4
    for name, value in options.items():
        setattr(settings, name, value)
    content = graph if isinstance(graph, bytes) else graph.read_bytes()
    arrays = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(_single(values[name])) for name in values
    }
    providers = list(dict.fromkeys((PROVIDERS[device], PROVIDERS["cpu"])))
    try:
        settings.add_external_initializers(list(arrays), list(arrays.values()))
        return onnxruntime.InferenceSession(content, settings, providers=providers)
    except Exception as error:  # onnxruntime's own types are not public
        raise ValueError(str(error).splitlines()[0]) from error


def threads() -> int:
    """Return threads of a network on the processor; ``OMP_NUM_THREADS`` limits them, as it does
    others.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(THREADS, int(limit))) if limit.isdigit() else THREADS


def _single(array: NDArray[Any]) -> NDArray[Any]:
    kind = np.float32 if np.issubdtype(array.dtype, np.floating) else array.dtype
    return np.ascontiguousarray(array, kind)
