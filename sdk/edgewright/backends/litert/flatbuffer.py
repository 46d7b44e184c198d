"""Writes a graph as a ``.tflite`` flatbuffer, in ``NHWC`` throughout: no transpose anywhere.

Where torch's symmetric padding is LiteRT's ``SAME``, that is used; else an explicit ``PAD`` goes
before the convolution, which XNNPACK folds into it. The format is TensorFlow's ``schema.fbs``,
version 3; the object API of ``ai_edge_litert`` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

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
from edgewright.backends.litert.simplify import simplify
from edgewright.backends.lowering import INPUT, OUTPUT
from edgewright.errors import ExportError

SIGNATURE = "serving_default"

_ALIGNMENT = 16  # bytes; schema.fbs asks it of weights, which runtimes read in place
_FUSED = {
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
    "": schema.ActivationFunctionType.NONE,
}
_DTYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
}


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer whose bytes start at a multiple of 16, which the generated code does not see to."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.bytes = data

    def Pack(self, builder: Any) -> Any:  # noqa: N802 (the schema's name)
        if not self.bytes:
            return super().Pack(builder)
        builder.StartVector(1, len(self.bytes), _ALIGNMENT)
        builder.head -= len(self.bytes)
        builder.Bytes[builder.head : builder.head + len(self.bytes)] = self.bytes
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def tflite_from_graph(graph: Graph) -> bytes:
    """Return the ``.tflite`` file of ``graph``: fp32, batch 1, one signature.

    Raises:
        InexpressibleError: names the first node that LiteRT has no operator for.
    """
    graph = simplify(graph)
    writer = _Writer(graph)
    for node in fused(graph):
        writer.add(node)
    return writer.finish()


class _Fused:
    """A node with the activation that its operator applies itself."""

    __slots__ = ("activation", "node", "output")

    def __init__(self, node: Node, output: str, activation: str = "") -> None:
        self.node, self.output, self.activation = node, output, activation


def fused(graph: Graph) -> list[_Fused]:
    """Return the nodes in order, a ReLU or ReLU6 joined to the node before that only it reads."""
    n_users = graph.n_users()
    made: dict[str, _Fused] = {}
    for node in graph.nodes:
        source = made.get(node.inputs[0])
        if (
            isinstance(node, Activation)
            and node.kind in _FUSED
            and source is not None
            and isinstance(source.node, Conv | Linear | Binary)
            and not source.activation
            and n_users[node.inputs[0]] == 1
        ):
            source.activation, source.output = node.kind, node.output
            made[node.output] = source
        else:
            made[node.output] = _Fused(node, node.output)
    return list(dict.fromkeys(made.values()))


def is_same_padding(size: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    """Return whether ``padding`` on both sides is what LiteRT's ``SAME`` would add."""
    span = dilation * (kernel - 1) + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total == 2 * padding


