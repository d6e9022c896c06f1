"""Soft prompts: learned embeddings before an MLLM's input that steer its attention (SteerSeg, spec section 8).

There are two, one for video inputs and one for frame inputs, each (n, D) for a decoder of width D. They belong to the
weights that they were learned for. On disk they are a safetensors file with the tensors "frame" and "video" and, as
metadata, `format`, `version`, `model`, `model_type`, `weights`, `hidden_size`, `sha256` (`SoftPrompts.digest`) and
`training` (JSON).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.families import Kind

FORMAT, VERSION = "decaf-soft-prompts", 1
NAMES: dict[Kind, str] = {"image": "frame", "video": "video"}
"""The tensors' names in a file, by the kind of input that they precede."""
MOST = 1024
"""More embeddings than this are no soft prompt, whatever the file says."""


@dataclass(frozen=True, eq=False)
class SoftPrompts:
    """The embeddings before frame inputs and before video inputs, float32 (n, D) each; n may differ.

    `model` is the id of the model that they were learned for, for people; `model_type` and `weights` (see
    `weights_hash`; empty where that is not known) decide what they fit. `training` tells how they were learned.
    """

    frame: Tensor
    video: Tensor
    model: str
    model_type: str
    weights: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in NAMES.values():
            _check_tensor(name, getattr(self, name))
        if self.frame.shape[1] != self.video.shape[1]:
            widths = f"{self.frame.shape[1]} and {self.video.shape[1]}"
            raise BadInput(f"The soft prompts of frames and videos have different widths ({widths}): learn them again.")

    @property
    def width(self) -> int:
        """The decoder's hidden size, D."""
        return int(self.video.shape[1])

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of both tensors: shapes and float32 values."""
        total = hashlib.sha256()
        for name in NAMES.values():
            tensor = getattr(self, name)
            total.update(f"{name} {tuple(tensor.shape)}\n".encode())
            total.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        return total.hexdigest()

    def of(self, kind: Kind) -> Tensor:
        """Those before inputs of a kind: (n, D)."""
        return self.video if kind == "video" else self.frame

    def check_model(self, model_type: str, width: int) -> None:
        """Raises BadInput when a model of this type and hidden size cannot take them."""
        if (model_type, width) != (self.model_type, self.width):
            raise BadInput(
                f"The soft prompts were learned for {self.model} ({self.model_type}, hidden size {self.width}), this "
                f"model is a {model_type} of hidden size {width}: choose that model, or learn prompts for this one."
            )

    def check_weights(self, model: str, weights: str) -> None:
        """Raises BadInput when they were learned for other weights than these of `model`."""
        if self.weights and weights != self.weights:
            raise BadInput(
                f"The soft prompts were learned for {self.model} ({self.weights[:8]}), the model is {model} "
                f"({weights[:8]}): choose that model, or learn prompts for this one with `decaf-gui steer train`."
            )


def _check_tensor(name: str, tensor: Tensor) -> None:
    if tensor.ndim != 2 or not 1 <= tensor.shape[0] <= MOST or tensor.shape[1] < 1:
        shape = "x".join(map(str, tensor.shape)) or "one number"
        raise BadInput(f'The soft prompt "{name}" is {shape}: 1 to {MOST} embeddings in rows are expected.')
    if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
        raise BadInput(f'The soft prompt "{name}" holds what is no finite number: learn the prompts again.')


def save_prompts(prompts: SoftPrompts, path: Path) -> Path:
    """Written beside its place and renamed into it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"format": FORMAT, "version": str(VERSION), "model": prompts.model, "model_type": prompts.model_type}
    about |= {"weights": prompts.weights, "hidden_size": str(prompts.width), "sha256": prompts.digest}
    about["training"] = json.dumps(dict(prompts.training), sort_keys=True)
    tensors = {name: getattr(prompts, name).detach().float().cpu().clone() for name in NAMES.values()}
    beside = path.with_name(f".{path.name}.new")
    save_file(tensors, beside, metadata=about)
    return beside.replace(path)


def load_prompts(path: Path) -> SoftPrompts:
    """What `save_prompts` wrote. Raises BadInput when the file is missing, damaged, or something else."""
    if not path.is_file():
        raise BadInput(f"There are no soft prompts at {path}: give the file that `decaf-gui steer train` wrote.")
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            _check_format(about, path)
            tensors = {name: _tensor(file, name, path) for name in NAMES.values()}
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} cannot be read as soft prompts: {str(error).splitlines()[0]}.") from error
    return _prompts_of(about, tensors, path)


def _check_format(about: Mapping[str, str], path: Path) -> None:
    if about.get("format") != FORMAT:
        raise BadInput(f"{path} holds no soft prompts: give the file that `decaf-gui steer train` wrote.")
    if about.get("version") != str(VERSION):
        raise BadInput(f"{path} is of version {about.get('version')}, this program reads {VERSION}: update it.")


def _tensor(file: Any, name: str, path: Path) -> Tensor:
    """One of the tensors in float32; nothing large is read of a file that is none of ours."""
    if name not in file.keys():  # noqa: SIM118 - no mapping
        raise BadInput(f'{path} lacks the tensor "{name}": learn the prompts again.')
    shape = file.get_slice(name).get_shape()
    if len(shape) != 2 or not 1 <= shape[0] <= MOST:
        raise BadInput(f'{path}: the tensor "{name}" is {shape}, 1 to {MOST} embeddings in rows are expected.')
    tensor: Tensor = file.get_tensor(name)
    return tensor.float() if tensor.is_floating_point() else tensor


def _prompts_of(about: Mapping[str, str], tensors: Mapping[str, Tensor], path: Path) -> SoftPrompts:
    try:
        training = json.loads(about.get("training", "{}"))
        model, model_type, width = about["model"], about["model_type"], int(about["hidden_size"])
    except (KeyError, ValueError, RecursionError):
        raise BadInput(f"{path} does not say which model its soft prompts are for: learn them again.") from None
    try:
        made = SoftPrompts(
            **tensors,
            model=model,
            model_type=model_type,
            weights=about.get("weights", ""),
            training=training if isinstance(training, dict) else {},
        )
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    if made.width != width:
        raise BadInput(f"{path} is damaged: its soft prompts are {made.width} wide, it says {width}.")
    if about.get("sha256", made.digest) != made.digest:
        raise BadInput(f"{path} is damaged: its soft prompts are not those that it says it holds (sha256).")
    return made
