"""Building SAM2 from a configuration: the nested `model:` section that the sam2 package's own yaml files have."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.resources import files
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from decaf_gui.core.errors import BadInput

ALLOWED = "sam2.modeling."
RELEASES = {
    "sam2-tiny": "sam2/sam2_hiera_t.yaml",
    "sam2-small": "sam2/sam2_hiera_s.yaml",
    "sam2-base-plus": "sam2/sam2_hiera_b+.yaml",
    "sam2-large": "sam2/sam2_hiera_l.yaml",
    "sam2.1-tiny": "sam2.1/sam2.1_hiera_t.yaml",
    "sam2.1-small": "sam2.1/sam2.1_hiera_s.yaml",
    "sam2.1-base-plus": "sam2.1/sam2.1_hiera_b+.yaml",
    "sam2.1-large": "sam2.1/sam2.1_hiera_l.yaml",
}


def build_sam(config: Mapping[str, Any]) -> Any:
    """The model (sam2.modeling.sam2_base.SAM2Base) that `config` describes, with random weights.

    Only classes of the package's modeling modules are ever named by `_target_`: a configuration from a folder must
    not run anything else. Inside `with torch.device("meta")` no memory is taken. Raises BadInput for other targets
    and for arguments that do not fit.
    """
    with _RealLinspace():
        return _instantiate(config)


def released_config(name: str) -> dict[str, Any]:
    """The configuration of a released size, such as "sam2.1-tiny", as the package ships it."""
    from omegaconf import OmegaConf

    if name not in RELEASES:
        raise BadInput(f'There is no released SAM2 "{name}": choose one of {", ".join(RELEASES)}.')
    text = (files("sam2") / "configs" / RELEASES[name]).read_text(encoding="utf-8")
    loaded = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    assert isinstance(loaded, dict)
    return dict(loaded["model"])


_WIDTHS = (
    "image_encoder.neck.d_model",
    "image_encoder.neck.position_encoding.num_pos_feats",
    "memory_attention.d_model",
    "memory_attention.layer.d_model",
    "memory_attention.layer.self_attention.embedding_dim",
    "memory_attention.layer.cross_attention.embedding_dim",
    "memory_encoder.in_dim",
    "memory_encoder.mask_downsampler.embed_dim",
    "memory_encoder.fuser.layer.dim",
)
_MEMORY_WIDTHS = (
    "memory_attention.layer.cross_attention.kv_in_dim",
    "memory_encoder.out_dim",
    "memory_encoder.position_encoding.num_pos_feats",
)
_GRIDS = ("memory_attention.layer.self_attention.feat_sizes", "memory_attention.layer.cross_attention.feat_sizes")


def smaller_config(image_size: int, width: int, memory: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    """SAM2.1 tiny with other sizes: frames of `image_size` pixels, `width` channels for 256, `memory` for 64.

    `changes` sets anything else by its dotted name.
    """
    from omegaconf import OmegaConf

    config = OmegaConf.create(released_config("sam2.1-tiny"))
    sizes = dict.fromkeys(_WIDTHS, width) | dict.fromkeys(_MEMORY_WIDTHS, memory) | {"image_size": image_size}
    grids = dict.fromkeys(_GRIDS, [image_size // 16] * 2)
    for name, value in {**sizes, **grids, **changes}.items():
        OmegaConf.update(config, name, value, force_add=True)
    made = OmegaConf.to_container(config)
    assert isinstance(made, dict)
    return {str(key): value for key, value in made.items()}


class _RealLinspace(TorchFunctionMode):
    """Hiera reads numbers back from torch.linspace, which the meta device has not: it gets them from the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        more = {"device": "cpu"} if func is torch.linspace else {}
        return func(*args, **(kwargs or {}), **more)


def _instantiate(node: Any) -> Any:
    """Mappings with `_target_` become objects, inner ones first."""
    if isinstance(node, Mapping):
        values = {str(key): _instantiate(value) for key, value in node.items() if key != "_target_"}
        return _call(str(node["_target_"]), values) if "_target_" in node else values
    if isinstance(node, list | tuple):
        return [_instantiate(value) for value in node]
    return node


def _call(target: str, values: dict[str, Any]) -> Any:
    module, _, name = target.rpartition(".")
    if not target.startswith(ALLOWED):
        raise BadInput(f'This SAM2 configuration names "{target}", which is not a part of SAM2: it is not built.')
    try:
        return getattr(import_module(module), name)(**values)
    except (ImportError, AttributeError, TypeError) as error:
        raise BadInput(f'This SAM2 configuration does not fit "{target}": {error}.') from None
