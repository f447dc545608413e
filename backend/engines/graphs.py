"""PyTorch's networks as graphs without numbers, for `backend.engines.sessions`.

``python -m backend.engines.graphs`` writes the graphs that we ship, beside their weights. Run
it when a network's code has changed; a test says so if it is forgotten.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import onnx
import torch
from torch import Tensor, nn


def export_graph(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    put_in: Collection[str] = (),
    prefix: str = "",
) -> bytes:
    """Export what a module computes, without its numbers.

    Parameters
    ----------
    module
        In evaluation mode; takes the inputs in their order and returns the outputs in theirs.
    inputs, outputs
        Names, and examples of the inputs. The first axis of those that are run is free.
    put_in
        Names of inputs that are no inputs of the graph but arrays of it, put in when it is loaded,
        as the module's parameters and buffers are.
    prefix
        Left out of the names of parameters and buffers.

    Returns
    -------
    Content of an ONNX file.
    """
    with torch.no_grad():
        for array in (*module.parameters(), *module.buffers()):
            if array.is_floating_point():
                # The exporter takes arrays of equal numbers, as new ones have, for one.
                array.uniform_(0.5, 1.5)
    content: Any = io.BytesIO()  # which its types leave out
    run = [name for name in inputs if name not in put_in]
    with warnings.catch_warnings():
        # The exporter by tracing is announced to go, but is 20 times as fast as its successor; the
        # version of PyTorch is pinned.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            content,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {0: "n"} for name in (*run, *outputs)},
            # Folding would mix numbers into new ones that no file of weights has. It is left to
            # onnxruntime, which does it when all of them are there.
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    return _without_numbers(onnx.load_from_string(content.getvalue()), put_in, prefix)


def _without_numbers(model: onnx.ModelProto, put_in: Collection[str], prefix: str) -> bytes:
    graph = model.graph
    for value in [value for value in graph.input if value.name in put_in]:
        shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        kind = value.type.tensor_type.elem_type
        graph.initializer.append(onnx.TensorProto(name=value.name, data_type=kind, dims=shape))
        graph.input.remove(value)
    names = {}
    for array in graph.initializer:
        names[array.name] = array.name.removeprefix(prefix)
        array.name = names[array.name]
        array.ClearField("raw_data")
        array.data_location = onnx.TensorProto.EXTERNAL
        # ONNX asks for a file. There is none: the arrays come from memory.
        array.external_data.add(key="location", value="put-in-when-loaded")
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        # Where in our code it stands, with paths.
        node.ClearField("doc_string")
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
    return model.SerializeToString(deterministic=True)


def main() -> None:
    """Write the shipped graphs."""
    from backend.synergynet.architecture import Architecture
    from backend.synergynet.inference import export_synergynet
    from backend.synergynet.weights import SHIPPED_GRAPH, SHIPPED_WEIGHTS, read_architecture
    from backend.texture import generator
    from backend.texture.covers import finding
    from backend.texture.covers.network import export_covers
    from gan_texture.weights import read_generator

    SHIPPED_GRAPH.write_bytes(export_synergynet(Architecture(**read_architecture(SHIPPED_WEIGHTS))))
    architecture, _ = read_generator(generator.SHIPPED_WEIGHTS)
    generator.SHIPPED_GRAPH.write_bytes(generator.export_generator(architecture))
    architecture, _ = finding.read_weights(finding.WEIGHTS)
    finding.GRAPH.write_bytes(export_covers(tuple(architecture["widths"])))


if __name__ == "__main__":
    main()
