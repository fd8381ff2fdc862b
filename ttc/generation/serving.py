"""`Serving`: sequences that come and go, whose keys and values share the blocks of one pool on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ttc.compiled.chain import Chain
from ttc.errors import InputError
from ttc.generation.blocks import Blocks
from ttc.generation.compiling import STEP
from ttc.generation.paged_programs import TABLE, PagedSizes
from ttc.generation.vocabulary import vocabulary_of
from ttc.models.systems.tokens import require_known


@dataclass(eq=False)
class Served:
    """A sequence: the blocks that it holds, the rows written there, and the logits [vocabulary] after the last one."""

    held: list[int] = field(default_factory=list)
    length: int = 0
    logits: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    ended: bool = False


class Serving:
    """Programs of generation over pools of blocks, in a session on a device."""

    def __init__(self, programs: Chain, device: str | None):
        self.programs, self.sizes = programs, PagedSizes.of(programs)
        self.session = programs.session(device)
        self.blocks = Blocks(self.sizes.blocks, self.sizes.block_size)
        self._vocabulary = vocabulary_of(programs.stages[STEP], "input_ids")

    def begin(self, tokens: Sequence[int]) -> Served:
        """Return a new sequence that has taken a prompt; InputError, and nothing taken, where it does not fit."""
        sequence = Served()
        try:
            self.extend(sequence, tokens)
        except BaseException:
            self.end(sequence)
            raise
        return sequence

    def extend(self, sequence: Served, tokens: Sequence[int]) -> None:
        """Take more tokens of a sequence; its logits are those after the last one."""
        ids = self._known(tokens)
        self._take(sequence, len(ids))
        first, (largest, size) = 0, (self.sizes.tokens[-1], self.sizes.block_size)
        while first < len(ids):
            if sequence.length % size or len(ids) - first == 1:  # inside a block rows are written one by one
                self._run_one({sequence: int(ids[first])})
                first += 1
                continue
            piece = ids[first : first + largest]
            self._run_many(sequence, piece)
            first += len(piece)

    def step(self, tokens: Mapping[Served, int]) -> None:
        """Take the next token of each of these sequences; their logits are those after it.

        InputError, and nothing taken, for more sequences than the programs have, and where there are too few blocks.
        """
        if not 0 < len(tokens) <= self.sizes.batch:
            raise InputError(f"a step takes 1 to {self.sizes.batch} sequences, not {len(tokens)}")
        self._known(list(tokens.values()))
        before = {sequence: len(sequence.held) for sequence in tokens}
        try:
            for sequence in tokens:
                self._take(sequence, 1)
        except InputError:
            for sequence, count in before.items():
                self.blocks.release(sequence.held, count)
            raise
        self._run_one(tokens)

    def end(self, sequence: Served) -> None:
        """Give a sequence's blocks back, for others to take."""
        self.blocks.release(sequence.held)
        sequence.ended = True

    def forget(self, sequence: Served, count: int) -> None:
        """Drop the last rows of a sequence, over which its next tokens are written; InputError for more than it has."""
        if not 0 <= count <= sequence.length:
            raise InputError(f"a sequence of {sequence.length} rows cannot forget {count}")
        sequence.length -= count

    def _take(self, sequence: Served, count: int) -> None:
        """Take the blocks that so many more tokens lie in."""
        if sequence.ended:
            raise InputError("the sequence has ended: its blocks may be another's")
        rows = sequence.length + count
        if rows > self.sizes.capacity:
            raise InputError(f"a sequence has up to {self.sizes.capacity} rows, {rows} are wanted")
        self.blocks.extend(sequence.held, rows)

    def _known(self, tokens: Sequence[int]) -> np.ndarray:
        """Return token numbers i64 [n]; InputError for none, and for what is no token of the model."""
        ids = np.asarray(tokens)
        if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu":
            raise InputError(f"tokens are a list of whole numbers, one or more, not {tokens!r:.60}")
        require_known(ids, self._vocabulary)
        return ids.astype(np.int64)

    def _run_one(self, tokens: Mapping[Served, int]) -> None:
        """Run one token of each sequence."""
        sizes = self.sizes
        ids, start = np.zeros((sizes.batch, 1), np.int64), np.full(sizes.batch, -1, np.int32)
        table = np.zeros((sizes.batch, sizes.pages), np.int32)
        for row, (sequence, token) in enumerate(tokens.items()):
            ids[row], start[row] = token, sequence.length
            table[row, : len(sequence.held)] = sequence.held
        logits = self._run({"input_ids": ids, "start": start, TABLE: table, "blocks": np.zeros(1, np.int32)})
        for row, sequence in enumerate(tokens):
            sequence.length, sequence.logits = sequence.length + 1, logits[row]

    def _run_many(self, sequence: Served, ids: np.ndarray) -> None:
        """Run tokens of a sequence that begin a block."""
        sizes = self.sizes
        tokens = next(size for size in sizes.tokens if size >= len(ids))
        table, blocks = np.zeros((1, sizes.pages), np.int32), np.full(tokens // sizes.block_size, -1, np.int32)
        table[0, : len(sequence.held)] = sequence.held
        filled = sequence.held[sequence.length // sizes.block_size :][: len(blocks)]
        blocks[: len(filled)] = filled
        start = np.array([sequence.length], np.int32)
        given = {"input_ids": ids[None], "start": start, TABLE: table, "blocks": blocks}
        sequence.logits, sequence.length = self._run(given)[0], sequence.length + len(ids)

    def _run(self, given: dict[str, Any]) -> np.ndarray:
        return next(iter(self.session.run(STEP, given).values()))
