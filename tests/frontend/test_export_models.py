import pytest
import torch
import transformers as hf

from tests.frontend.exporting import agree
from ttc import ops
from ttc.frontend.export import export
from ttc.ir import Input, parse_graph

TEXT = {"vocab_size": 99, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
TEXT |= {"num_attention_heads": 2, "max_position_embeddings": 16}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION |= {"image_size": 32, "patch_size": 8}
T5 = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
BARK = {"input_vocab_size": 99, "output_vocab_size": 99, "hidden_size": 32, "num_layers": 2, "num_heads": 2}
SPEECH = {"vocab_size": 99, "hidden_size": 32, "num_mel_bins": 8, "speaker_embedding_dim": 8}
SPEECH |= {f"{half}_layers": 2 for half in ("encoder", "decoder")}
SPEECH |= {f"{half}_ffn_dim": 64 for half in ("encoder", "decoder")}
SPEECH |= {f"{half}_attention_heads": 2 for half in ("encoder", "decoder")}
SPEECH |= {f"speech_decoder_{net}_units": 16 for net in ("prenet", "postnet")}

IDS = torch.arange(3, 21).reshape(2, 9)
MASK = torch.ones(2, 9, dtype=torch.long)
MASK[1, 6:] = 0
PIXELS = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def kinds(exported):
    return [type(node.op).__name__ for node in exported.graph.nodes]


def test_vit():
    config = hf.ViTConfig(**VISION)
    exported = agree(hf.ViTForImageClassification(config), PIXELS)
    assert exported.graph.signature()[0].keys() == {"pixel_values"}
    assert exported.graph.signature()[1].keys() == {"logits"}
    text = str(exported.graph)
    assert kinds(exported).count("Attention") == kinds(exported).count("Gelu") == 2
    assert "mask" not in text
    assert parse_graph(text) == exported.graph or str(parse_graph(text)) == text
    with torch.device("meta"):
        meta = hf.ViTForImageClassification(config).eval()
    assert str(export(meta, (PIXELS,)).graph) == text


def test_clip_text():
    exported = agree(hf.CLIPTextModel(hf.CLIPTextConfig(**TEXT, bos_token_id=0, eos_token_id=20)), IDS)
    assert list(exported.graph.signature()[1]) == ["last_hidden_state", "pooler_output"]
    assert all(node.op.causal and node.op.mask is None for node in exported.graph.nodes if is_attention(node))


def is_attention(node):
    return isinstance(node.op, ops.Attention)


@pytest.mark.parametrize("masked", [False, True])
def test_bert(masked):
    agree(hf.BertModel(hf.BertConfig(**TEXT)), IDS, **({"attention_mask": MASK} if masked else {}))


def test_llama_without_a_cache():
    config = hf.LlamaConfig(**TEXT | {"num_attention_heads": 4}, num_key_value_heads=2, use_cache=False)
    exported = agree(hf.LlamaForCausalLM(config), IDS)
    attentions = [node.op for node in exported.graph.nodes if is_attention(node)]
    assert [(op.causal, op.mask) for op in attentions] == [(True, None)] * 2


def test_t5_encoders():
    agree(hf.T5EncoderModel(hf.T5Config(**T5, feed_forward_proj="gated-gelu")), IDS)
    agree(hf.UMT5EncoderModel(hf.UMT5Config(**T5)), IDS, MASK)


def test_owlvit():
    text, vision = TEXT | {"projection_dim": 32, "bos_token_id": 0, "eos_token_id": 20}, VISION | {"projection_dim": 32}
    config = hf.OwlViTConfig(text_config=text, vision_config=vision, projection_dim=32)
    exported = agree(
        hf.OwlViTForObjectDetection(config), input_ids=IDS, pixel_values=PIXELS, attention_mask=MASK, tolerance=1e-5
    )
    assert {"logits", "pred_boxes"} <= exported.graph.signature()[1].keys()


def test_bark():
    from transformers.models.bark import modeling_bark as bark

    agree(bark.BarkSemanticModel(bark.BarkSemanticConfig(**BARK, block_size=64)), IDS, use_cache=False)
    fine = bark.BarkFineModel(bark.BarkFineConfig(**BARK, block_size=64, n_codes_total=8, n_codes_given=1))
    exported = agree(fine, 3, torch.arange(144).reshape(2, 9, 8) % 90)
    assert [node.op.name for node in exported.graph.nodes if isinstance(node.op, Input)] == ["input_ids"]


def test_speecht5_parts():
    model = hf.SpeechT5ForTextToSpeech(hf.SpeechT5Config(**SPEECH))
    agree(model.speecht5.encoder, IDS)
    agree(model.speech_decoder_postnet, torch.randn(1, 6, 32))
    agree(hf.SpeechT5HifiGan(hf.SpeechT5HifiGanConfig(model_in_dim=8, upsample_initial_channel=16)), torch.randn(12, 8))


def test_speecht5_decoder_draws_random_numbers_even_in_eval_mode():
    decoder = hf.SpeechT5ForTextToSpeech(hf.SpeechT5Config(**SPEECH)).speecht5.decoder.eval()
    options = {"speaker_embeddings": torch.randn(1, 8), "use_cache": False}
    inputs, _ = export(decoder, (torch.randn(1, 6, 8),), options).graph.signature()
    assert [name for name in inputs if name.startswith("random.")] == ["random.uniform.0", "random.uniform.1"]


def test_swin_and_resnet():
    swin = hf.SwinConfig(image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)
    agree(hf.SwinModel(swin), PIXELS)
    resnet = hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    agree(hf.ResNetForImageClassification(resnet), PIXELS)