class _Writer:
    """Collects tensors and operators of the one subgraph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "edgewright"
        self.model.operatorCodes = []
        self.model.buffers = [_AlignedBuffer()]  # the first is empty by convention
        self.subgraph = schema.SubGraphT()
        self.subgraph.name = "main"
        self.subgraph.tensors = []
        self.subgraph.operators = []
        self._codes: dict[int, int] = {}
        self._values: dict[str, int] = {}
        self._value(graph.input, name=INPUT)

    def _tensor(self, name: str, shape: Sequence[int], array: NDArray[Any] | None = None) -> int:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = list(shape)
        tensor.buffer = 0
        tensor.type = schema.TensorType.FLOAT32
        if array is not None:
            tensor.type = _DTYPES[array.dtype]
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(_AlignedBuffer(np.ascontiguousarray(array).tobytes()))
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def _constant(self, name: str, array: NDArray[Any]) -> int:
        return self._tensor(name, array.shape, array)

    def _value(self, value: str, name: str = "") -> int:
        """Return the tensor of a value of the graph, made at first use."""
        if value not in self._values:
            if value == self.graph.output:
                name = OUTPUT
            self._values[value] = self._tensor(name or value, nhwc(self.graph.shapes[value]))
        return self._values[value]

    def _operator(
        self, op: str, inputs: list[int], output: int, options: Any = None, option_type: str = ""
    ) -> None:
        code = getattr(schema.BuiltinOperator, op)
        if code not in self._codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = code
            entry.deprecatedBuiltinCode = min(code, 127)
            entry.version = 1
            self._codes[code] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes[code]
        operator.inputs = inputs
        operator.outputs = [output]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, option_type)
        self.subgraph.operators.append(operator)

    def add(self, step: _Fused) -> None:
        """Write one node."""
        node, activation = step.node, _FUSED[step.activation]
        inputs = [self._value(name) for name in node.inputs]
        output = self._value(step.output)
        match node:
            case Conv():
                self._conv(node, inputs[0], output, activation)
            case Linear():
                options = schema.FullyConnectedOptionsT()
                options.fusedActivationFunction = activation
                weight = self._constant(f"{node.output}.weight", node.weight)
                bias = self._constant(f"{node.output}.bias", node.bias)
                self._operator(
                    "FULLY_CONNECTED", [inputs[0], weight, bias], output, options, "FullyConnectedOptions"
                )
            case Binary():
                ranks = {len(self.graph.shapes[name]) for name in node.inputs}
                if len(ranks) > 1:
                    # Axes are matched from the last, which here is another than torch's.
                    raise InexpressibleError(f"{node.kind} of values of different rank at {node.output!r}")
                self._binary(node.kind, inputs, output, activation)
            case GlobalMean():
                axes = self._constant(f"{node.output}.axes", np.array([1, 2], np.int32))
                mean = schema.ReducerOptionsT()
                mean.keepDims = True
                self._operator("MEAN", [inputs[0], axes], output, mean, "ReducerOptions")
            case Flatten():
                self._flatten(node, inputs[0], output)
            case Activation():
                self._activation(node, inputs[0], output)
            case _:
                raise ExportError(f"{type(node).__name__} {node.output!r} was not folded")

    def _activation(self, node: Activation, source: int, output: int) -> None:
        match node.kind:
            case "relu":
                self._operator("RELU", [source], output)
            case "relu6":
                self._operator("RELU6", [source], output)
            case "sigmoid":
                self._operator("LOGISTIC", [source], output)
            case "hard_swish":
                self._operator("HARD_SWISH", [source], output, schema.HardSwishOptionsT(), "HardSwishOptions")
            case _:  # hard sigmoid: relu6(x + 3) / 6, as LiteRT has no operator for it
                shape = nhwc(self.graph.shapes[node.output])
                three = self._constant(f"{node.output}.three", np.array([3.0], np.float32))
                sixth = self._constant(f"{node.output}.sixth", np.array([1.0 / 6.0], np.float32))
                clipped = self._tensor(f"{node.output}.clipped", shape)
                self._binary("add", [source, three], clipped, _FUSED["relu6"])
                self._binary("mul", [clipped, sixth], output, _FUSED[""])

    def _binary(self, kind: str, inputs: list[int], output: int, activation: int) -> None:
        options = schema.AddOptionsT() if kind == "add" else schema.MulOptionsT()
        options.fusedActivationFunction = activation
        self._operator(kind.upper(), inputs, output, options, f"{kind.capitalize()}Options")

    def _flatten(self, node: Flatten, source: int, output: int) -> None:
        before, after = self.graph.shapes[node.inputs[0]], self.graph.shapes[node.output]
        if len(before) == 4 and before[2:] != (1, 1):
            # NHWC would flatten in another order than torch.
            raise InexpressibleError(f"Flatten of {before} at {node.output!r} in channels-last layout")
        shape = self._constant(f"{node.output}.shape", np.array(after, np.int32))
        options = schema.ReshapeOptionsT()
        options.newShape = list(after)
        self._operator("RESHAPE", [source, shape], output, options, "ReshapeOptions")

    def _conv(self, node: Conv, source: int, output: int, activation: int) -> None:
        in_shape = self.graph.shapes[node.inputs[0]]
        kernel = node.weight.shape[2:]
        geometry = list(zip(in_shape[2:], kernel, node.stride, node.padding, node.dilation, strict=True))
        same = all(is_same_padding(*axis) for axis in geometry)
        if not same and node.padding != (0, 0):
            source = self._pad(node, source, in_shape)
        depthwise = node.groups == in_shape[1] and node.groups > 1
        if node.groups > 1 and not depthwise:
            raise InexpressibleError(f"convolution in {node.groups} groups at {node.output!r}")
        # One channel in, any number out, is written as an ordinary convolution.
        if depthwise:
            options = schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = node.weight.shape[0] // node.groups
            weight = node.weight[:, 0].transpose(1, 2, 0)[None]  # (1, kh, kw, out)
        else:
            options = schema.Conv2DOptionsT()
            weight = node.weight.transpose(0, 2, 3, 1)  # (out, kh, kw, in)
        options.padding = schema.Padding.SAME if same else schema.Padding.VALID
        options.strideH, options.strideW = node.stride
        options.dilationHFactor, options.dilationWFactor = node.dilation
        options.fusedActivationFunction = activation
        inputs = [
            source,
            self._constant(f"{node.output}.weight", weight),
            self._constant(f"{node.output}.bias", node.bias),
        ]
        if depthwise:
            self._operator("DEPTHWISE_CONV_2D", inputs, output, options, "DepthwiseConv2DOptions")
        else:
            self._operator("CONV_2D", inputs, output, options, "Conv2DOptions")

    def _pad(self, node: Conv, source: int, in_shape: tuple[int, ...]) -> int:
        rows, columns = node.padding
        amounts = np.array([[0, 0], [rows, rows], [columns, columns], [0, 0]], np.int32)
        _, channels, height, width = in_shape
        padded = self._tensor(f"{node.output}.padded", (1, height + 2 * rows, width + 2 * columns, channels))
        pads = self._constant(f"{node.output}.pads", amounts)
        self._operator("PAD", [source, pads], padded, schema.PadOptionsT(), "PadOptions")
        return padded

    def finish(self) -> bytes:
        """Return the file."""
        if self.graph.input == self.graph.output:
            raise ExportError("the module returns its input unchanged")
        first, last = self._values[self.graph.input], self._values[self.graph.output]
        self.subgraph.inputs, self.subgraph.outputs = [first], [last]
        self.model.subgraphs = [self.subgraph]
        signature = schema.SignatureDefT()
        signature.signatureKey = SIGNATURE
        signature.subgraphIndex = 0
        signature.inputs = [_tensor_map(INPUT, first)]
        signature.outputs = [_tensor_map(OUTPUT, last)]
        self.model.signatureDefs = [signature]
        n_bytes = sum(len(buffer.bytes) for buffer in self.model.buffers)
        # Room for all of it, so that the builder never has to double and copy.
        builder = flatbuffers.Builder(n_bytes + 512 * len(self.subgraph.tensors) + 4096)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _tensor_map(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def nhwc(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a torch shape as LiteRT lays it out."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
