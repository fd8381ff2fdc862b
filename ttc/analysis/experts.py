"""Mixtures of experts that a program evaluates densely: all experts on all tokens, beside those that a router chose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ttc.analysis.run_calls import RunCall
from ttc.calls.call import Call, spec_of
from ttc.calls.matmul import Matmul
from ttc.calls.reduce import Topk
from ttc.ir import Const, Value


@dataclass(frozen=True)
class DenseExperts:
    """The products of one layer's experts with all of `tokens`, for each of which a router chose `chosen` experts.

    `module` is the layer's place in the model. `flops` and `weight_bytes` are those of all experts, `chosen_flops`
    those of the chosen ones alone, whose matrices have `chosen_weight_bytes` at the most: tokens may choose alike.
    """

    module: str
    experts: int
    chosen: int
    tokens: int
    flops: int
    weight_bytes: int
    predicted_seconds: float

    @property
    def chosen_flops(self) -> int:
        """Return the FLOPs of the chosen experts, each on the tokens that chose it."""
        return self.flops * self.chosen // self.experts

    @property
    def chosen_weight_bytes(self) -> int:
        """Return the bytes of the matrices of as many experts as the tokens may have chosen."""
        return self.weight_bytes * min(self.experts, self.chosen * self.tokens) // self.experts


def dense_experts(calls: Iterable[RunCall]) -> tuple[DenseExperts, ...]:
    """Find the layers of experts among a run's calls: products with a matrix for each number that a topk chose from.

    Products that follow the same topk are one layer's.
    """
    found: dict[Topk, DenseExperts] = {}
    routers: dict[int, Topk] = {}
    for call in calls:
        op = call.node.op
        if isinstance(op, Topk):
            routers[op.input_tensor.shape[op.dim]] = op
        elif isinstance(op, Matmul) and (sizes := _matrices(op)) is not None:
            experts, tokens, weight_bytes = sizes
            if experts in routers:
                router = routers[experts]
                layer = found.get(router) or DenseExperts(_module(call), experts, router.k, tokens, 0, 0, 0.0)
                found[router] = replace(
                    layer,
                    flops=layer.flops + call.cost.flops,
                    weight_bytes=layer.weight_bytes + weight_bytes,
                    predicted_seconds=layer.predicted_seconds + call.cost.seconds,
                )
    return tuple(found.values())


def described(layers: Sequence[DenseExperts], seconds: float) -> list[str]:
    """Return a line for all layers of one size: what all experts cost, and what the chosen ones alone would."""
    sizes: dict[tuple[int, int, int], list[DenseExperts]] = {}
    for layer in layers:
        sizes.setdefault((layer.experts, layer.chosen, layer.tokens), []).append(layer)
    return [_line(alike, seconds) for alike in sizes.values()]


def _line(layers: Sequence[DenseExperts], seconds: float) -> str:
    first = layers[0]
    more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    share = sum(layer.predicted_seconds for layer in layers) / seconds if seconds else 0.0
    return (
        f"{first.module}{more}: all {first.experts} experts on {first.tokens} tokens, {first.chosen} chosen for each; "
        f"a layer {first.flops / 1e9:.2f} GFLOP and {first.weight_bytes / 1e6:,.1f} MB of weights, of those chosen "
        f"{first.chosen_flops / 1e9:.2f} GFLOP and at most {first.chosen_weight_bytes / 1e6:,.1f} MB; "
        f"{share:.0%} of the predicted time"
    )


def _matrices(op: Matmul) -> tuple[int, int, int] | None:
    """Return the count of a constant's matrices, the rows that each is multiplied with, and the constant's bytes."""
    given, weight = op.input_tensor_a, _constant(op.input_tensor_b)
    if weight is None or op.input_tensor_b.type.rank != 3 or op.input_tensor_b.shape[0] == 1:
        return None
    return op.input_tensor_b.shape[0], given.shape[-1 if op.transpose_a else -2], spec_of(weight).stored_bytes


def _constant(value: Value) -> Value | None:
    """Return the constant that a value is a view or a copy of."""
    while isinstance(value.op, Call) and value.op.moves and len(value.op.operands()) == 1:
        value = value.op.operands()[0]
    return value if isinstance(value.op, Const) else None


def _module(call: RunCall) -> str:
    return call.location.partition(" at ")[0] or f"%{call.node.results[0].name}"
