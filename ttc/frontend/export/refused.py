"""Aten ops that are not read, with the reason."""

from __future__ import annotations

from ttc.frontend.export.table import refuse

refuse(
    "random numbers must come in as an input",
    "randperm", "multinomial", "exponential", "poisson",
)  # fmt: skip
refuse(
    "an exported program holds packed rows: compile the module itself, which keeps their lengths",
    "_pack_padded_sequence",
    "_pad_packed_sequence",
)
refuse("Fourier transforms are not supported yet", "_fft_r2c", "_fft_c2r", "_fft_c2c")
refuse(
    "the size of its result depends on data",
    "nonzero", "nonzero_numpy", "masked_select", "unique_dim", "_unique", "_unique2", "unique_consecutive",
    "bincount",
)  # fmt: skip
refuse(
    "it makes a Python number of a tensor, which is not known when compiling",
    "item", "_local_scalar_dense", "is_nonzero", "equal", "_is_all_true", "_is_any_true",
)  # fmt: skip
