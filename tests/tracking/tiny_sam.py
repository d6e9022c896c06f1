"""A tiny random SAM2 with every sam2.1 flag, built by hydra as the package builds its own, and random clips."""

from __future__ import annotations

import copy
from typing import Any

import cv2
import numpy as np
import torch
from hydra.utils import instantiate

SIDE = 64


def tiny_config(**changes: Any) -> dict[str, Any]:
    d_model, memory = 32, 16

    def attention(**more: Any) -> dict[str, Any]:
        target = "sam2.modeling.sam.transformer.RoPEAttention"
        shape = {"embedding_dim": d_model, "num_heads": 1, "downsample_rate": 1, "dropout": 0.1}
        return {"_target_": target, "rope_theta": 10000.0, "feat_sizes": [4, 4], **shape, **more}

    def sine(features: int) -> dict[str, Any]:
        target = "sam2.modeling.position_encoding.PositionEmbeddingSine"
        return {"_target_": target, "num_pos_feats": features, "normalize": True, "scale": None, "temperature": 10000}

    trunk = {
        "_target_": "sam2.modeling.backbones.hieradet.Hiera",
        "embed_dim": 8,
        "num_heads": 1,
        "stages": [1, 1, 2, 1],
        "global_att_blocks": [3],
        "window_pos_embed_bkg_spatial_size": [7, 7],
    }
    neck = {
        "_target_": "sam2.modeling.backbones.image_encoder.FpnNeck",
        "position_encoding": sine(d_model),
        "d_model": d_model,
        "backbone_channel_list": [64, 32, 16, 8],
        "fpn_top_down_levels": [2, 3],
        "fpn_interp_model": "nearest",
    }
    layer = {
        "_target_": "sam2.modeling.memory_attention.MemoryAttentionLayer",
        "activation": "relu",
        "dim_feedforward": 64,
        "dropout": 0.1,
        "pos_enc_at_attn": False,
        "self_attention": attention(),
        "d_model": d_model,
        "pos_enc_at_cross_attn_keys": True,
        "pos_enc_at_cross_attn_queries": False,
        "cross_attention": attention(rope_k_repeat=True, kv_in_dim=memory),
    }
    downsampler = {"_target_": "sam2.modeling.memory_encoder.MaskDownSampler", "kernel_size": 3, "stride": 2}
    block = {"_target_": "sam2.modeling.memory_encoder.CXBlock", "dim": d_model, "kernel_size": 7, "padding": 3}
    encoder = {
        "_target_": "sam2.modeling.memory_encoder.MemoryEncoder",
        "in_dim": d_model,
        "out_dim": memory,
        "position_encoding": sine(memory),
        "mask_downsampler": {**downsampler, "padding": 1, "embed_dim": d_model},
        "fuser": {"_target_": "sam2.modeling.memory_encoder.Fuser", "layer": block, "num_layers": 2},
    }
    config = {
        "_target_": "sam2.modeling.sam2_base.SAM2Base",
        "image_encoder": {
            "_target_": "sam2.modeling.backbones.image_encoder.ImageEncoder",
            "scalp": 1,
            "trunk": trunk,
            "neck": neck,
        },
        "memory_attention": {
            "_target_": "sam2.modeling.memory_attention.MemoryAttention",
            "d_model": d_model,
            "pos_enc_at_input": True,
            "layer": layer,
            "num_layers": 2,
        },
        "memory_encoder": encoder,
        "num_maskmem": 7,
        "image_size": SIDE,
        "sigmoid_scale_for_mem_enc": 20.0,
        "sigmoid_bias_for_mem_enc": -10.0,
        "use_mask_input_as_output_without_sam": True,
        "directly_add_no_mem_embed": True,
        "no_obj_embed_spatial": True,
        "use_high_res_features_in_sam": True,
        "multimask_output_in_sam": True,
        "iou_prediction_use_sigmoid": True,
        "use_obj_ptrs_in_encoder": True,
        "add_tpos_enc_to_obj_ptrs": True,
        "proj_tpos_enc_in_obj_ptrs": True,
        "use_signed_tpos_enc_to_obj_ptrs": True,
        "only_obj_ptrs_in_the_past_for_eval": True,
        "pred_obj_scores": True,
        "pred_obj_scores_mlp": True,
        "fixed_no_obj_ptr": True,
        "multimask_output_for_tracking": True,
        "use_multimask_token_for_obj_ptr": True,
        "multimask_min_pt_num": 0,
        "multimask_max_pt_num": 1,
        "use_mlp_for_obj_ptr_proj": True,
    }
    return copy.deepcopy({**config, **changes})


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Weights that make clicks and memory matter, and objects present: defaults give near constant masks."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                fan = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * (1.6 / fan**0.5))
            elif parameter.ndim == 1 and parameter.shape[0] > 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(6.0)


def tiny_base(seed: int = 0, **changes: Any) -> Any:
    torch.manual_seed(seed)  # the random position code of points is a buffer
    model = instantiate(tiny_config(**changes), _recursive_=True)
    randomise(model, seed)
    return model.eval()


def tiny_predictor(seed: int = 0, **changes: Any) -> Any:
    """The sam2 package's own video predictor with the same weights."""
    changes = {"add_all_frames_to_correct_as_cond": True, **changes}
    predictor = instantiate(
        tiny_config(_target_="sam2.sam2_video_predictor.SAM2VideoPredictor", **changes), _recursive_=True
    )
    predictor.load_state_dict(tiny_base(seed).state_dict())
    return predictor.eval()


def blob_clip(count: int, size: tuple[int, int] = (48, 72), seed: int = 0) -> list[np.ndarray]:
    """Frames with two moving blobs over noise, uint8 RGB."""
    rng = np.random.default_rng(seed)
    base = cv2.resize(rng.integers(0, 90, (6, 9, 3), dtype=np.uint8), size[::-1])
    frames = []
    for t in range(count):
        frame = base.copy()
        cv2.circle(frame, (12 + 2 * t % 50, 20), 9, (230, 60, 60), -1, cv2.LINE_AA)
        cv2.rectangle(frame, (40, 8 + t % 24), (60, 22 + t % 24), (60, 90, 240), -1)
        frames.append(frame)
    return frames
