"""A few ops for which TTNN has one call."""

from __future__ import annotations

from tests.samples.form import P, Sample
from ttc import ops

HEADS = """graph {
  %x: f32[2,33,%W] = input(name="x")
  %q: f32[2,33,128] = slice(x=%x, starts=[0, 0, 0], ends=[2, 33, 128])
  %k: f32[2,33,%K] = slice(x=%x, starts=[0, 0, 128], ends=[2, 33, %A])
  %v: f32[2,33,%K] = slice(x=%x, starts=[0, 0, %A], ends=[2, 33, %W])
  %q1: f32[2,33,4,32] = reshape(x=%q, shape=[2, 33, 4, 32])
  %k1: f32[2,33,%H,32] = reshape(x=%k, shape=[2, 33, %H, 32])
  %v1: f32[2,33,%H,32] = reshape(x=%v, shape=[2, 33, %H, 32])
  %q2: f32[2,4,33,32] = permute(x=%q1, dims=[0, 2, 1, 3])
  %k2: f32[2,%H,33,32] = permute(x=%k1, dims=[0, 2, 1, 3])
  %v2: f32[2,%H,33,32] = permute(x=%v1, dims=[0, 2, 1, 3])
  %y: f32[2,4,33,32] = attention(q=%q2, k=%k2, v=%v2, scale=0.25)
  %y1: f32[2,33,4,32] = permute(x=%y, dims=[0, 2, 1, 3])
  %y2: f32[2,33,128] = reshape(x=%y1, shape=[2, 33, 128])
  return "output"=%y2
}"""


def heads(shared: int) -> str:
    """Attention between rows, each key and value head for `shared` of the four query heads."""
    count = 4 // shared
    sizes = {"%W": 128 + 64 * count, "%K": 32 * count, "%A": 128 + 32 * count, "%H": count}
    text = HEADS
    for name, size in sizes.items():
        text = text.replace(name, str(size))
    return text


JOINT = """graph {
  %q: f32[1,2,64,32] = input(name="q")
  %k: f32[1,2,64,32] = input(name="k")
  %v: f32[1,2,64,32] = input(name="v")
  %r: f32[1,2,13,32] = input(name="r")
  %l: f32[1,2,13,32] = input(name="l")
  %w: f32[1,2,13,32] = input(name="w")
  %q1: f32[1,2,77,32] = concat(xs=[%r, %q], dim=2)
  %k1: f32[1,2,77,32] = concat(xs=[%l, %k], dim=2)
  %v1: f32[1,2,77,32] = concat(xs=[%w, %v], dim=2)
  %y: f32[1,2,77,32] = attention(q=%q1, k=%k1, v=%v1, scale=0.25)
  %y1: f32[1,77,2,32] = permute(x=%y, dims=[0, 2, 1, 3])
  %y2: f32[1,77,64] = reshape(x=%y1, shape=[1, 77, 64])
  %a: f32[1,13,64] = slice(x=%y2, starts=[0, 0, 0], ends=[1, 13, 64])
  %b: f32[1,64,64] = slice(x=%y2, starts=[0, 13, 0], ends=[1, 77, 64])
  return "a"=%a, "b"=%b
}"""
"""Attention of two sequences together, the shorter one first."""

