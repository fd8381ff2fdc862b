"""OpenVoice V2: tokens to speech, and one speaker's speech or recording in the voice of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.errors import InputError
from ttc.ir import Const
from ttc.models.systems.aligned import AlignedSpeech, aligned_stages
from ttc.models.systems.openvoice_base import Base, read_base
from ttc.models.systems.system import Runner, Stage, System
from ttc.models.systems.tokens import read_tokens, token_array
from ttc.models.systems.voice import read_embedding

if TYPE_CHECKING:
    from ttc.compiled.chain import Chain
    from ttc.models.model import Built, Weigh
    from ttc.runtime.run.program import Program

LENGTHS = {"real": (49152, 114688, 229376), "tiny": (512, 1024)}
"""Samples: 2.2, 5.2 and 10.4 seconds."""

TOKENS = {"real": (64, 160, 320), "tiny": (12, 24)}
"""Tokens; a text of the published models has a blank before, between and after its symbols."""

HOP = {"real": 256, "tiny": 8}
"""Samples of a frame."""

EMBEDDING = {"real": 256, "tiny": 16}
"""Numbers of a speaker's embedding."""

SPEAKING = ("tokens", "phonemes")
"""Options that ask for speech, where conversion has a source."""


class VoiceConversion(System):
    """Two recordings: the words of `source` in the voice of `reference`."""

    name = "openvoice"
    summary = "OpenVoice V2, speech, and a recording in another speaker's voice"
    takes = ("source", "reference")
    stages = (
        Stage("tone", {"samples": {1: "N"}}),
        Stage("convert", {"samples": {1: "N"}}, {"embeddings": ("tone", "output")}),
    )
    rate = 22050

    @classmethod
    def asked(cls, size: str, options: Mapping[str, Any]) -> System:
        """Return the system for options: speech where tokens or phonemes are given, in a reference's voice or not."""
        if not any(name in options for name in SPEAKING):
            return cls(size)
        base = read_base(options["base"]) if "base" in options else Base()
        return (ConvertedSpeech if "reference" in options else Speech)(size, base)

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.openvoice import conversion

        return conversion(self.size, weigh)

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"N": LENGTHS[self.size]}

    def run(self, session: Runner, seed: int = 0, *, source: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Return the samples of the source, in the reference's voice; InputError for a recording that is too long.

        Both embeddings come of one run, of two samples, each of its own length.
        """
        both = [_recording("source", source), _recording("reference", reference)]
        longest = max(map(len, both))
        samples = np.stack([np.pad(each, (0, longest - len(each))) for each in both])
        tone = session.run("tone", {"samples": samples, "N": [len(each) for each in both]}, keep=("output",))
        inputs = {"samples": both[0][None], "embeddings": tone["output"]}
        return session.run("convert", inputs, seed=seed)["output"][0]


class Speech(AlignedSpeech):
    """Tokens, spoken by one of the speakers of a base model."""

    name = "openvoice"
    summary = VoiceConversion.summary
    takes = ("tokens",)
    may_take = ("phonemes", "speaker", "base")
    rate = VoiceConversion.rate
    stages = aligned_stages("tokens", {"means": 1, "log_variances": 1})
    milliseconds = 12

    def __init__(self, size: str = "real", base: Base | None = None):
        super().__init__(size)
        self.base = Base() if base is None else base

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.model import as_built

        if self.base.folder is not None and weigh is not as_built:
            raise InputError(f"{self.base.folder} has the weights of speech: --weights is for conversion after it")
        return self.speaking(weigh)

    def speaking(self, weigh: Weigh) -> Mapping[str, Built]:
        """Build the stages of speech, with the weights of the base speakers' folder where there is one."""
        from functools import partial

        from ttc.models.openvoice_speech import speech
        from ttc.models.systems.checkpoint import load_weights

        if self.base.folder is not None:
            weigh = partial(load_weights, path=self.base.folder)
        return speech(self.size, self.base.symbols, self.base.speakers, weigh)

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"T": TOKENS[self.size], "F": tuple(length // HOP[self.size] for length in LENGTHS[self.size])}

    def load(self, folder: str | PathLike[str]) -> Chain:
        """Load what `Chain.save` wrote; InputError for a folder of another system, size, or number of symbols."""
        chain = super().load(folder)
        self.require_tables(chain.stages["encode"].program, folder)
        return chain

    def require_tables(self, program: Program, folder: str | PathLike[str]) -> None:
        """Require that the tables of a program have a row for each symbol and speaker of the base."""
        counts = {"symbols": ("text.emb.", self.base.symbols), "speakers": ("speakers.", self.base.speakers)}
        tables = [node for node in program.graph.nodes if isinstance(node.op, Const)]
        for kind, (name, count) in counts.items():
            found = {node.results[0].shape[0] for node in tables if node.op.ref.startswith(name)}
            if found != {count}:
                has = " or ".join(map(str, sorted(found)))
                raise InputError(f"{folder} was compiled for {has} {kind}, not {count}: give the same --base as then")

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return tokens, made of phonemes where they are given, and the number of the speaker."""
        options = dict(options)
        if "phonemes" in options:
            if "tokens" in options:
                raise InputError("openvoice speaks --phonemes or --tokens, not both")
            options["tokens"] = self.base.tokens(options.pop("phonemes"))
        elif "tokens" in options:
            options["tokens"] = read_tokens(options["tokens"])
        given = super().read(options)
        if "speaker" in options:
            given["speaker"] = self.base.speaker(options["speaker"])
        self.inputs(given["tokens"], given.get("speaker", 0))  # what does not fit is told before anything is compiled
        return given

    def run(self, session: Runner, seed: int = 0, *, tokens: Sequence[int], speaker: int = 0) -> np.ndarray:
        """Return the samples of tokens; InputError for unknown ones, none, and more than the largest bucket takes."""
        return self.spoken(session, seed, tokens, speaker, keep=())[0]

    def spoken(self, session: Runner, seed: int, tokens: Sequence[int], speaker: int, keep: tuple[str, ...]) -> Any:
        """Return the samples [1, N] of tokens, which may stay on the device.

        Durations, latents and conversion draw from three numbers of their own for each seed.
        """
        given = self.inputs(tokens, speaker)
        inputs = {**self.aligned(session, given, 3 * seed), "speaker": given["speaker"]}
        return session.run("synthesize", inputs, keep=keep, seed=3 * seed + 1)["output"]

    def inputs(self, tokens: Sequence[int], speaker: int) -> dict[str, np.ndarray]:
        """Return tokens as i64[1, T] and the speaker as i64[1]; InputError for what cannot be spoken."""
        numbers = token_array(tokens, self.base.symbols, self.lengths["T"][-1])
        if not 0 <= speaker < self.base.speakers:
            raise InputError(f"there is no speaker {speaker}: speakers are 0 to {self.base.speakers - 1}")
        return {"tokens": numbers, "speaker": np.array([speaker])}


class ConvertedSpeech(Speech):
    """Tokens, spoken in the voice of a recording.

    The base speaker's own embedding is a published one, or else that of the speech.
    """

    takes = ("tokens", "reference")
    may_take = (*Speech.may_take, "voice")
    stages = (
        *Speech.stages,
        Stage("tone", {"samples": {1: "N"}}),
        Stage("own_tone", {"samples": {1: "N"}}, {"samples": ("synthesize", "output")}),
        Stage(
            "convert",
            {"samples": {1: "N"}},
            {"samples": ("synthesize", "output"), "source": ("own_tone", "output"), "target": ("tone", "output")},
        ),
    )

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.model import as_built
        from ttc.models.openvoice_speech import conversion_of_speech

        if (self.base.folder is None) != (weigh is as_built):
            raise InputError("speech in another voice needs the weights of both: --base DIR and --weights FILE")
        return {**self.speaking(weigh), **conversion_of_speech(self.size, weigh)}

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {**super().lengths, "N": LENGTHS[self.size]}

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what speech takes, the recording, and the base speaker's embedding where one is given."""
        given = super().read(options)
        if "voice" in options:
            given["voice"] = self.embedding(read_embedding(options["voice"]))
        return given

    def run(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        session: Runner,
        seed: int = 0,
        *,
        tokens: Sequence[int],
        reference: np.ndarray,
        speaker: int = 0,
        voice: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the samples of tokens in the voice of a recording; InputError for what is too long, or unknown."""
        recording = _recording("reference", reference)[None]
        target = session.run("tone", {"samples": recording}, keep=("output",))["output"]
        samples = self.spoken(session, seed, tokens, speaker, keep=("output",))
        if voice is None:
            source = session.run("own_tone", {"samples": samples}, keep=("output",))["output"]
        else:
            source = self.embedding(voice)
        given = {"samples": samples, "source": source, "target": target}
        return session.run("convert", given, seed=3 * seed + 2)["output"][0]

    def embedding(self, voice: np.ndarray) -> np.ndarray:
        """Return a speaker's embedding as f32[1, D]; InputError for one of another size."""
        wanted = EMBEDDING[self.size]
        if voice.size != wanted:
            raise InputError(f"the voice has {voice.size} numbers, this model takes an embedding of {wanted}")
        return voice.astype(np.float32).reshape(1, wanted)


def _recording(name: str, samples: np.ndarray) -> np.ndarray:
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise InputError(f"the {name} is one channel of finite samples, got an array of shape {list(samples.shape)}")
    return samples.astype(np.float32, copy=False)
