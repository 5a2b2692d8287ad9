"""A head with planes inside gives what the head gives, for any length and number of windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from secateur.detectors.network.costs import split
from secateur.detectors.network.model import Attribute, Graph, Node, parse
from secateur.detectors.network.run import in_planes, open_session
from secateur.detectors.network.shapes import sizes_of
from secateur.networks import NetworkSettings, build_network, to_onnx


def head_of(name: str) -> Graph:
    network = build_network(NetworkSettings(name=name, widths=(4, 5, 6)), 3, 512, 2).eval()
    graph = parse(to_onnx(network))
    parts = split(graph, sizes_of(graph), 128)
    assert parts is not None
    return parts.head


@pytest.mark.parametrize("name", ["valid", "paper"])
@pytest.mark.parametrize(("windows", "samples"), [(1, 512), (3, 576), (2, 4160)])
def test_the_head_gives_the_same(name: str, windows: int, samples: int) -> None:
    head = head_of(name)
    raised = in_planes(head)
    assert {node.kind for node in raised.nodes} == {node.kind for node in head.nodes} | {
        "Squeeze",
        "Unsqueeze",
    }
    assert (raised.inputs, raised.outputs) == (head.inputs, head.outputs)
    drawn = np.random.default_rng(0).standard_normal((windows, 3, samples)).astype(np.float32)
    flat, planes = (open_session(graph.to_bytes()).run(drawn) for graph in (head, raised))
    assert flat.shape == planes.shape
    assert np.abs(flat - planes).max() <= 1e-5 * np.abs(flat).max()


def test_every_setting_of_a_layer_is_along_time() -> None:
    generator = np.random.default_rng(0)
    weights = {
        "w": generator.standard_normal((4, 1, 3)).astype(np.float32),
        "b": generator.standard_normal(4).astype(np.float32),
    }
    attributes: dict[str, Attribute] = {
        "kernel_shape": (3,),
        "pads": (1, 2),
        "dilations": (2,),
        "strides": (3,),
        "group": 4,
    }
    nodes = (
        Node("Conv", ("x", "w", "b"), ("y",), attributes, "y"),
        Node("Tanh", ("y",), ("z",), {}, "z"),
        Node("AveragePool", ("z",), ("out",), {"kernel_shape": (3,), "pads": (1, 0)}, "out"),
    )
    head = Graph(nodes, weights, {"x": (None, 4, None)}, {"out": (None, 4, None)}, 17)
    drawn = generator.standard_normal((2, 4, 50)).astype(np.float32)
    flat, planes = (open_session(graph.to_bytes()).run(drawn) for graph in (head, in_planes(head)))
    assert np.allclose(flat, planes, atol=1e-6)


def test_what_is_not_known_stays_as_it_is() -> None:
    head = head_of("valid")
    first = next(node for node in head.nodes if node.kind == "Conv")
    other = replace(first, kind="Softmax")
    changed = tuple(other if node is first else node for node in head.nodes)
    twice = (replace(first, outputs=("again",)), *head.nodes)
    for changed_head in (replace(head, nodes=changed), replace(head, nodes=twice)):
        assert in_planes(changed_head) is changed_head
