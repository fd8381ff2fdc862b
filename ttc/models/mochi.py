"""Mochi 1 (Genmo 2024): one denoising step of the video transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import MochiTransformer3DModel
from torch import Tensor, nn

from ttc.models.model import Built, Model

CONFIGS = {
    "real": {"num_attention_heads": 24, "attention_head_dim": 128, "num_layers": 48, "pooled_projection_dim": 1536}
    | {"in_channels": 12, "text_embed_dim": 4096, "qk_norm": "rms_norm", "activation_fn": "swiglu"},
    "tiny": {"num_attention_heads": 2, "attention_head_dim": 32, "num_layers": 2, "pooled_projection_dim": 64}
    | {"in_channels": 4, "text_embed_dim": 64, "time_embed_dim": 32, "qk_norm": "rms_norm", "activation_fn": "swiglu"},
}
LATENT = {"real": (7, 60, 106), "tiny": (2, 8, 8)}
TEXT = {"real": 256, "tiny": 13}


class MaskedAttention:
    """Attention over video and text [B, S + T, heads, D] with text tokens masked.

    The library's own class takes the masked tokens out, one sample after another, which makes sizes depend on data.
    Keeping the tokens, hidden as keys and zero as results, gives the same numbers.
    """

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor,
        image_rotary_emb: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor | None]:
        video, text = hidden_states.shape[1], encoder_hidden_states.shape[1]

        def heads(layer: nn.Module, states: Tensor) -> Tensor:
            return layer(states).unflatten(2, (attn.heads, -1))

        def turned(x: Tensor) -> Tensor:
            even, odd = x[..., 0::2], x[..., 1::2]
            cosine, sine = image_rotary_emb
            return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1).flatten(-2)

        q = turned(attn.norm_q(heads(attn.to_q, hidden_states)))
        k = turned(attn.norm_k(heads(attn.to_k, hidden_states)))
        v = heads(attn.to_v, hidden_states)
        text_q = attn.norm_added_q(heads(attn.add_q_proj, encoder_hidden_states))
        text_k = attn.norm_added_k(heads(attn.add_k_proj, encoder_hidden_states))
        text_v = heads(attn.add_v_proj, encoder_hidden_states)
        q, k, v = (torch.cat(pair, 1).transpose(1, 2) for pair in ((q, text_q), (k, text_k), (v, text_v)))
        seen = F.pad(attention_mask.bool(), (video, 0), value=True)
        joint = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        video_states, text_states = joint.transpose(1, 2).flatten(2).split((video, text), 1)
        video_states = attn.to_out[0](video_states)
        text_states = text_states * attention_mask[:, :, None].to(text_states.dtype)
        return video_states, attn.to_add_out(text_states) if hasattr(attn, "to_add_out") else text_states


def build(size: str) -> Built:
    """Build the module and its inputs at a size of `CONFIGS`; the last quarter of the text is padding."""
    model = MochiTransformer3DModel(**CONFIGS[size])
    for block in model.transformer_blocks:
        block.attn1.processor = MaskedAttention()
    config = model.config
    return model, {
        "hidden_states": torch.randn(1, config.in_channels, *LATENT[size]),
        "encoder_hidden_states": torch.randn(1, TEXT[size], config.text_embed_dim),
        "timestep": torch.full((1,), 500.0),
        "encoder_attention_mask": torch.arange(TEXT[size])[None] < TEXT[size] * 3 // 4,
    }


MODELS = (Model("mochi", "Mochi 1 video transformer", build),)
