"""From a plain torch module to a :class:`~edgewright.backends.graph.Graph`.

The module is traced symbolically by ``torch.fx``: no forward pass runs, no graph is decomposed, and
a subnet takes milliseconds where ``torch.export`` takes seconds. What is not known here is refused
by name; the exporters then take their vendor's slower converter.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import fx, nn

from edgewright.backends.graph import (
    Activation,
    Affine,
    Binary,
    Conv,
    Flatten,
    Float32Array,
    GlobalMean,
    Graph,
    InexpressibleError,
    Linear,
    Node,
    fold,
)
from edgewright.errors import ExportError

INPUT, OUTPUT = "input", "output"

_ACTIVATIONS: dict[Any, str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Hardswish: "hard_swish",
    nn.Hardsigmoid: "hard_sigmoid",
    nn.Sigmoid: "sigmoid",
    F.relu: "relu",
    F.relu6: "relu6",
    F.hardswish: "hard_swish",
    F.hardsigmoid: "hard_sigmoid",
    F.sigmoid: "sigmoid",
    torch.relu: "relu",
    torch.sigmoid: "sigmoid",
    "relu": "relu",
    "sigmoid": "sigmoid",
}
_BINARIES: dict[Any, str] = {
    operator.add: "add",
    operator.iadd: "add",
    torch.add: "add",
    "add": "add",
    "add_": "add",
    operator.mul: "mul",
    operator.imul: "mul",
    torch.mul: "mul",
    "mul": "mul",
    "mul_": "mul",
}
_TRANSPARENT = (nn.Identity, nn.Dropout, nn.Dropout2d)


def lower(module: nn.Module, in_shape: tuple[int, int, int, int]) -> Graph:
    """Return the graph of ``module`` in evaluation mode, BatchNorm folded.

    Args:
        module: one tensor in, one tensor out; neither changed nor run.
        in_shape: ``(1, C, H, W)``.

    Raises:
        InexpressibleError: names the first part that has no equivalent here.
        ExportError: the module does not take such an input.
    """
    try:
        traced = fx.Tracer().trace(module)
    except Exception as error:  # whatever a foreign forward raises on a proxy
        raise InexpressibleError(f"torch.fx cannot trace {type(module).__name__}: {error}") from error
    lowering = _Lowering(module)
    for node in traced.nodes:
        lowering.add(node)
    nodes, output = fold(lowering.nodes, lowering.output)
    return Graph(INPUT, output, tuple(nodes), infer_shapes(nodes, in_shape))


def infer_shapes(nodes: list[Node], in_shape: tuple[int, int, int, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every value. Raises ``ExportError`` where two do not fit."""
    shapes: dict[str, tuple[int, ...]] = {INPUT: tuple(in_shape)}
    for node in nodes:
        shapes[node.output] = _shape(node, [shapes[name] for name in node.inputs])
    return shapes


