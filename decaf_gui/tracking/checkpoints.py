"""Loading SAM2 from what people have: released .pt files, safetensors, hub ids, the bundled demo folder.

Files are told apart by their content; nothing but tensors is ever unpickled.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from decaf_gui.core.errors import BadInput
from decaf_gui.core.resources import resource
from decaf_gui.tracking.architecture import build_sam, released_config
from decaf_gui.tracking.releases import HUB_FILES

SIZES = {96: ("tiny", "small"), 112: ("base-plus",), 144: ("large",)}
"""Size names by the width of the image encoder's first stage; tiny and small differ in depth."""
POSTPROCESSING = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}
FILL_HOLE_AREA = 8


def load_sam(path_or_id: str | Path, device: str = "cpu") -> Any:
    """A SAM2 model (sam2.modeling.sam2_base.SAM2Base) in evaluation mode on `device`.

    `path_or_id`: "demo"; a folder with config.json and model.safetensors; a released .pt, or safetensors with the
    same keys; or a hub id facebook/sam2-hiera-* or facebook/sam2.1-hiera-* that was downloaded before (this function
    never downloads). Released weights get the package's postprocessing. Raises BadInput in one line otherwise.
    """
    path = _located(path_or_id)
    model = _load_folder(path) if path.is_dir() else _load_released(path, _read_weights(path))
    return model.to(device).eval().requires_grad_(False)


def _located(path_or_id: str | Path) -> Path:
    if str(path_or_id) == "demo":
        return resource("models/demo-sam")
    path = Path(path_or_id)
    if path.exists():
        return path
    if str(path_or_id) in HUB_FILES:
        return _cached(str(path_or_id))
    raise BadInput(f'There is no SAM2 "{path_or_id}": give demo, a file, a folder, or one of {", ".join(HUB_FILES)}.')


def _cached(hub_id: str) -> Path:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, HUB_FILES[hub_id])
    if not isinstance(found, str):
        raise BadInput(f"{hub_id} is not on this machine: run `decaf-gui models download {hub_id}`.")
    return Path(found)


def _load_folder(folder: Path) -> Any:
    """Our own layout: config.json with the architecture as the package's yaml has it, and safetensors."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise BadInput(f"{folder} holds no readable config.json, so it is no SAM2 folder: {error}.") from None
    if config.get("model_type") != "sam2" or "model" not in config:
        raise BadInput(f'{folder} holds a model of type "{config.get("model_type")}", not one of our SAM2 folders.')
    model = build_sam(config["model"])
    _fill(model, _read_weights(folder / "model.safetensors"), folder)
    return model


def _load_released(path: Path, weights: Mapping[str, Tensor]) -> Any:
    config = dict(released_config(_release_of(path, weights)))
    extra = dict(config.get("sam_mask_decoder_extra_args") or {}) | POSTPROCESSING
    model = build_sam(config | {"sam_mask_decoder_extra_args": extra, "binarize_mask_from_pts_for_mem_enc": True})
    _fill(model, weights, path)
    model.fill_hole_area = FILL_HOLE_AREA
    return model


def _release_of(path: Path, weights: Mapping[str, Tensor]) -> str:
    """The released size and version, such as "sam2.1-tiny", by the shapes and keys of the weights."""
    if any(key.startswith(("vision_encoder.", "prompt_encoder.")) for key in weights):
        raise BadInput(
            f"{path} has the key names of transformers' Sam2Video models; give the released SAM2 .pt file instead."
        )
    patch = weights.get("image_encoder.trunk.patch_embed.proj.weight")
    if patch is None or patch.shape[0] not in SIZES:
        raise BadInput(f"{path} holds no SAM2 weights of a released size.")
    names = SIZES[patch.shape[0]]
    blocks = 1 + max(int(key.split(".")[3]) for key in weights if key.startswith("image_encoder.trunk.blocks."))
    size = names[0] if len(names) == 1 or blocks == 12 else names[1]
    return f"{'sam2.1' if 'no_obj_embed_spatial' in weights else 'sam2'}-{size}"


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name from safetensors, or from a .pt that holds nothing but tensors."""
    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
            weights = loaded.get("model", loaded) if isinstance(loaded, dict) else {}
    except pickle.UnpicklingError:
        raise BadInput(f"{path} holds more than tensors (or no tensors at all) and is not loaded.") from None
    except Exception as error:  # a reader of arbitrary bytes may stumble in any way
        reason = str(error).strip().split("\n")[0]
        raise BadInput(f"{path} cannot be read as model weights: {reason}") from None
    if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        raise BadInput(f"{path} holds no table of tensors.")
    return {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}


def _fill(model: torch.nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[-1].strip()
        raise BadInput(f"The weights in {path} do not fit their architecture: {reason}") from None
    wrong = [f"{key} is missing" for key in missing] + [f"{key} is unknown" for key in unexpected]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise BadInput(f"The weights in {path} do not fit: {', '.join(wrong[:3])}{more}.")
