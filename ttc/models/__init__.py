"""Models that ttc carries whole: one small file for each family, found by name without importing the others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from ttc.errors import InputError
from ttc.models.systems import SYSTEMS, system_named

if TYPE_CHECKING:
    from ttc.models.model import Model
    from ttc.models.systems.system import System

FILES = {
    "bark": ("bark_semantic", "bark_coarse", "bark_fine"),
    "bert": ("bert",),
    "clip_text": ("clip_text", "clip_text_g"),
    "encodec": ("encodec_decoder",),
    "flux": ("flux",),
    "kokoro": tuple(
        f"kokoro_{part}" for part in ("bert", "text_encoder", "duration_encoder", "prosody", "pitch", "decoder")
    ),
    "llama": ("llama",),
    "minilm": ("minilm",),
    "mochi": ("mochi",),
    "motif": ("motif",),
    "openvoice": tuple(f"openvoice_{part}" for part in ("converter", "reference_encoder", "text_encoder", "durations")),
    "owlvit": ("owlvit",),
    "qwen_image": ("qwen_image",),
    "sd3": ("sd3",),
    "speecht5": ("speecht5_encoder", "speecht5_decoder_step", "speecht5_postnet", "speecht5_hifigan"),
    "t5": ("t5", "umt5"),
    "vaes": tuple(f"vae_{name}_{half}" for name in ("kl", "mochi", "wan", "qwen") for half in ("encoder", "decoder")),
    "vit": ("vit",),
    "wan": ("wan",),
}
"""Models of each file, which the file holds in `MODELS`."""

ALONE = {"kokoro": "kokoro", "openvoice_cli": "openvoice-cli"}
"""Packages, by module, to install without their requirements: phonemisers and downloaders, which ttc does not call."""

NAMES = tuple(name for names in FILES.values() for name in names)


class Lacking(InputError):
    """A model that needs a package which is not installed: `package`, and the `remedy` that installs it."""

    def __init__(self, model: str, package: str, remedy: str):
        super().__init__(f"{model} needs the package {package}: {remedy}")
        self.package, self.remedy = package, remedy


@overload
def named(name: Literal["bark", "kokoro", "openvoice", "speecht5", "vits"]) -> System: ...
@overload
def named(name: str) -> Model: ...
def named(name: str) -> Any:
    """Return the model called `name`, or the system of models at its published size.

    InputError with the known names; Lacking where a model needs a package.
    """
    if name in SYSTEMS:
        return system_named(name)()
    file = next((file for file, names in FILES.items() if name in names), None)
    if file is None:
        raise InputError(f"no model is called {name!r}; known are {', '.join((*NAMES, *SYSTEMS))}")
    try:
        models = import_module(f"ttc.models.{file}").MODELS
    except ImportError as error:  # the package is missing, or lacks the part that the model needs
        package = (error.name or "").partition(".")[0]
        wanted = f"--no-deps {ALONE[package]}" if package in ALONE else "'tt-compile[models]'"
        raise Lacking(name, package or str(error), f"pip install {wanted}") from None
    return next(model for model in models if model.name == name)
