"""`Steps`: the session of generation's programs, and the one cache whose rows it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from ttc.compiled.chain import Chain
from ttc.errors import InputError
from ttc.generation.cache import DeviceCache
from ttc.generation.compiling import BY_TOKEN, ENCODER, MASK, STEP, Sizes
from ttc.generation.vocabulary import vocabulary_of
from ttc.ir import TILE
from ttc.models.systems.tokens import require_known


@dataclass
class EncoderOutput(BaseModelOutput):
    """The output of an encoder as transformers knows it, and the tensors that the encoder was given.

    Where several sequences of one input are wanted, `generate` repeats the rows of all these tensors. `taken` holds the
    inputs of steps, by name, that the encoder has left on the device for `rows` sequences.
    """

    inputs: Tensor | None = None
    mask: Tensor | None = None

    def __post_init__(self):
        super().__post_init__()
        self.rows, self.taken = 0, {}


class Steps:
    """Programs of generation on a device; one generation at a time has its rows there."""

    def __init__(self, programs: Chain, device: str | None):
        self.programs, self.sizes = programs, Sizes.of(programs.stages[STEP])
        self.session = programs.session(device)
        self._cache = DeviceCache(self.sizes.capacity)
        self._vocabulary = vocabulary_of(programs.stages[STEP], "input_ids")

    def fresh(self) -> DeviceCache:
        """Return the cache of a new generation, whose rows are written over those of the one before."""
        self._cache.replaced = True
        self._cache = DeviceCache(self.sizes.capacity)
        return self._cache

    def encode(self, inputs: Tensor, mask: Tensor | None) -> EncoderOutput:
        """Run the encoder on inputs [batch, ...]; fewer or shorter token sequences are filled up behind a mask."""
        mask = torch.ones(inputs.shape[:2], dtype=torch.long) if mask is None else mask.long()
        hidden, taken = self._encoded(inputs, mask)
        result = EncoderOutput(last_hidden_state=hidden, inputs=inputs, mask=mask)
        result.rows, result.taken = len(inputs), taken
        return result

    def taken(self, encoded: EncoderOutput) -> dict[str, Any]:
        """Return the inputs of steps that an encoder left; the encoder runs once more for rows repeated since."""
        assert encoded.inputs is not None
        assert encoded.mask is not None
        if encoded.rows != len(encoded.inputs):
            _, encoded.taken = self._encoded(encoded.inputs, encoded.mask)
            encoded.rows = len(encoded.inputs)
        return encoded.taken

    def _encoded(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Run the encoder; return the output, and the inputs of steps that come of the run."""
        encoder = self.programs.stages[ENCODER].program
        count, tokens = len(inputs), inputs.shape[1] if inputs.dim() == 2 else None
        if tokens is not None:
            require_known(inputs.numpy(), vocabulary_of(self.programs.stages[ENCODER], "inputs"))
        shapes = {name: type.shape for name, type in encoder.inputs}
        given = {"inputs": inputs, "encoder_mask": mask}
        given = {name: _filled(item, shapes[name]) for name, item in given.items()}
        (first, _), *others = encoder.outputs
        found = self.session.run(
            ENCODER, {name: item.numpy() for name, item in given.items()}, keep=[name for name, _ in others]
        )
        links = self.programs.links[STEP]
        taken = {"encoder_mask": given["encoder_mask"], **{name: found[output] for name, (_, output) in links.items()}}
        return torch.from_numpy(found[first])[:count, :tokens], taken

    def run(self, ids: Tensor, cache: DeviceCache, others: dict[str, Any]) -> Tensor:
        """Return the logits [batch, vocabulary] of the last of the tokens [batch, n], which are taken in pieces."""
        (batch, count), sizes = ids.shape, self.sizes
        if not 0 < batch <= sizes.batch or not count:
            raise InputError(f"the programs take 1 to {sizes.batch} sequences, and ids are {list(ids.shape)}")
        require_known(ids.numpy(), self._vocabulary)
        start = cache.take(count)
        by_token = {name: item for name, item in others.items() if name in BY_TOKEN}
        by_token = cache.with_those_before(start, {"input_ids": ids, **by_token})
        # tiles are written whole: tokens in the tile that many begin in are taken again
        begin = start - start % TILE if count > 1 and sizes.aligned else start
        found: dict[str, Any] = {}
        for first in range(begin, start + count, sizes.piece):
            rows = slice(first, min(first + sizes.piece, start + count))
            given = {**others, **{name: item[:, rows] for name, item in by_token.items()}}
            given["start"] = torch.tensor([first])
            if rows.stop > first + 1 and MASK in given:  # many tokens need no rows behind their own
                given[MASK] = given[MASK][:, : rows.stop]
            found = self.session.run(STEP, {name: _wide(item, sizes.batch) for name, item in given.items()})
        return torch.from_numpy(next(iter(found.values())))[:batch]


def _filled(item: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return tokens [batch, n] with zeros behind them, in an encoder's shape; of features [batch, ...] more rows."""
    wanted = shape if item.dim() == 2 else (shape[0], *item.shape[1:])
    missing = [most - own for most, own in zip(wanted, item.shape, strict=True)]
    if min(missing) < 0:
        raise InputError(f"the encoder takes inputs of up to {list(shape)}, got {list(item.shape)}")
    return nn.functional.pad(item, [side for count in reversed(missing) for side in (0, count)])


def _wide(item: Any, batch: int) -> Any:
    """Return a host's tensor as an array, in the program's batch: the last sequence stands for missing ones."""
    if not isinstance(item, Tensor):
        return item
    missing = batch - item.shape[0] if item.dim() > 1 else 0
    return torch.cat([item, item[-1:].expand(missing, *item.shape[1:])]).numpy()
