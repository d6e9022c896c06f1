"""The models that are known: their cards, where they are on this machine, downloading them, and their memory."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.resources import resource

Kind = Literal["mllm", "sam"]
MIB = 1 << 20
CHUNK = 4 * MIB
WEIGHTS = (".safetensors", ".pt", ".bin")
DEMO_NOTE = "The demo models were trained on synthetic shapes only: on real video their masks mean nothing."


@dataclass(frozen=True, slots=True)
class InputDefaults:
    """What a multimodal LLM is shown unless settings say otherwise.

    Ts frames, visual tokens of a video frame, and how many times the video grid's width and height a frame has.
    """

    frames: int = 16
    video_tokens: int = 400
    frame_scale: int = 2


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model: `source` is a hub id or a path; `size_bytes` what a download takes, about (0: unknown)."""

    id: str
    kind: Kind
    title: str
    source: str
    size_bytes: int
    licence: str
    purpose: str
    input: InputDefaults | None = None
    note: str = ""
    revision: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the source is a path of this machine, not a hub id."""
        return Path(self.source).is_absolute()


def _qwen(name: str, gigabytes: float, licence: str, purpose: str) -> ModelCard:
    hub_id = f"Qwen/{name}"
    return ModelCard(hub_id, "mllm", name, hub_id, int(gigabytes * 1e9), licence, purpose, InputDefaults())


def _sam(version: str, size: str, megabytes: int) -> ModelCard:
    hub_id = f"facebook/{version}-hiera-{size}"
    purpose = {"large": "the papers' choice", "tiny": "fast, least memory"}.get(size, "between tiny and large")
    title = f"{version.upper().replace('SAM2', 'SAM 2')} {size}"
    return ModelCard(hub_id, "sam", title, hub_id, megabytes * 10**6, "Apache-2.0", purpose)


def _demo(kind: Kind, title: str) -> ModelCard:
    folder = resource(f"models/demo-{kind}")
    size = sum(f.stat().st_size for f in folder.glob("*")) if folder.is_dir() else 0
    purpose = "the demo, tests and ablations on synthetic shapes"
    shown = _input_of(folder) if kind == "mllm" else None
    return ModelCard("demo", kind, title, str(folder), size, "Apache-2.0", purpose, shown, DEMO_NOTE)


def _input_of(folder: Path) -> InputDefaults:
    """The input that a folder's decaf.json asks for, or the released models' own."""
    try:
        return InputDefaults(**json.loads((folder / "decaf.json").read_text(encoding="utf-8"))["input"])
    except FileNotFoundError:
        return InputDefaults()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder / 'decaf.json'} cannot be read: {error}.") from None


def cards() -> tuple[ModelCard, ...]:
    """All known models. Sizes and licences are those of the published repositories, sizes about."""
    return (
        _demo("mllm", "demo Qwen2.5-VL, 3 M parameters"),
        _qwen("Qwen2.5-VL-7B-Instruct", 16.6, "Apache-2.0", "the papers' choice"),
        _qwen("Qwen2.5-VL-3B-Instruct", 7.5, "Qwen Research", "smaller GPUs; not for commercial use"),
        _qwen("Qwen2-VL-7B-Instruct", 16.6, "Apache-2.0", "the papers' second family"),
        _qwen("Qwen2-VL-2B-Instruct", 4.4, "Apache-2.0", "smallest, quick trials"),
        _demo("sam", "demo SAM2, 2 M parameters"),
        *(_sam("sam2.1", size, mb) for size, mb in (("large", 898), ("base-plus", 324), ("small", 184), ("tiny", 156))),
        *(_sam("sam2", size, mb) for size, mb in (("large", 898), ("base-plus", 324), ("small", 184), ("tiny", 156))),
    )


def card_of(kind: Kind, model: str) -> ModelCard:
    """The card of a known id, or of a folder or file on this machine. Raises BadInput naming the known ids."""
    known = [card for card in cards() if card.kind == kind]
    found = next((card for card in known if card.id == model), None)
    if found is not None:
        return found
    path = Path(model)
    if path.exists():
        shown = _input_of(path) if kind == "mllm" else None
        return ModelCard(model, kind, path.name, str(path.absolute()), 0, "its own", "local weights", shown)
    what = "multimodal LLM" if kind == "mllm" else "SAM2"
    raise BadInput(f'There is no {what} "{model}": give a folder, or one of {", ".join(c.id for c in known)}.')


def any_card(model: str) -> ModelCard:
    """The card of an id of either kind; the demo models are "demo-mllm" and "demo-sam"."""
    demo: dict[str, Kind] = {"demo": "mllm", "demo-mllm": "mllm", "demo-sam": "sam"}
    if model in demo:
        return card_of(demo[model], "demo")
    kind = next((card.kind for card in cards() if card.id == model), None)
    if kind is None and not Path(model).exists():
        raise BadInput(f'There is no model "{model}": "decaf-gui models list" shows the known ones.')
    return card_of(kind or "mllm", model)


def locate(card: ModelCard) -> Path | None:
    """The model on this machine: a folder (or SAM2's .pt file), or None when it has not been downloaded."""
    if card.is_local:
        path = Path(card.source)
        return path if path.exists() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(card.source, _main_file(card), revision=card.revision)
    if not isinstance(found, str):
        return None
    return Path(found) if card.kind == "sam" else _complete(Path(found).parent)


def _main_file(card: ModelCard) -> str:
    if card.kind == "mllm":
        return "config.json"
    from decaf_gui.tracking.checkpoints import HUB_FILES

    return HUB_FILES[card.source]


def _complete(folder: Path) -> Path | None:
    """The snapshot folder when all its weight files are there."""
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.exists():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return folder if all((folder / name).exists() for name in names) else None


def source_of(card: ModelCard) -> Path:
    """Where to load the model from. Raises BadInput that says how to download it."""
    path = locate(card)
    if path is None and card.is_local:
        raise BadInput(f"{card.source} is missing: the installation is incomplete, install decaf-gui again.")
    if path is None:
        raise BadInput(f"{card.id} is not on this machine: run `decaf-gui models download {card.id}`.")
    return path


def revision_of(path: Path) -> str | None:
    """The commit that a cached model is of, None for other folders and files."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else None


def weights_hash(path: Path) -> str:
    """A fingerprint of the weights: sha256 over name, size, and first and last MiB of every weight file, by name."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(f for f in path.iterdir() if f.suffix in WEIGHTS)
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(MIB))
            stream.seek(max(size - MIB, 0))
            digest.update(stream.read(MIB))
    return digest.hexdigest()