PATTERN: list[Sample] = [
    P("heads cut from rows and joined again", ops.Attention, heads(1)),
    P("grouped heads cut from rows", ops.Attention, heads(2)),
    P(
        "heads cut from three values",
        ops.Attention,
        """graph {
  %q: f32[1,17,64] = input(name="q")
  %k: f32[1,17,64] = input(name="k")
  %v: f32[1,17,64] = input(name="v")
  %q1: f32[1,17,2,32] = reshape(x=%q, shape=[1, 17, 2, 32])
  %k1: f32[1,17,2,32] = reshape(x=%k, shape=[1, 17, 2, 32])
  %v1: f32[1,17,2,32] = reshape(x=%v, shape=[1, 17, 2, 32])
  %q2: f32[1,2,17,32] = permute(x=%q1, dims=[0, 2, 1, 3])
  %k2: f32[1,2,17,32] = permute(x=%k1, dims=[0, 2, 1, 3])
  %v2: f32[1,2,17,32] = permute(x=%v1, dims=[0, 2, 1, 3])
  %y: f32[1,2,17,32] = attention(q=%q2, k=%k2, v=%v2, causal=true)
  return "output"=%y
}""",
    ),
    P(
        "heads stacked as timm's ViT has them",
        ops.Attention,
        """graph {
  %x: f32[2,17,192] = input(name="x")
  %x1: f32[2,17,3,2,32] = reshape(x=%x, shape=[2, 17, 3, 2, 32])
  %x2: f32[3,2,2,17,32] = permute(x=%x1, dims=[2, 0, 3, 1, 4])
  %q: f32[1,2,2,17,32] = slice(x=%x2, starts=[0, 0, 0, 0, 0], ends=[1, 2, 2, 17, 32])
  %k: f32[1,2,2,17,32] = slice(x=%x2, starts=[1, 0, 0, 0, 0], ends=[2, 2, 2, 17, 32])
  %v: f32[1,2,2,17,32] = slice(x=%x2, starts=[2, 0, 0, 0, 0], ends=[3, 2, 2, 17, 32])
  %q1: f32[2,2,17,32] = reshape(x=%q, shape=[2, 2, 17, 32])
  %k1: f32[2,2,17,32] = reshape(x=%k, shape=[2, 2, 17, 32])
  %v1: f32[2,2,17,32] = reshape(x=%v, shape=[2, 2, 17, 32])
  %y: f32[2,2,17,32] = attention(q=%q1, k=%k1, v=%v1, scale=0.25)
  return "output"=%y
}""",
    ),
    P(
        "a sum that a norm reads alone",
        ops.LayerNorm,
        """graph {
  %x: f32[2,33,96] = input(name="x")
  %z: f32[2,33,96] = input(name="z")
  %w: f32[96] = const(ref="w")
  %v: f32[96] = const(ref="v")
  %s: f32[2,33,96] = add(a=%x, b=%z)
  %y: f32[2,33,96] = layer_norm(x=%s, w=%w, bias=%v)
  %t: f32[2,33,96] = add(a=%y, b=%z)
  %r: f32[2,33,96] = rms_norm(x=%t, w=%w)
  return "output"=%r
}""",
    ),
    P("attention of two sequences together", ops.Attention, JOINT),
    P(
        "a row of run time gates what is added",
        ops.Add,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %g: f32[1,1,64] = input(name="g")
  %z: f32[1,33,64] = input(name="z")
  %p: f32[1,33,64] = mul(a=%g, b=%z)
  %y: f32[1,33,64] = add(a=%x, b=%p)
  return "output"=%y
}""",
    ),
    P(
        "a sum without its negative numbers",
        ops.Relu,
        """graph {
  %x: f32[2,33,64] = input(name="x")
  %z: f32[33,64] = input(name="z")
  %s: f32[2,33,64] = add(a=%x, b=%z)
  %y: f32[2,33,64] = relu(x=%s)
  return "output"=%y
}""",
    ),
    P(
        "rows of run time scale and shift",
        ops.Add,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %s: f32[1,1,64] = input(name="s")
  %t: f32[1,1,64] = input(name="t")
  %p: f32[1,33,64] = mul(a=%x, b=%s)
  %y: f32[1,33,64] = add(a=%p, b=%t)
  return "output"=%y
}""",
    ),
    P(
        "a snake, behind a product as positions are in fp32",
        ops.Add,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %w: f32[64,64] = const(ref="w")
  %a: f32[1,1,64] = const(ref="a")
  %c: f32[1,1,64] = const(ref="c")
  %z: f32[1,33,64] = linear(x=%x, w=%w)
  %m: f32[1,33,64] = mul(a=%z, b=%a)
  %s: f32[1,33,64] = sin(x=%m)
  %q: f32[1,33,64] = mul(a=%s, b=%s)
  %p: f32[1,33,64] = mul(a=%q, b=%c)
  %y: f32[1,33,64] = add(a=%z, b=%p)
  return "output"=%y
}""",
    ),
    P(
        "the inverse root of a sum",
        ops.Rsqrt,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %e: f32[] = full(value=1.0)
  %q: f32[1,33,64] = mul(a=%x, b=%x)
  %s: f32[1,33,64] = add(a=%q, b=%e)
  %y: f32[1,33,64] = rsqrt(x=%s)
  return "output"=%y
}""",
    ),
    P(
        "the inverse root of a variance scales a row",
        ops.Mul,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %g: f32[1,1,64] = input(name="g")
  %h: f32[1,1,33] = full(value=0.25)
  %e: f32[] = full(value=1.0)
  %q: f32[1,33,64] = mul(a=%x, b=%x)
  %p: f32[1,1,64] = matmul(a=%h, b=%q)
  %v: f32[1,1,64] = add(a=%p, b=%e)
  %r: f32[1,1,64] = rsqrt(x=%v)
  %y: f32[1,1,64] = mul(a=%r, b=%g)
  return "output"=%y
}""",
    ),
    P(
        "positions are added to the scores of keys that are seen",
        ops.Attention,
        """graph {
  %q: f32[1,2,33,32] = input(name="q")
  %k: f32[1,2,40,32] = input(name="k")
  %r: f32[1,2,32,40] = input(name="r")
  %c: bool[1,1,1,40] = input(name="c")
  %low: f32[] = full(value=-inf)
  %p: f32[1,2,33,40] = matmul(a=%q, b=%r)
  %m: f32[1,2,33,40] = where(condition=%c, a=%p, b=%low)
  %y: f32[1,2,33,32] = attention(q=%q, k=%k, v=%k, mask=%m, scale=0.25, empty="nan")
  return "output"=%y
}""",
    ),
    P(
        "rows of run time modulate a norm",
        ops.LayerNorm,
        """graph {
  %x: f32[1,33,64] = input(name="x")
  %s: f32[1,64] = input(name="s")
  %t: f32[1,64] = input(name="t")
  %w: f32[64] = reshape(x=%s, shape=[64])
  %b: f32[64] = reshape(x=%t, shape=[64])
  %y: f32[1,33,64] = layer_norm(x=%x, w=%w, bias=%b)
  return "output"=%y
}""",
    ),
]
