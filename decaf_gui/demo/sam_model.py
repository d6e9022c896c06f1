"""The tiny SAM2 of the demo: its architecture, and a start from which training from nothing does not collapse.

SAM2's default initialisation ignores the click for a long time. Here every layer preserves variance, and token-image
attention starts with shared orthogonal query and key weights, so that a click attends to its own place at step 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from decaf_gui.tracking.architecture import build_sam, smaller_config

IMAGE_SIZE = 128
D_MODEL, MEMORY = 96, 32
NAME = "decaf-demo-sam"


DIFFERENCES: dict[str, Any] = {
    "image_encoder.trunk.embed_dim": 24,
    "image_encoder.trunk.stages": [1, 2, 3, 1],
    "image_encoder.trunk.window_spec": [8, 4, 8, 8],
    "image_encoder.trunk.global_att_blocks": [4, 5],
    "image_encoder.trunk.window_pos_embed_bkg_spatial_size": [8, 8],
    "image_encoder.neck.backbone_channel_list": [192, 96, 48, 24],
    "memory_attention.num_layers": 1,
    "memory_attention.layer.dim_feedforward": 256,
    "memory_attention.layer.dropout": 0.0,
    "memory_attention.layer.self_attention.dropout": 0.0,
    "memory_attention.layer.cross_attention.dropout": 0.0,
    "memory_encoder.fuser.num_layers": 1,
    "memory_encoder.fuser.layer.layer_scale_init_value": 0.1,
    "num_maskmem": 5,
    "max_obj_ptrs_in_encoder": 8,
    "multimask_output_in_sam": False,
    "multimask_output_for_tracking": False,
    "use_multimask_token_for_obj_ptr": False,
}
"""What else differs from SAM2.1 tiny than sizes: fewer and narrower layers, one mask per prompt."""


def demo_config(image_size: int = IMAGE_SIZE) -> dict[str, Any]:
    """The `model:` section, in the layout of the sam2 package's own files."""
    return smaller_config(image_size, D_MODEL, MEMORY, DIFFERENCES)


def fresh_model(seed: int = 0) -> Any:
    """A demo SAM2 that is ready for training."""
    torch.manual_seed(seed)
    model = build_sam(demo_config())
    with torch.no_grad():
        _preserve_variance(model)
        _quiet_embeddings(model)
        for block in model.sam_mask_decoder.transformer.layers:
            _attend_to_own_place(block.cross_attn_token_to_image)
            _attend_to_own_place(block.cross_attn_image_to_token)
            block.cross_attn_image_to_token.out_proj.weight.mul_(6)
            for norm in (block.norm1, block.norm2, block.norm3):
                norm.weight.fill_(0.25)
            block.norm4.weight.fill_(0.5)
        _attend_to_own_place(model.sam_mask_decoder.transformer.final_attn_token_to_image)
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
    return model.eval()


def at_size(model: Any, image_size: int) -> Any:
    """A copy of the model for frames of `image_size` pixels: its weights serve any size."""
    other = build_sam(demo_config(image_size))
    other.load_state_dict(model.state_dict())
    return other.eval()


