"""Convolutions of a few channels with a stride: the pixels that a stride steps over become channels.

TTNN stores a pixel in a whole tile of channels and multiplies each element of the kernel by a tile of rows, so that an
image of 3 channels takes 10 times its bytes and its products.
"""

from __future__ import annotations

from ttc import ops
from ttc.ir import TILE, Value
from ttc.ops.expr import Expr, concat
from ttc.passes.channels_last.forms import Forms


def folded(op: ops.Conv, result: Value, forms: Forms) -> bool:
    """Compute a convolution on an image whose phases along the height, and the width, are channels.

    Element k of a kernel that starts p pixels before the image reads pixel s * i + k - p: with q = ceil(p / s) and
    r = s * q - p that is phase (k + r) % s of pixel i - q + (k + r) // s of the phases.
    """
    x, folds = op.x, _folds(op)
    if folds == (1, 1) or x in forms.rows:
        return False
    sizes = zip(x.shape[2:], op.w.shape[2:], folds, op.padding, strict=True)
    padding = [_padding(*along) if along[2] > 1 else along[3] for along in sizes]
    if any(after < 0 for _, after in padding):
        return False
    starts = [fold * pads[0] - own[0] for fold, pads, own in zip(folds, padding, op.padding, strict=True)]
    strips = _phases(Expr(forms.plain_of(x), forms.builder), folds)
    channels, pixels = strips.shape[1], strips.shape[0] * strips.shape[2]
    batch, height, width = x.shape[0], x.shape[2] // folds[0], x.shape[3] // folds[1]
    forms.rows[result] = forms.builder(
        ops.Conv(
            strips.permute(0, 2, 1).reshape(1, 1, pixels, channels).value,
            _weight(Expr(forms.plain_of(op.w), forms.builder), folds, starts),
            None if op.bias is None else forms.plain_of(op.bias),
            tuple(step // fold for step, fold in zip(op.stride, folds, strict=True)),
            tuple(padding),
            op.dilation,
            activation=op.activation,
            rows=(batch, height, width),
        )
    )
    return True


def _folds(op: ops.Conv) -> tuple[int, int]:
    """Return the phases along the height and the width that become channels.

    Those of the height where that halves the tiles of channels at the least; then those of the width where windows
    overlap, all within one tile. TTNN itself folds windows that tile their image.
    """
    if len(op.stride) != 2 or op.rows or op.groups > 1 or set(op.dilation) != {1} or min(op.w.shape[2:]) < 1:
        return 1, 1
    (height, width), (down, across), channels = op.x.shape[2:], op.stride, op.w.shape[1]
    halved = 2 * -(-channels * down // TILE) <= down * -(-channels // TILE)
    if down == 1 or height % down or op.w.shape[2] < down or not halved or op.padding[0][0] < 0:
        return 1, 1
    overlap = op.w.shape[3] > across > 1 and width % across == 0 and op.padding[1][0] >= 0
    return down, across if overlap and channels * down * across <= TILE else 1


def _padding(size: int, taps: int, fold: int, pads: tuple[int, int]) -> tuple[int, int]:
    """Return the padding of the phases along one dimension; a negative end is cut from the image."""
    begin = -(-pads[0] // fold)
    folded_taps = -(-(taps + fold * begin - pads[0]) // fold)
    results = (size + sum(pads) - taps) // fold + 1
    return begin, results - 1 + folded_taps - begin - size // fold


LONGEST = 2048
"""Pixels of a strip at the most, where lines allow: tiles are made of whole rows, in L1 where the rows are short."""


def _phases(x: Expr, folds: tuple[int, int]) -> Expr:
    """Return an image [N, C, H, W] in strips of whole tiles of pixels: [N * strips, fw * fh * C, pixels of a strip].

    Whole lines change places along the height; along the width each phase is a slice.
    """
    (batch, channels, height, width), (down, across) = x.shape, folds
    strips = _strips(height // down, width // across)
    high, pixels = height // down // strips, height // down // strips * width // across
    lines = x.reshape(batch, channels, strips, high, down, width).permute(0, 2, 4, 1, 3, 5)
    image = lines.reshape(batch * strips, down * channels, high, width)
    flat = batch * strips, down * channels, pixels
    if across == 1:
        return image.reshape(*flat)
    return concat([image.part(3, phase, step=across).reshape(*flat) for phase in range(across)], 1)


def _strips(height: int, width: int) -> int:
    """Return the fewest strips of an image that are short and of whole tiles; 1 where there are none."""
    counts = (count for count in range(1, height + 1) if height % count == 0)
    short = (count for count in counts if height // count * width <= LONGEST and height // count * width % TILE == 0)
    return next(short, 1)


def _weight(w: Expr, folds: tuple[int, int], starts: list[int]) -> Value:
    """Return a weight [O, C, *kernel] as [O, fw * fh * C, *taps], the kernel beginning at `starts` of the first tap."""
    for dim, (fold, start) in enumerate(zip(folds, starts, strict=True), start=2):
        w = w.pad(dim, start, -(w.shape[dim] + start) % fold)
    (out, channels, height, width), (down, across) = w.shape, folds
    split = w.reshape(out, channels, height // down, down, width // across, across)
    return split.permute(0, 5, 3, 1, 2, 4).reshape(out, across * down * channels, height // down, width // across).value
