"""Tiny models of the families that transformers knows: each one's own default configuration, made small."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel

LARGEST = 20_000_000
"""Most weights of a model that is called tiny: sizes of a name that no rule knows may leave one large."""

WIDTH, INNER, LAYERS, HEADS, WORDS = 32, 64, 2, 4, 99

RULES: tuple[tuple[str, int], ...] = (
    (r"(num_)?key_value_heads|num_kv_heads|n_head_kv|multi_query_group_num|.*_num_key_heads", 2),
    (r"head_dim|attention_head_size|d_kv|.*_head_dim|qk_head_dim|attention_key_dim|dim_head|rotary_dim", 8),
    (r"(.*_)?(attention_heads|n_heads?|num_heads)|.*_num_value_heads|num_attention_heads", HEADS),
    (
        r"(.*_)?(intermediate_size|ffn_dim|mlp_dim|d_ff|d_inner|ffn_hidden_size|n_inner|intermediate_dim|inner_dim)",
        INNER,
    ),
    (r"(.*_)?(hidden_size|d_model|n_embd|d_embed|embedding_size)", WIDTH),
    (r"(.*_)?(embed|emb|embedding|hidden|projection|proj|encoder|decoder|latent|input)_dim", WIDTH),
    (r"dim|mlp_hidden_size|conv_bias_dim|lora_rank|kv_lora_rank|q_lora_rank|classifier_proj_size|codebook_dim", WIDTH),
    (r"(.*_)?((hidden|num|encoder|decoder)_layers|n_layers?|num_blocks?|layers|depth)", LAYERS),
    (r"(.*_)?codebook_size", 64),  # often asked to be a power of 2
    (r"(.*_)?(vocab_size|num_embeddings|vocab_sizes)", WORDS),
    (r"(n_routed_experts|num_(local_)?experts|n_experts|num_total_experts|moe_num_experts)", 4),
    (r"(num_experts_per_tok|moe_top_?k|num_selected_experts|n_group|topk_group|moe_k)", 2),
    (r"first_k_dense_replace|num_nextn_predict_layers", 1),
    (r"max_position_embeddings|n_positions|max_source_positions|max_target_positions|max_seq_len|n_ctx", 128),
    (r"num_queries|num_query_tokens|num_latents|num_object_queries|two_stage_num_proposals", 8),
    (r"index_topk", 4),
)
"""Names of sizes in configurations, and the sizes of tiny models. The first rule that a name fits is taken."""

DERIVED = {"model_type", "transformers_version", "stage_names", "out_features", "out_indices", "per_layer_config"}
"""Entries that follow from other entries, or name layers that a tiny model has not."""

BLOCKS = {"depths", "num_blocks", "layers", "stage_num_blocks"}
STAGE_HEADS = {"num_heads", "num_attention_heads"}
STAGE_WIDTHS = {"hidden_sizes", "embed_dims", "conv_dim", "hidden_channels", "neck_hidden_sizes"}
STAGES = BLOCKS | STAGE_HEADS | STAGE_WIDTHS
"""Names of lists with an entry for each stage of a network."""


class TooLarge(Exception):
    """A configuration some of whose sizes no rule knows."""


def configuration(family: str) -> PreTrainedConfig:
    """Return the default configuration of a family with the sizes of a tiny model."""
    return AutoConfig.for_model(family, **_small(AutoConfig.for_model(family).to_dict()))


def _small(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dictionary of a configuration, and of those inside, with small sizes."""
    layers = {value for name, value in config.items() if _size(name) == LAYERS and isinstance(value, int)}
    small = {name: _shrunk(name, value, layers) for name, value in config.items() if name not in DERIVED}
    if config.get("kv_lora_rank") and "num_key_value_heads" in small:
        small["num_key_value_heads"] = HEADS  # latent attention has no groups
    return small | _picture(config)


def _picture(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the size of a picture of whole patches, two by two or more, in the form of the configuration's own."""
    size, patch = config.get("image_size"), config.get("patch_size") or 16
    if size is None or not isinstance(patch, int):
        return {}
    side = patch * max(-(-64 // patch), 2)
    return {"image_size": [side] * len(size) if isinstance(size, list | tuple) else side}


def _shrunk(name: str, value: Any, layers: set[int]) -> Any:
    if isinstance(value, dict):
        small = _small(value) if "model_type" in value or name.endswith("config") else value
        return small | ({"model_type": value["model_type"]} if "model_type" in value else {})
    if value is None and name == "head_dim":
        return _size(name)
    if isinstance(value, list) and name not in STAGES and len(value) in layers and len(value) > LAYERS:
        return _kinds(value)  # one entry a layer
    if name == "mrope_section":
        return [2, 1, 1]  # half of a head
    if name.endswith(("token_id", "token_index")) and isinstance(value, int) and value >= WORDS:
        return WORDS - 1 - value % 13
    if isinstance(value, bool) or not isinstance(value, int | list):
        return value
    if isinstance(value, int):
        size = _size(name)
        return value if size is None else min(size, value) if value > 0 else value
    return _small_list(name, value)


def _kinds(each_layer: list[Any]) -> list[Any]:
    """Return entries for two layers, of two kinds where there are two."""
    first = each_layer[0]
    return [first, next((entry for entry in each_layer if entry != first), first)]


def _small_list(name: str, values: list[Any]) -> list[Any]:
    if name in BLOCKS:
        return [1] * len(values)
    if name in STAGE_HEADS:
        return [2 ** (stage + 1) for stage in range(len(values))]
    if name in STAGE_WIDTHS:
        unit = max(min(values) // 16, 1)
        return [value // unit for value in values]
    return values


def _size(name: str) -> int | None:
    return next((size for pattern, size in RULES if re.fullmatch(pattern, name)), None)


def model(family: str, seed: int = 0) -> PreTrainedModel:
    """Build the tiny model of a family with seeded weights; raises TooLarge where its configuration stays large."""
    config = configuration(family)
    config._attn_implementation = "sdpa" if config._attn_implementation else config._attn_implementation
    with torch.device("meta"):
        weights = sum(parameter.numel() for parameter in AutoModel.from_config(config).parameters())
    if weights > LARGEST:
        raise TooLarge(f"{weights:,} weights")
    torch.manual_seed(seed)
    model = AutoModel.from_config(configuration(family)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases and routers begin as zeros, which hide what is done with them
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return model
