"""Which soft prompts the setting `steering` means with a model, told from files' headers: no tensor is read, no torch.

It is a file of one's own, "none", or "auto": those that come with the model, as long as they are of its weights. One
who names a file gets it or an error; prompts that merely lie beside other weights are left out, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.models import ModelCard, source_of, weights_hash


def chosen_prompts(steering: str, card: ModelCard) -> Path | None:
    """The file that a setting means with an MLLM; None for none. Raises BadInput as `header_of`."""
    if steering == "none":
        return None
    if steering != "auto":
        return Path(steering).expanduser()
    return Path(card.prompts) if card.prompts and _fit(card) else None


def prompts_digest(steering: str, card: ModelCard) -> str:
    """The digest of the prompts that a setting means, wherever they lie; "" for none. Raises BadInput as `header_of`.

    A file that does not say its digest has one that no other has.
    """
    path = chosen_prompts(steering, card)
    return "" if path is None else header_of(path).get("sha256", f"of {path}")


def prompts_notice(steering: str, card: ModelCard) -> str:
    """What must be said where the prompts that come with a model are left out; else empty."""
    if steering != "auto" or not card.prompts or _fit(card):
        return ""
    return f"The soft prompts that come with the {card.title} are of other weights: nothing steers its attention."


def header_of(path: Path) -> Mapping[str, str]:
    """What a file of soft prompts says of itself. Raises BadInput when it is missing or no safetensors file."""
    if not path.is_file():
        raise BadInput(f"There are no soft prompts at {path}: give the file that `decaf-gui steer train` wrote.")
    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} cannot be read as soft prompts: {str(error).splitlines()[0]}.") from error


def prompts_file(given: Path) -> Path:
    """The file that a person means: it, or the one that training wrote into this folder."""
    return given / "prompts.safetensors" if given.is_dir() else given


def _fit(card: ModelCard) -> bool:
    return header_of(Path(card.prompts)).get("weights") == weights_hash(source_of(card))