def _shape(node: Node, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    first = shapes[0]
    match node:
        case Conv():
            n_in = node.weight.shape[1] * node.groups
            if len(first) != 4 or first[1] != n_in:
                raise ExportError(
                    f"convolution {node.output!r} takes {n_in} channels, but is given shape {first}"
                )
            sides = [
                (side + 2 * p - d * (k - 1) - 1) // s + 1
                for side, p, d, k, s in zip(
                    first[2:], node.padding, node.dilation, node.weight.shape[2:], node.stride, strict=True
                )
            ]
            if min(sides) < 1:
                raise ExportError(f"convolution {node.output!r} leaves nothing of shape {first}")
            return (first[0], node.weight.shape[0], *sides)
        case Linear():
            if len(first) != 2 or first[1] != node.weight.shape[1]:
                raise ExportError(
                    f"linear layer {node.output!r} takes (1, {node.weight.shape[1]}), but is given {first}"
                )
            return (first[0], node.weight.shape[0])
        case GlobalMean():
            return (*first[:2], 1, 1)
        case Flatten():
            return (first[0], int(np.prod(first[1:])))
        case Binary():
            try:
                return tuple(np.broadcast_shapes(*shapes))
            except ValueError as error:
                raise ExportError(f"cannot {node.kind} shapes {shapes} in {node.output!r}") from error
        case _:
            return first


class _Lowering:
    """Collects the nodes of one traced graph."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.nodes: list[Node] = []
        self.output = INPUT
        self._values: dict[fx.Node, str] = {}

    def add(self, node: fx.Node) -> None:
        """Lower one node of the trace."""
        if node.op == "placeholder":
            if self._values:
                raise ExportError("the module takes more than one input; one tensor is expected")
            self._values[node] = INPUT
        elif node.op == "output":
            if not isinstance(node.args[0], fx.Node):
                raise ExportError("the module returns more than one tensor; one is expected")
            self.output = self._values[node.args[0]]
        elif node.op == "call_module":
            self._add_module(node, self.module.get_submodule(str(node.target)))
        elif node.op in ("call_function", "call_method"):
            self._add_function(node)
        else:
            raise _unsupported(node, f"{node.op} {node.target}")

    def _append(self, node: fx.Node, make: Callable[..., Node], **fields: Any) -> None:
        # A dot stands in no name of fx's: the ends' own names stay free.
        name = f"{node.name}.value" if node.name in (INPUT, OUTPUT) else node.name
        made = make(output=name, **fields)
        self.nodes.append(made)
        self._values[node] = made.output

    def _inputs(self, node: fx.Node, count: int) -> tuple[str, ...]:
        args = node.args[:count]
        if len(args) < count or not all(isinstance(arg, fx.Node) for arg in args):
            raise _unsupported(node, f"{node.target} of a constant")
        return tuple(self._values[arg] for arg in args if isinstance(arg, fx.Node))

    def _add_module(self, node: fx.Node, layer: nn.Module) -> None:
        inputs = self._inputs(node, 1)
        # Exact types: a subclass may compute something else.
        kind = type(layer)
        if kind in _TRANSPARENT:
            self._values[node] = inputs[0]
        elif kind in _ACTIVATIONS:
            self._append(node, Activation, inputs=inputs, kind=_ACTIVATIONS[kind])
        elif kind is nn.Conv2d and isinstance(layer, nn.Conv2d):
            self._append(node, Conv, inputs=inputs, **_conv_fields(node, layer))
        elif kind is nn.BatchNorm2d and isinstance(layer, nn.BatchNorm2d):
            self._append(node, Affine, inputs=inputs, **_affine_fields(node, layer))
        elif kind is nn.Linear and isinstance(layer, nn.Linear):
            bias = _bias(layer.bias, layer.out_features)
            self._append(node, Linear, inputs=inputs, weight=_array(layer.weight), bias=bias)
        elif isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1)):
            self._append(node, GlobalMean, inputs=inputs)
        elif isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1):
            self._append(node, Flatten, inputs=inputs)
        else:
            raise _unsupported(node, f"{kind.__name__} ({layer.extra_repr()})")

    def _add_function(self, node: fx.Node) -> None:
        target: Any = node.target
        extra = {name: value for name, value in node.kwargs.items() if name != "inplace"}
        if target in _ACTIVATIONS and not extra:
            self._append(node, Activation, inputs=self._inputs(node, 1), kind=_ACTIVATIONS[target])
        elif target in _BINARIES and not extra:
            self._append(node, Binary, inputs=self._inputs(node, 2), kind=_BINARIES[target])
        elif target in (torch.flatten, "flatten") and _given(node, "start_dim", 1, 0) == 1:
            if _given(node, "end_dim", 2, -1) != -1:
                raise _unsupported(node, "flatten of some axes")
            self._append(node, Flatten, inputs=self._inputs(node, 1))
        elif _is_global_pool(node) or _is_spatial_mean(node):
            self._append(node, GlobalMean, inputs=self._inputs(node, 1))
        else:
            raise _unsupported(node, getattr(target, "__name__", str(target)))


def _given(node: fx.Node, name: str, position: int, default: object) -> object:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _is_global_pool(node: fx.Node) -> bool:
    return node.target is F.adaptive_avg_pool2d and _given(node, "output_size", 1, None) in (1, (1, 1))


def _is_spatial_mean(node: fx.Node) -> bool:
    if node.target not in (torch.mean, "mean"):
        return False
    axes = _given(node, "dim", 1, None)
    if not isinstance(axes, (tuple, list)) or _given(node, "keepdim", 2, False) is not True:
        return False
    return sorted(axis % 4 for axis in axes if isinstance(axis, int)) == [2, 3]


def _conv_fields(node: fx.Node, layer: nn.Conv2d) -> dict[str, Any]:
    dilation, kernel = layer.dilation, layer.kernel_size
    padding: Any = layer.padding
    if padding == "valid":
        padding = (0, 0)
    elif padding == "same":
        spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if any(span % 2 for span in spans):
            raise _unsupported(node, "Conv2d with uneven padding")
        padding = (spans[0] // 2, spans[1] // 2)
    if layer.padding_mode != "zeros" and padding != (0, 0):
        raise _unsupported(node, f"Conv2d with {layer.padding_mode} padding")
    return {
        "weight": _array(layer.weight),
        "bias": _bias(layer.bias, layer.out_channels),
        "stride": tuple(layer.stride),
        "padding": tuple(padding),
        "dilation": tuple(dilation),
        "groups": layer.groups,
    }


def _affine_fields(node: fx.Node, layer: nn.BatchNorm2d) -> dict[str, Any]:
    if layer.running_mean is None or layer.running_var is None:
        raise _unsupported(node, "BatchNorm2d without running statistics")
    mean, variance = (t.detach().cpu().double().numpy() for t in (layer.running_mean, layer.running_var))
    scale = 1.0 / np.sqrt(variance + layer.eps)
    if layer.affine:
        scale = scale * layer.weight.detach().cpu().double().numpy()
    shift = -mean * scale
    if layer.affine:
        shift = shift + layer.bias.detach().cpu().double().numpy()
    return {"scale": scale, "shift": shift}


def _array(tensor: torch.Tensor) -> Float32Array:
    array: Float32Array = np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
    return array


def _bias(bias: torch.Tensor | None, n_out: int) -> Float32Array:
    return np.zeros(n_out, np.float32) if bias is None else _array(bias)


def _unsupported(node: fx.Node, what: str) -> InexpressibleError:
    return InexpressibleError(f"{what} at {node.target!s} has no equivalent in edgewright's own exporter")
