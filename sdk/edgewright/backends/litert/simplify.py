"""Rewrites a graph into the operators that LiteRT has: it knows no hard sigmoid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgewright.backends.graph import Activation, Binary, Conv, Graph, Node


def simplify(graph: Graph) -> Graph:
    """Return a graph without the hard sigmoids of squeeze-and-excitations.

    A hard sigmoid is ``relu6(x + 3) / 6``. Behind a convolution the 3 goes into its bias; where the
    gated value is read by one convolution alone, the sixth goes into that one's weights. Both ways
    it costs nothing when running. A hard sigmoid that stands otherwise is left to the writer.
    """
    n_users = graph.n_users()
    made = {node.output: node for node in graph.nodes}
    reader = {name: node.output for node in graph.nodes for name in node.inputs}  # the last one
    for gate in graph.nodes:
        if not isinstance(gate, Activation) or gate.kind != "hard_sigmoid":
            continue
        source = made.get(gate.inputs[0])
        product = _only_reader(gate, made, reader, n_users)
        if not isinstance(source, Conv) or n_users[source.output] != 1:
            continue
        if not isinstance(product, Binary) or product.kind != "mul":
            continue
        target = _only_reader(product, made, reader, n_users)
        if not isinstance(target, Conv):
            continue
        made[source.output] = replace(source, bias=source.bias + np.float32(3.0))
        made[gate.output] = replace(gate, kind="relu6")
        made[target.output] = replace(target, weight=(target.weight / np.float64(6.0)).astype(np.float32))
    return replace(graph, nodes=tuple(made.values()))


def _only_reader(
    node: Node, made: dict[str, Node], reader: dict[str, str], n_users: dict[str, int]
) -> Node | None:
    """Return the node that alone reads ``node``; ``None`` where several do, or the caller does."""
    return made.get(reader.get(node.output, "")) if n_users[node.output] == 1 else None