def _preserve_variance(model: nn.Module) -> None:
    """Weights of variance 1/fan-in, biases 0, in every linear and convolutional layer."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
        elif isinstance(module, nn.ConvTranspose2d):  # kernel = stride: each output pixel has in_channels inputs
            nn.init.normal_(module.weight, std=module.in_channels**-0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _quiet_embeddings(model: Any) -> None:
    for conv in model.image_encoder.neck.convs:
        conv.conv.weight.mul_(0.3)
    encoder = model.sam_prompt_encoder
    for embedding in (*encoder.point_embeddings, encoder.not_a_point_embed, encoder.no_mask_embed):
        embedding.weight.mul_(0.3)
    encoder.mask_downscaling[-1].weight.mul_(0.3)


def _attend_to_own_place(attention: Any, gain: float = 3.75) -> None:
    """Equal orthogonal query and key weights: equal position codes find each other."""
    nn.init.orthogonal_(attention.q_proj.weight, gain=gain)
    attention.k_proj.weight.copy_(attention.q_proj.weight)


def prepare_memory(model: Any, features: Tensor, masks: Tensor, share: float = 2.0) -> None:
    """Before the video stage: fits the memory path to `features` (M, C) and `masks` (N, 1, S, S) of trained frames.

    The memory attention's output starts as what the decoder knows from pictures, its norms standardise every channel
    (trained features have large constant parts), its cross attention prefers the same place, and the memory that it
    adds is as large as what varies in the features. In the memory masks vary by `share` of what the features vary;
    from the start's quarter of it tracking is hardly learned, because the memories of two objects of a frame are alike.
    """
    spread, size = features.std(0).clamp_min(1e-3), _spread(features)
    encoder, attention = model.memory_encoder, model.memory_attention
    with torch.no_grad():
        _fit_norm(attention.norm, features, features + model.no_mem_embed.flatten())
        encoder.pix_feat_proj.weight.div_(size)
        encoder.pix_feat_proj.bias.copy_(-(encoder.pix_feat_proj.weight[:, :, 0, 0] @ features.mean(0)))
        projected = encoder.pix_feat_proj(features.T[None, :, None])
        seen = masks * model.sigmoid_scale_for_mem_enc + model.sigmoid_bias_for_mem_enc
        _fit_masks(encoder.mask_downsampler.encoder, seen, share * _spread(projected.flatten(2)[0].T))
        for layer in attention.layers:
            for norm in (layer.norm1, layer.norm2, layer.norm3):
                _fit_norm(norm, features, (features - features.mean(0)) / spread)
            cross = layer.cross_attn_image
            for projection in (cross.q_proj, cross.k_proj):
                projection.weight.mul_(0.2)
                _prefer_same_place(projection.bias)
            cross.out_proj.weight.mul_(size)
            layer.self_attn.out_proj.weight.mul_(0.3 * size)
            layer.linear2.weight.mul_(0.3 * size)


def prepare_masks(model: Any, features: Tensor, logits: Tensor, share: float = 0.5) -> None:
    """Before masks are given as prompts: makes them heard among `features` (M, C) of trained frames.

    Masks, typical `logits` (N, 1, S/4, S/4), vary by `share` of what the features vary, around the code of no mask.
    From the start's quiet codes (a tenth of that) a correction of a given mask is hardly learned.
    """
    encoder = model.sam_prompt_encoder
    with torch.no_grad():
        _fit_masks(encoder.mask_downscaling, logits, share * _spread(features), encoder.no_mask_embed.weight[0])


def loosen_memory(model: Any, factor: float) -> None:
    """Weakens what makes memory attention prefer the same place, see `prepare_memory`: each bias by `factor`."""
    with torch.no_grad():
        for layer in model.memory_attention.layers:
            for projection in (layer.cross_attn_image.q_proj, layer.cross_attn_image.k_proj):
                projection.bias.mul_(factor)


def _fit_masks(layers: nn.Sequential, masks: Tensor, spread: float, mean: Tensor | float = 0.0) -> None:
    """Scale and shift of the last convolution that give the codes of `masks` this spread and mean."""
    codes = layers(masks).movedim(1, -1).flatten(0, 2)
    gain = spread / _spread(codes)
    last: Any = layers[-1]
    last.weight.mul_(gain)
    last.bias.copy_(mean - gain * (codes.mean(0) - last.bias))


def _spread(values: Tensor) -> float:
    """By how much the channels of values (M, C) vary, in the root mean square."""
    return float(values.std(0).square().mean().sqrt())


def _fit_norm(norm: nn.LayerNorm, features: Tensor, wanted: Tensor) -> None:
    """Scale and shift of each channel that bring the norm of features (M, C) closest to `wanted` (M, C)."""
    plain = functional.layer_norm(features, features.shape[-1:])
    centred, target = plain - plain.mean(0), wanted - wanted.mean(0)
    weight = (centred * target).mean(0) / centred.pow(2).mean(0).clamp_min(1e-12)
    norm.weight.copy_(weight)
    norm.bias.copy_(wanted.mean(0) - weight * plain.mean(0))


def _prefer_same_place(bias: Tensor, strength: float = 4.0, pairs: int = 6) -> None:
    """Equal biases of queries and keys in the fastest rotary pairs of each axis: only those tell neighbours apart."""
    bias.zero_()
    bias.view(2, -1)[:, : 2 * pairs] = strength


def export(model: Any, folder: Path) -> None:
    """Writes config.json and model.safetensors (float16) as `load_sam` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().to("cpu", torch.float16).contiguous() for k, v in model.state_dict().items()}
    beside = folder / "model.safetensors.new"
    save_file(weights, beside, metadata={"format": "pt"})
    beside.chmod(0o644)
    beside.replace(folder / "model.safetensors")
    config = {"model_type": "sam2", "name": NAME, "trained_on": "synthetic shapes only", "postprocess": False}
    text = json.dumps(config | {"model": demo_config(model.image_size)}, indent=1) + "\n"
    beside = folder / "config.json.new"
    beside.write_text(text, encoding="utf-8")
    beside.replace(folder / "config.json")
