"""The model registry: which models there are, where they lie on this machine, how they get here, what they need.

Two kinds: "mllm" (a folder in the hub's layout) and "sam" (a released .pt, or a folder like the bundled one).
Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage
from decaf_gui.core.resources import resource
from decaf_gui.tracking.releases import HUB_FILES, SIZES_MB, VERSIONS

Kind = Literal["mllm", "sam"]
DEMO_NOTE = "The demo models were trained on synthetic shapes only: on real video their masks mean nothing."
DEMO_PROMPTS = "models/demo-prompts/prompts.safetensors"
MIB = 1 << 20
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")
MLLM_FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja")
"""What is downloaded of an MLLM's repository: no pickled weights, no code."""


@dataclass(frozen=True, slots=True)
class InputDefaults:
    """What an MLLM is shown where the settings leave it open (see GroundingSettings)."""

    frames: int = 16
    video_tokens: int = 400
    frame_scale: int = 2


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model. `source` is an id of the `hub`, or a path; `note` must be shown.

    `size_bytes` is about what a download takes, 0 where that is not known before. `prompts` are soft prompts that come
    with an MLLM, if any.
    """

    id: str
    kind: Kind
    title: str
    source: str
    size_bytes: int
    licence: str
    purpose: str
    input: InputDefaults | None
    note: str = ""
    revision: str | None = None
    hub: bool = False
    prompts: str = ""


def card_of(kind: str, id: str) -> ModelCard:
    """The card of a known id, of an existing file or folder, or of any other MLLM of the hub ("owner/name").

    Raises BadInput, listing the known ids.
    """
    name = id.removesuffix(f"-{kind}") if id == f"demo-{kind}" else id
    known = next((card for card in CARDS if card.kind == kind and card.id == name), None)
    if known is not None:
        return known
    path = Path(id).expanduser()
    if path.exists() and kind in ("mllm", "sam"):
        return _local_card("mllm" if kind == "mllm" else "sam", path)
    if kind == "mllm" and HUB_ID.fullmatch(id):
        return _unlisted_card(id)
    ids = ", ".join(card.id for card in CARDS if card.kind == kind)
    raise BadInput(f'There is no {kind} model "{id}": give the path of one that exists, or one of {ids}.')


def any_card(id: str) -> ModelCard:
    """The card of an id or path of either kind; "demo" is the MLLM, "demo-mllm" and "demo-sam" say which.

    Raises BadInput, listing the known ids.
    """
    for card in CARDS:
        if id in (card.id, f"{card.id}-{card.kind}" if card.id == "demo" else card.id):
            return card
    path = Path(id).expanduser()
    if path.exists():
        is_sam = path.is_file() or _json(path / "config.json").get("model_type") == "sam2"
        return _local_card("sam" if is_sam else "mllm", path)
    if HUB_ID.fullmatch(id):
        return _unlisted_card(id)
    ids = ", ".join(dict.fromkeys(card.id for card in CARDS))
    raise BadInput(f'There is no model "{id}": give the path of one that exists, or one of {ids}.')


def locate(card: ModelCard) -> Path | None:
    """Where a model lies on this machine, complete: a folder for an MLLM, a file (or our folder) for SAM2."""
    if not card.hub:
        path = Path(card.source)
        return path if path.is_file() or _complete(path) else None
    from huggingface_hub import try_to_load_from_cache

    name = HUB_FILES.get(card.source, "config.json")
    found = try_to_load_from_cache(card.source, name, revision=card.revision)
    if not isinstance(found, str):
        return None
    path = Path(found)
    if card.kind == "sam":
        return path
    return path.parent if _complete(path.parent) else None


def source_of(card: ModelCard) -> Path:
    """Like `locate`. Raises BadInput, saying how to get the model, when it is not here."""
    path = locate(card)
    if path is not None:
        return path
    if card.hub:
        raise BadInput(f"{card.id} is not on this machine: run `decaf-gui models download {card.id}`.")
    raise BadInput(f"{card.source} is missing or holds no complete model.")


def download(card: ModelCard, stop: Callable[[], bool] | None = None) -> Iterator[Stage]:
    """Fetches a model into the hub's cache; yields bytes done of the total. Closing it stops the download.

    So does `stop` once it says so, also while this waits for the network.

    Raises DecafError in one line: offline mode, no room on the disk, network failures.
    """
    if locate(card) is not None:
        return
    if not card.hub:
        raise BadInput(f"{card.source} is a place on this machine, nothing to download; it holds no complete model.")
    from decaf_gui.pipeline.fetching import fetch, never

    files = (HUB_FILES[card.source],) if card.kind == "sam" else MLLM_FILES
    yield from fetch(card.source, files, card.revision, stop or never)


def revision_of(path: Path) -> str | None:
    """The commit of a model in the hub's cache (the name of its snapshot folder); None for any other place."""
    for folder in (path, *path.parents):
        if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--"):
            return folder.name
    return None


