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
refuse(
    "the size of its result depends on data",
    "nonzero", "nonzero_numpy", "masked_select", "unique_dim", "_unique", "_unique2", "unique_consecutive",
    "bincount",
)  # fmt: skip
refuse(
    "it is a special function that no TTNN call computes to the dtype's precision",
    "lgamma", "mvlgamma", "digamma", "polygamma", "i0", "special_i0e", "special_i1", "special_i1e",
    "special_ndtri", "special_zeta", "igamma", "igammac", "special_bessel_j0", "special_bessel_j1",
    "special_bessel_y0", "special_bessel_y1",
)  # fmt: skip
refuse(
    "it factors a matrix, step after step on single elements: do it before the model",
    "linalg_cholesky_ex", "linalg_inv_ex", "_linalg_solve_ex", "_linalg_eigh", "_linalg_svd", "linalg_qr",
    "_linalg_slogdet", "linalg_lu_factor_ex", "linalg_lu", "linalg_eig", "linalg_lstsq", "linalg_matrix_exp",
    "_linalg_eigvals", "linalg_eigvals", "linalg_pinv", "cholesky", "cholesky_inverse", "triangular_solve",
)  # fmt: skip
refuse("its steps depend on the numbers themselves", "lcm", "mode", "histc", "_ctc_loss")
refuse("TTNN orders no NaN: replace them first, and take the median", "nanmedian")
refuse("which element goes where depends on data", "fractional_max_pool2d", "fractional_max_pool3d")
refuse("it works on the bits of its numbers", "frexp", "nextafter")
refuse("not supported yet: take cdist of the rows, and what lies above its diagonal", "_pdist_forward")
refuse("it reads a tensor by its place in memory: index the tensor instead", "as_strided", "as_strided_copy")
refuse("torch's own decomposition of it gives other numbers than torch", "multilabel_margin_loss_forward")
refuse(
    "it makes a Python number of a tensor, which is not known when compiling",
    "item", "_local_scalar_dense", "is_nonzero", "equal", "_is_all_true", "_is_any_true",
)  # fmt: skip
