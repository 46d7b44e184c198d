"""Writes a graph as ONNX: what ONNX Runtime runs and TensorRT compiles."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgewright.backends.graph import (
    Activation,
    Binary,
    Conv,
    Flatten,
    GlobalMean,
    Graph,
    InexpressibleError,
    Linear,
    Node,
)
from edgewright.backends.lowering import INPUT, OUTPUT, lower
from edgewright.backends.silence import silent
from edgewright.errors import ExportError

if TYPE_CHECKING:
    from torch import nn

# 17 is read by TensorRT 10.3 (JetPack 6.2: up to 20) and by every ONNX Runtime since 1.12.
# HardSwish came with 14, QuantizeLinear per channel with 13.
OPSET = 17
IR_VERSION = 8  # of the same age; onnx would stamp its newest, which older runtimes refuse

_ACTIVATIONS = {"relu": "Relu", "hard_swish": "HardSwish", "sigmoid": "Sigmoid"}


def onnx_from_module(module: nn.Module, in_shape: tuple[int, int, int, int]) -> onnx.ModelProto:
    """Return the ONNX model of ``module``, in evaluation mode and fp32.

    What :func:`~edgewright.backends.lowering.lower` does not know goes through torch's own
    exporter, which takes seconds instead of milliseconds.

    Raises:
        ExportError: neither way can express the module; names the first unsupported part.
    """
    try:
        return onnx_from_graph(lower(module, in_shape))
    except InexpressibleError as error:
        return _export_by_torch(module, in_shape, error)


def onnx_from_graph(graph: Graph) -> onnx.ModelProto:
    """Return the ONNX model of ``graph``: static shapes, batch 1, input and output by those names."""
    names = {graph.input: INPUT, graph.output: OUTPUT}
    writer = _Writer(names)
    for node in graph.nodes:
        writer.add(node)
    if graph.input == graph.output:
        writer.node("Identity", [INPUT], OUTPUT)
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, graph.shapes[value])
        for name, value in ((INPUT, graph.input), (OUTPUT, graph.output))
    ]
    proto = helper.make_graph(writer.nodes, "subnet", infos[:1], infos[1:], writer.weights)
    return finished(proto)


def finished(proto: onnx.GraphProto) -> onnx.ModelProto:
    """Return the model around a graph, with the versions that every reader of ours takes."""
    model = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="edgewright"
    )
    model.ir_version = IR_VERSION
    return model


class _Writer:
    """Collects ONNX nodes and weights."""

    def __init__(self, names: dict[str, str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._names = names

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))

    def weight(self, name: str, array: NDArray[Any]) -> str:
        data = np.ascontiguousarray(array)
        kind = helper.np_dtype_to_tensor_dtype(data.dtype)
        self.weights.append(helper.make_tensor(name, kind, data.shape, data.tobytes(), raw=True))
        return name

    def add(self, node: Node) -> None:
        output = self._names.get(node.output, node.output)
        inputs = [self._names.get(name, name) for name in node.inputs]
        match node:
            case Conv():
                inputs += [
                    self.weight(f"{output}.weight", node.weight),
                    self.weight(f"{output}.bias", node.bias),
                ]
                self.node(
                    "Conv",
                    inputs,
                    output,
                    kernel_shape=list(node.weight.shape[2:]),
                    strides=list(node.stride),
                    pads=[*node.padding, *node.padding],
                    dilations=list(node.dilation),
                    group=node.groups,
                )
            case Linear():
                inputs += [
                    self.weight(f"{output}.weight", node.weight),
                    self.weight(f"{output}.bias", node.bias),
                ]
                self.node("Gemm", inputs, output, transB=1)
            case Activation(kind="relu6"):
                bounds = [
                    self.weight(f"{output}.{name}", np.array(value, np.float32))
                    for name, value in (("min", 0), ("max", 6))
                ]
                self.node("Clip", inputs + bounds, output)
            case Activation(kind="hard_sigmoid"):
                # ONNX's default slope is 0.2; torch's is 1/6.
                self.node("HardSigmoid", inputs, output, alpha=1.0 / 6.0, beta=0.5)
            case Activation():
                self.node(_ACTIVATIONS[node.kind], inputs, output)
            case Binary():
                self.node(node.kind.capitalize(), inputs, output)
            case GlobalMean():
                self.node("GlobalAveragePool", inputs, output)
            case Flatten():
                self.node("Flatten", inputs, output, axis=1)
            case _:
                raise ExportError(f"{type(node).__name__} {node.output!r} was not folded")


def _export_by_torch(
    module: nn.Module, in_shape: tuple[int, int, int, int], cause: ExportError
) -> onnx.ModelProto:
    import torch

    training = module.training
    module.eval()
    try:
        with silent() as chatter, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            torch.onnx.export(
                module,
                (torch.zeros(in_shape),),
                path,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamo=False,  # the newer exporter needs onnxscript, which nothing else here does
            )
            return onnx.load(path)
    except Exception as error:  # whatever a foreign converter raises
        reason = str(error).strip().splitlines() or chatter.text.splitlines() or [type(error).__name__]
        raise ExportError(f"{cause}; torch.onnx.export: {reason[0]:.300}") from error
    finally:
        module.train(training)
