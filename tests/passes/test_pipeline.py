"""The passes together: they fit each other, settle, and are quick."""

from __future__ import annotations

import gc
import time
from collections import Counter

from tests.passes.check import agree, body, graph_of
from ttc.ir import Graph, parse_graph
from ttc.passes import PIPELINE, run

RESIDUAL = """%n{i}: f32[1,16,8] = layer_norm(x=%x{i}, w=%w, bias=%b)
%q{i}: f32[1,16,8] = matmul(a=%n{i}, b=%wq{i})
%qh{i}: f32[1,16,2,4] = reshape(x=%q{i}, shape=[1, 16, 2, 4])
%qt{i}: f32[1,2,16,4] = permute(x=%qh{i}, dims=[0, 2, 1, 3])
%k{i}: f32[1,16,8] = matmul(a=%n{i}, b=%wk{i})
%kh{i}: f32[1,16,2,4] = reshape(x=%k{i}, shape=[1, 16, 2, 4])
%kt{i}: f32[1,2,4,16] = permute(x=%kh{i}, dims=[0, 2, 3, 1])
%s{i}: f32[1,2,16,16] = matmul(a=%qt{i}, b=%kt{i})
%d{i}: f32[1,2,16,16] = div(a=%s{i}, b=%two)
%p{i}: f32[1,2,16,16] = softmax(x=%d{i}, dim=3)
%o{i}: f32[1,2,16,4] = matmul(a=%p{i}, b=%qt{i})
%t{i}: f32[1,16,2,4] = permute(x=%o{i}, dims=[0, 2, 1, 3])
%m{i}: f32[1,16,8] = reshape(x=%t{i}, shape=[1, 16, 8])
%x{j}: f32[1,16,8] = add(a=%x{i}, b=%m{i})
"""


def encoder(layers: int) -> str:
    text = '%w: f32[8] = const(ref="w")\n%b: f32[8] = const(ref="b")\n%two: f32[] = full(value=2.0)\n'
    for i in range(layers):
        text += f'%wq{i}: f32[8,8] = const(ref="wq{i}")\n%wk{i}: f32[8,8] = const(ref="wk{i}")\n'
    patches = """%image: f32[1,3,4,4] = input(name="image")
%patch: f32[8,3,1,1] = const(ref="patch")
%c: f32[1,8,4,4] = conv(x=%image, w=%patch, stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1])
%f: f32[1,8,16] = reshape(x=%c, shape=[1, 8, 16])
%x0: f32[1,16,8] = permute(x=%f, dims=[0, 2, 1])
"""
    return text + patches + "".join(RESIDUAL.format(i=i, j=i + 1) for i in range(layers)) + f'return "y"=%x{layers}'


def test_an_encoder_settles():
    graph = graph_of(encoder(2))
    after = run(PIPELINE, graph, twice=True)
    assert body(run(PIPELINE, after)) == body(after)
    count = Counter(node.op.mnemonic for node in after.nodes)
    assert count["attention"] == 2
    assert count["softmax"] == count["matmul"] == 0
    assert count["permute"] == 1 + 2 * 3 + 2 * 2  # patches; q, k and the heads of each layer; derived weights
    agree(graph, after, tolerance=2e-6)


def test_a_thousand_nodes_are_quick():
    graph = graph_of(encoder(63))
    assert len(graph.nodes) > 1000
    run(PIPELINE, graph)
    text = str(graph)
    start = time.process_time()
    parse_graph(text)
    reading = time.process_time() - start
    assert processor_time(graph) < 20 * reading, "all passes together cost as much as a few readings of the text"


def test_time_is_linear():
    seconds = []
    for layers in (20, 80):
        graph = graph_of(encoder(layers))
        run(PIPELINE, graph)
        seconds.append(min(processor_time(graph) for _ in range(3)))
    assert seconds[1] < 10 * seconds[0]


def processor_time(graph: Graph) -> float:
    """Of all passes, without the collections of what other tests have left, which are not theirs."""
    gc.disable()
    try:
        start = time.process_time()
        run(PIPELINE, graph)
        return time.process_time() - start
    finally:
        gc.enable()