def download(card: ModelCard) -> Iterator[Event]:
    """Fetches what a model needs into the hub's cache: a `Stage` in MiB per few MiB; closing it stops.

    A file that was broken off goes on where it stopped. Raises BadInput for what cannot be downloaded or when the
    disk is too full, DecafError when the network fails.
    """
    if card.is_local:
        raise BadInput(f"{card.id} is a part of the program (or a local folder): there is nothing to download.")
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if constants.HF_HUB_OFFLINE:
        raise BadInput("HF_HUB_OFFLINE is set: unset it to download models.")
    try:
        info = HfApi().model_info(card.source, revision=card.revision, files_metadata=True)
        files = _wanted_files(card, {s.rfilename: s.size or 0 for s in info.siblings or ()})
        _check_space(Path(constants.HF_HUB_CACHE), sum(files.values()))
        yield from _fetch(card, files, str(info.sha))
    except OfflineModeIsEnabled as error:
        raise BadInput(str(error)) from None
    except (OSError, HfHubHTTPError, ValueError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise DecafError(f"{card.id} could not be downloaded: {reason}") from error


def _wanted_files(card: ModelCard, sizes: Mapping[str, int]) -> dict[str, int]:
    """SAM2's released file, or a model folder's weights, configuration and tokenizer."""
    if card.kind == "sam":
        return {_main_file(card): sizes[_main_file(card)]}
    kept = (".safetensors", ".json", ".txt", ".jinja")
    return {name: size for name, size in sizes.items() if name.endswith(kept) and "/" not in name}


def _check_space(cache: Path, needed: int) -> None:
    existing = next(p for p in (cache, *cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise BadInput(f"Not enough disk: {needed // MIB} MiB are needed in {cache}, {free // MIB} MiB are free.")


def _fetch(card: ModelCard, files: Mapping[str, int], revision: str) -> Iterator[Event]:
    """File by file through huggingface_hub in a thread of its own, whose progress is read here."""
    from decaf_gui.pipeline.fetching import fetch_file

    total, done = sum(files.values()), 0
    for name, size in files.items():
        with closing(fetch_file(card.source, name, revision)) as steps:
            for so_far in steps:
                yield Stage("download", (done + so_far) // MIB, total // MIB, f"MiB, {name}")
        done += size
    yield Stage("download", total // MIB, total // MIB, "MiB")


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Expected bytes of a multimodal LLM at work: weights, KV cache, and recorded queries of the rolled layers."""

    weights: int
    kv_cache: int
    queries: int

    @property
    def total(self) -> int:
        """All of it; activations come on top."""
        return self.weights + self.kv_cache + self.queries


def expected_memory(config: Mapping[str, Any], tokens: int = 28_800, dtype_bytes: int = 2) -> MemoryNeed:
    """From a Qwen2-VL or Qwen2.5-VL config.json: arithmetic on its numbers, nothing is loaded.

    `tokens` are the visual tokens of one clip (28,800: 16 frames of 400 tokens as a video of half as many temporal
    tokens, and 16 frames of 1,600).
    """
    text = {**config, **config.get("text_config", {})}
    vision = config["vision_config"]
    head = text["hidden_size"] // text["num_attention_heads"]
    kv = head * text["num_key_value_heads"]
    layers = text["num_hidden_layers"]
    rolled = layers - layers // 2
    parameters = _text_parameters(text, kv) + _vision_parameters(vision, text["hidden_size"])
    return MemoryNeed(
        parameters * dtype_bytes,
        2 * layers * kv * tokens * dtype_bytes,
        rolled * text["hidden_size"] * tokens * dtype_bytes,
    )


def _text_parameters(text: Mapping[str, Any], kv: int) -> int:
    width, inner = text["hidden_size"], text["intermediate_size"]
    attention = 2 * width * width + 2 * width * kv + width + 2 * kv
    layer = attention + 3 * width * inner + 2 * width
    tables = text["vocab_size"] * width * (1 if text.get("tie_word_embeddings") else 2)
    return int(text["num_hidden_layers"] * layer + tables + width)


def _vision_parameters(vision: Mapping[str, Any], out: int) -> int:
    """Qwen2.5-VL's gated tower, or Qwen2-VL's plain one (which has `embed_dim`)."""
    if "embed_dim" in vision:
        width = vision["embed_dim"]
        inner = width * vision.get("mlp_ratio", 4)
        block = 4 * width * width + 4 * width + 2 * width * inner + width + inner + 4 * width
        norm = 2 * width
    else:
        width, inner = vision["hidden_size"], vision["intermediate_size"]
        block = 4 * width * width + 4 * width + 3 * width * inner + 2 * inner + width + 2 * width
        norm = width
    merged = 4 * width
    patch = 3 * 2 * 14 * 14 * width
    return int(vision["depth"] * block + patch + norm + merged * merged + merged + merged * out + out)
