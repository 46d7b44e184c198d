"""Casts an ONNX model to half precision, for ONNX Runtime and TensorRT's strongly typed networks."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_MAX_HALF = float(np.finfo(np.float16).max)


def half_from_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of ``model`` whose weights and arithmetic are float16, input and output float32.

    TensorRT 11 no longer chooses precisions itself: it computes in the types of the graph, so they
    are written into it. ONNX Runtime's CPU kernels of x86 compute in float32 all the same: it turns the
    weights back when it loads them, so that only the file is halved. Weights beyond float16's range are
    clipped to its ends.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    weights = [half_tensor(tensor) for tensor in graph.initializer]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "value" and attribute.type == onnx.AttributeProto.TENSOR:
                attribute.t.CopyFrom(half_tensor(attribute.t))
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    del graph.value_info[:]  # these state the old types
    _cast_ends(graph)
    return half


def half_tensor(tensor: onnx.TensorProto) -> onnx.TensorProto:
    """Return a float tensor in float16, any other as it is."""
    if tensor.data_type != TensorProto.FLOAT:
        return tensor
    values = np.clip(numpy_helper.to_array(tensor), -_MAX_HALF, _MAX_HALF).astype(np.float16)
    return numpy_helper.from_array(values, tensor.name)


def _cast_ends(graph: onnx.GraphProto) -> None:
    inputs = {value.name: f"{value.name}_half" for value in graph.input}
    outputs = {value.name: f"{value.name}_half" for value in graph.output}
    for node in graph.node:
        node.input[:] = [inputs.get(name, outputs.get(name, name)) for name in node.input]
        node.output[:] = [outputs.get(name, name) for name in node.output]
    body = list(graph.node)
    del graph.node[:]
    for name, half in inputs.items():
        graph.node.append(
            helper.make_node("Cast", [name], [half], name=f"{name}_cast", to=TensorProto.FLOAT16)
        )
    graph.node.extend(body)
    for name, half in outputs.items():
        graph.node.append(helper.make_node("Cast", [half], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