def weights_hash(path: Path) -> str:
    """SHA-256 (hex) that names the weights of a file or folder without reading gigabytes.

    Over every weight file of the folder in order of name: its name, its size in bytes (decimal), each closed by a
    line feed, then its first and its last MiB (a file of up to 2 MiB is taken whole). Raises BadInput when there are
    no weight files.
    """
    files = [path] if path.is_file() else _weight_files(path)
    if not files:
        raise BadInput(f"{path} holds no weight files ({', '.join(WEIGHTS)}).")
    total = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        total.update(f"{file.name}\n{size}\n".encode())
        with file.open("rb") as stream:
            total.update(stream.read(MIB))
            stream.seek(max(MIB, size - MIB))
            total.update(stream.read(MIB))
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes that a model takes: its weights, and the KV cache and recorded queries of one clip's prefixes."""

    weights: int
    kv_cache: int
    queries: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return self.weights + self.kv_cache + self.queries


def expected_memory(config: Mapping[str, Any], tokens: int = 28800, dtype_bytes: int = 2) -> MemoryNeed:
    """What a Qwen2-VL, Qwen2.5-VL or Qwen3-VL with this config.json needs for prefixes of `tokens` tokens, in bytes.

    Arithmetic on the config's numbers, nothing is loaded. The KV cache keeps keys and values of all L layers; queries
    are recorded in the rolled layers only, the upper L - floor(L / 2). 28,800 tokens are one clip's: a video of 8
    temporal steps of 400 tokens and 16 frames of 1,600. Raises BadInput for other models.
    """
    try:
        text = {**config, **config.get("text_config", {})}
        heads, layers = text["num_attention_heads"], text["num_hidden_layers"]
        head_dim = text.get("head_dim") or text["hidden_size"] // heads
        kv_width = text["num_key_value_heads"] * head_dim
        parameters = _text_parameters(text, heads * head_dim, kv_width)
        vision, width = config["vision_config"], text["hidden_size"]
        third = "deepstack_visual_indexes" in vision
        parameters += 2 * layers * head_dim * third  # its norms of queries and keys
        parameters += _third_vision_parameters(vision, width) if third else _vision_parameters(vision, width)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"This is no config of a Qwen2-VL, Qwen2.5-VL or Qwen3-VL: {error} is missing or wrong."
        ) from None
    return MemoryNeed(
        weights=parameters * dtype_bytes,
        kv_cache=2 * layers * kv_width * tokens * dtype_bytes,
        queries=(layers - layers // 2) * heads * head_dim * tokens * dtype_bytes,
    )


def _text_parameters(text: Mapping[str, Any], query_width: int, kv_width: int) -> int:
    """Embedding, layers (biases on query, key and value at most), last norm, and the head unless it is tied."""
    width = text["hidden_size"]
    attention = 2 * width * (query_width + kv_width)
    if text.get("attention_bias", True):  # the older ones have them and do not say so
        attention += query_width + 2 * kv_width
    layer = attention + 3 * width * text["intermediate_size"] + 2 * width
    tables = text["vocab_size"] * width * (1 if text.get("tie_word_embeddings") else 2)
    return int(text["num_hidden_layers"] * layer + tables + width)


def _vision_parameters(vision: Mapping[str, Any], out: int) -> int:
    """Qwen2.5-VL's gated tower without norm biases, or Qwen2-VL's plain one, which calls its width `embed_dim`."""
    plain = "embed_dim" in vision
    width = vision["embed_dim"] if plain else vision["hidden_size"]
    inner = width * vision.get("mlp_ratio", 4) if plain else vision["intermediate_size"]
    matrices, norm = (2, 2 * width) if plain else (3, width)
    mlp = matrices * width * inner + (matrices - 1) * inner + width
    block = 4 * width * width + 4 * width + mlp + 2 * norm
    patch = 3 * vision.get("temporal_patch_size", 2) * vision.get("patch_size", 14) ** 2 * width
    merged = vision.get("spatial_merge_size", 2) ** 2 * width
    return int(vision["depth"] * block + patch + norm + merged * (merged + 1) + (merged + 1) * out)


def _third_vision_parameters(vision: Mapping[str, Any], out: int) -> int:
    """Qwen3-VL's tower: learned positions, a plain one's blocks, and a merger for each level that it hands on."""
    width, inner = vision["hidden_size"], vision["intermediate_size"]
    block = 4 * width * width + 4 * width + 2 * width * inner + inner + width + 4 * width
    patch = 3 * vision.get("temporal_patch_size", 2) * vision.get("patch_size", 16) ** 2 * width + width
    merged = vision.get("spatial_merge_size", 2) ** 2 * width
    merger, levels = merged * (merged + 1) + (merged + 1) * out, len(vision["deepstack_visual_indexes"])
    norms = 2 * width + levels * 2 * merged
    positions = vision.get("num_position_embeddings", 2304) * width
    return int(vision["depth"] * block + patch + positions + (1 + levels) * merger + norms)


def _local_card(kind: Kind, path: Path) -> ModelCard:
    if kind == "mllm" and not path.is_dir():
        raise BadInput(f"{path} is a file; a multimodal LLM is a folder with config.json and *.safetensors.")
    size = sum(file.stat().st_size for file in ([path] if path.is_file() else _weight_files(path)))
    defaults = _input_of(path) if kind == "mllm" else None
    return ModelCard(str(path), kind, path.name, str(path), size, "unknown", "your own", defaults, _note_of(path))


def _unlisted_card(id: str) -> ModelCard:
    """An MLLM of the hub that is not in the list; whether it exists, only the hub knows."""
    return ModelCard(id, "mllm", id, id, 0, "see its page on the hub", "your choice", InputDefaults(), hub=True)


def _demo_card(kind: Kind, title: str, purpose: str) -> ModelCard:
    path = resource(f"models/demo-{kind}")
    size = sum(file.stat().st_size for file in _weight_files(path))
    defaults, prompts = (_input_of(path), resource(DEMO_PROMPTS)) if kind == "mllm" else (None, None)
    card = ModelCard("demo", kind, title, str(path), size, "Apache-2.0", purpose, defaults, DEMO_NOTE)
    return replace(card, prompts=str(prompts)) if prompts is not None and prompts.is_file() else card


def _input_of(folder: Path) -> InputDefaults:
    """The input that a folder's decaf.json asks for; the released models' where it says nothing."""
    given = _json(folder / "decaf.json").get("input", {})
    names = ("frames", "video_tokens", "frame_scale")
    return InputDefaults(**{name: int(given[name]) for name in names if name in given})


def _note_of(path: Path) -> str:
    """The demo models' note, also for copies of them elsewhere."""
    said = [_json(path / name).get("trained_on") for name in ("decaf.json", "config.json")]
    return DEMO_NOTE if "synthetic shapes only" in said else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _weight_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*") if file.suffix in WEIGHTS)


def _complete(folder: Path) -> bool:
    """Whether config and all weights are there; a sharded model names its files in an index."""
    parts: Iterable[str] = _json(folder / "model.safetensors.index.json").get("weight_map", {}).values()
    wanted = set(parts) or {"model.safetensors"}
    return (folder / "config.json").is_file() and all((folder / name).is_file() for name in wanted)


def _qwen(name: str, size_gb: float, licence: str, purpose: str) -> ModelCard:
    return _hub(f"Qwen/{name}", size_gb, licence, purpose)


def _hub(id: str, size_gb: float, licence: str, purpose: str) -> ModelCard:
    title, size = id.partition("/")[2].removesuffix("-hf").removesuffix("-Instruct"), int(size_gb * 1e9)
    return ModelCard(id, "mllm", title, id, size, licence, purpose, InputDefaults(), hub=True)


def _sam(version: str, size: str, size_mb: int, purpose: str) -> ModelCard:
    hub_id = f"facebook/{version}-hiera-{size}"
    title, bytes_ = f"{version.upper()} {size}", size_mb * 10**6
    return ModelCard(hub_id, "sam", title, hub_id, bytes_, "Apache-2.0", purpose, None, hub=True)


CARDS: tuple[ModelCard, ...] = (
    _demo_card("mllm", "demo MLLM", "trying the program; tests"),
    _qwen("Qwen2.5-VL-3B-Instruct", 7.5, "Qwen Research (non-commercial)", "smaller GPUs"),
    _qwen("Qwen2.5-VL-7B-Instruct", 16.6, "Apache-2.0", "best masks; a GPU with 24 GB"),
    _qwen("Qwen2-VL-2B-Instruct", 4.4, "Apache-2.0", "smallest real model"),
    _qwen("Qwen2-VL-7B-Instruct", 16.6, "Apache-2.0", "comparing with the older Qwen"),
    _qwen("Qwen3-VL-4B-Instruct", 8.9, "Apache-2.0", "the newer Qwen; a GPU with 16 GB"),
    _qwen("Qwen3-VL-8B-Instruct", 17.5, "Apache-2.0", "the newer Qwen; a GPU with 24 GB"),
    _hub("OpenGVLab/InternVL3-2B-hf", 4.2, "see its page on the hub", "comparing model families; smaller GPUs"),
    _hub("OpenGVLab/InternVL3-8B-hf", 15.9, "see its page on the hub", "comparing model families; a GPU with 24 GB"),
    _hub("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 1.8, "Apache-2.0", "smallest of all; short answers"),
    _hub("llava-hf/llava-onevision-qwen2-7b-ov-hf", 16.1, "Apache-2.0", "comparing model families; a GPU with 24 GB"),
    _demo_card("sam", "demo SAM2", "trying the program; tests"),
    *(
        _sam(version, size, megabytes, "laptops" if size in ("tiny", "small") else "best masks")
        for version in VERSIONS
        for size, megabytes in SIZES_MB.items()
    ),
)
