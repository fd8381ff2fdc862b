"""Places of shards: where TTNN's allocator puts them, and what they leave."""

from ttc.analysis.memory import Arena
from ttc.backend.plan.sharding.places import Places
from ttc.calls.call import Workspace
from ttc.ir import DType, Input, Spec, Value


def value(name: str) -> Value:
    spec = Spec(DType.bf16, (32, 32))
    return Value(Input(spec, name), spec, name)


A, B, C = map(value, "abc")


def test_a_value_holds_both_blocks_while_it_moves():
    """From the top: 400 bytes, then 300 below; with 800 of 1000 there is no room for both."""
    one = Places(Arena(1000)).moved(A, 400)
    assert one is not None
    assert one.free == 600
    two = one.moved(A, 300)
    assert two is not None
    assert two.free == 300
    large = Places(Arena(1000)).moved(A, 800)
    assert large is not None
    assert large.moved(A, 201) is None
    assert large.moved(A, 200) is not None


def test_a_value_that_leaves_l1_takes_no_block():
    one = Places(Arena(1000)).moved(A, 400)
    assert one is not None
    gone = one.moved(A, 0)
    assert gone is not None
    assert gone.free == 1000


def test_an_interim_buffer_lies_above_the_result_and_leaves_a_hole():
    found = Places(Arena(1000)).running(A, 300, Workspace(l1=(500,)))
    assert found is not None
    places, free = found
    assert free == places.free == 200
    hole = places.moved(B, 500)
    assert hole is not None
    assert hole.free == 200
    assert places.moved(B, 501) is None
    assert Places(Arena(1000)).running(A, 501, Workspace(l1=(500,))) is None
    assert Places(Arena(1000)).running(A, 0, Workspace(l1=(1001,))) is None


def test_a_result_without_a_block_leaves_the_places_as_they_are():
    start = Places(Arena(1000)).moved(A, 400)
    assert start is not None
    found = start.running(B, 0, Workspace(l1=(100,)))
    assert found is not None
    assert (found[0].free, found[1]) == (600, 500)
    assert found[0].without([A]).free == 1000


def test_a_result_takes_the_block_of_an_operand():
    start = Places(Arena(1000)).moved(A, 400)
    assert start is not None
    renamed = start.renamed(A, C)
    assert renamed.without([C]).free == 1000
    assert start.without([A]).free == 1000  # other places than these
