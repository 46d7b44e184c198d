"""A network as the few operations that every runtime has: what the emitters read.

Values are named; shapes are those of torch (``NCHW``), batch is 1. An emitter that wants another
layout (LiteRT's ``NHWC``) translates while it writes, so no runtime pays for a transpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import ExportError

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


class InexpressibleError(ExportError):
    """Edgewright's own writers have no words for a part of a module; a vendor's converter may."""


ACTIVATIONS = ("relu", "relu6", "hard_swish", "hard_sigmoid", "sigmoid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """Two-dimensional convolution with zero padding.

    Attributes:
        inputs: one value.
        output: the value that this makes.
        weight: ``(out, in / groups, kh, kw)``.
        bias: ``(out,)``.
        stride: vertical, horizontal.
        padding: rows above and below, columns left and right.
        dilation: vertical, horizontal.
        groups: ``in`` makes it depthwise.
    """

    inputs: tuple[str, ...]
    output: str
    weight: Float32Array
    bias: Float32Array
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """Scale and shift per channel: a BatchNorm in evaluation mode. :func:`fold` removes it.

    Attributes:
        inputs: one value.
        output: the value that this makes.
        scale: ``(C,)``.
        shift: ``(C,)``.
    """

    inputs: tuple[str, ...]
    output: str
    scale: Float64Array
    shift: Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Matrix product with the last axis: weight ``(out, in)``, bias ``(out,)``."""

    inputs: tuple[str, ...]
    output: str
    weight: Float32Array
    bias: Float32Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Elementwise function of one value; ``kind`` is one of :data:`ACTIVATIONS`."""

    inputs: tuple[str, ...]
    output: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """``add`` or ``mul`` of two values, broadcast where an axis is 1."""

    inputs: tuple[str, ...]
    output: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalMean:
    """Mean over height and width: ``(1, C, H, W)`` to ``(1, C, 1, 1)``."""

    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten:
    """``(1, C, H, W)`` to ``(1, C * H * W)``."""

    inputs: tuple[str, ...]
    output: str


Node = Conv | Affine | Linear | Activation | Binary | GlobalMean | Flatten


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can run.

    Attributes:
        input: name of the one input.
        output: name of the one output.
        nodes: each value is made once, before it is used.
        shapes: of every value, the input among them, as torch has them.
    """

    input: str
    output: str
    nodes: tuple[Node, ...]
    shapes: Mapping[str, tuple[int, ...]]

    def n_users(self) -> Counter[str]:
        """Return how often each value is read; being the output counts as one."""
        return count_users(self.nodes, self.output)


def count_users(nodes: tuple[Node, ...] | list[Node], output: str) -> Counter[str]:
    """Return how often each value is read; being the ``output`` counts as one."""
    return Counter([name for node in nodes for name in node.inputs] + [output])


def fold(nodes: list[Node], output: str) -> tuple[list[Node], str]:
    """Return the nodes without :class:`Affine`, and the name that the output then has.

    An affine map behind a convolution that nothing else reads goes into its weights, computed in
    float64 and rounded once; any other becomes a depthwise 1x1 convolution.
    """
    n_users = count_users(nodes, output)
    made: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in nodes:
        node = replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))
        if not isinstance(node, Affine):
            made[node.output] = node
            continue
        source = made.get(node.inputs[0])
        if isinstance(source, Conv) and n_users[source.output] == 1:
            made[source.output] = folded_conv(source, node.scale, node.shift)
            renamed[node.output] = source.output
            # Whoever read the affine map now reads the convolution.
            n_users[source.output] = n_users[node.output]
        else:
            made[node.output] = Conv(
                inputs=node.inputs,
                output=node.output,
                weight=node.scale.astype(np.float32).reshape(-1, 1, 1, 1),
                bias=node.shift.astype(np.float32),
                groups=len(node.scale),
            )
    return list(made.values()), renamed.get(output, output)


def folded_conv(conv: Conv, scale: Float64Array, shift: Float64Array) -> Conv:
    """Return the convolution that equals ``conv`` followed by ``scale`` and ``shift`` ``(out,)``."""
    weight = conv.weight.astype(np.float64) * scale.reshape(-1, 1, 1, 1)
    bias = conv.bias.astype(np.float64) * scale + shift
    return replace(conv, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
