"""One class for every multimodal LLM: load, compute prefixes once, ask questions, read the rollout.

Every long method is a generator that yields `Stage` events and returns its result (for `yield from`); closing it
at any event leaves the model ready for the next question.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig, DynamicCache, PretrainedConfig

from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Stage
from decaf_gui.grounding.families import (
    Family,
    Frame,
    Kind,
    TokenGrid,
    VisualLayout,
    family_named,
    family_of,
    only_grid,
)
from decaf_gui.grounding.prefix import Prefix, PrefixStore
from decaf_gui.grounding.recording import Enough, Recorder, recorded_attention, recording
from decaf_gui.grounding.rollout import KnownMaxima, LayerQk, roll_layer, unit_row
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.grounding.steering import SoftPrompts

GIB = 1 << 30
Quantise = Literal["none", "4bit", "8bit"]
DeviceMap = str | Mapping[str, int | str]
NOT_QUANTISED = ("model.visual", "model.vision_tower", "model.multi_modal_projector", "lm_head")
"""The towers see as they were trained to: they are a small part of a model, and all maps rest on their tokens."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class VisualInput:
    """What the model is shown: one video of all `frames`, or each frame as an image of its own, at `size` (H, W).

    `clip` and `frames` (source indices) name it in the prefix store.
    """

    clip: Hashable
    kind: Kind
    frames: tuple[int, ...]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Answer:
    """The greedy answer to one question on one input, and the rollout of its first token: float32 (t, h, w)."""

    text: str
    maps: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """b equal sequences as the decoder takes them: `soft` embeddings of a soft prompt, then those of the `ids`.

    `embeds` (b, n, D); `positions` (b, n) or (3, b, n); `ids` (b, n - soft). `grid` counts the soft prompt; `further`
    (b, v, k * D) are the features of its v visual tokens that layers further up take (`Family.decoder_options`).
    """

    embeds: Tensor
    positions: Tensor
    ids: Tensor
    soft: int
    grid: TokenGrid
    further: Tensor

    def __len__(self) -> int:
        """Tokens of one sequence, n."""
        return self.embeds.shape[1]

    def options(self, family: Family, part: slice) -> dict[str, Any]:
        """What the decoder is given besides the embeddings of the tokens `part` (a slice with start and stop)."""
        tokens = self.grid.start + self.grid.tokens.to(self.embeds.device)
        visual = torch.zeros(len(self), dtype=torch.bool, device=self.embeds.device)
        visual[tokens] = True
        inside = (tokens >= part.start) & (tokens < part.stop)
        return family.decoder_options(visual[part], self.further[:, inside])


@dataclass
class Counters:
    """Inputs that went through the vision tower and the prefix prefill (a video is one, each frame is one)."""

    vision_inputs: int = 0
    prefix_prefills: int = 0
    questions: int = 0


class Mllm:
    """A frozen multimodal LLM in evaluation mode. Not thread-safe: one worker owns it.

    `prefix_bytes` and `host_bytes` bound the stored prefixes on the device and in host memory.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        attention: str = "sdpa",
        prefix_bytes: int = 6 * GIB,
        host_bytes: int = 8 * GIB,
    ) -> None:
        self.model, self.processor = model.eval(), processor
        text_attention = recorded_attention(attention)
        self.model.set_attn_implementation({"text_config": text_attention, "vision_config": "sdpa"})
        self.family = family_of(model, processor)
        self.decoder = model.model.language_model
        self.counters = Counters()
        self.prompts: SoftPrompts | None = None
        self.prefixes = PrefixStore(torch.device(model.device), prefix_bytes, host_bytes)

    @classmethod
    def load(
        cls,
        path_or_id: str | Path,
        *,
        device: str = "cpu",
        dtype: str = "auto",
        quantise: Quantise = "none",
        device_map: DeviceMap | None = None,
        attention: str = "sdpa",
        revision: str | None = None,
        allow_download: bool = False,
    ) -> Mllm:
        """From a folder in the hub's layout, or a hub id (cached, unless `allow_download`).

        `dtype` "auto" is bfloat16 on accelerators and float32 on the CPU. `device_map` spreads the model in
        transformers' way ("auto", or module names to devices) and takes the place of `device`. Raises BadInput when the
        model cannot be found or read, is of no known family, or needs a package that is not installed.
        """
        where: DeviceMap = device if device_map is None else device_map
        number = number_of(dtype, where)
        placed = _placement(where, quantise, number, spread=device_map is not None)
        options = {"local_files_only": not allow_download, "trust_remote_code": False, "revision": revision}
        try:
            config, _ = PretrainedConfig.get_config_dict(path_or_id, **options)
            if "model_type" in config:  # said before gigabytes are read
                family_named(config["model_type"])
            processor = AutoProcessor.from_pretrained(path_or_id, **options)
            model = AutoModelForImageTextToText.from_pretrained(
                path_or_id, dtype=number, use_safetensors=True, **placed, **options
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise BadInput(f'The model "{path_or_id}" cannot be loaded: {reason}') from error
        return cls(model if placed else model.to(device), processor, attention=attention)

    @property
    def layers(self) -> int:
        """Decoder layers, L."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    def steered(self, prompts: SoftPrompts | None) -> Mllm:
        """The same model with soft prompts before all that it is shown, not before text-only questions; None: without.

        Model, stored prefixes and counters are shared with this one, which stays as it is: a prefix is stored with the
        prompts that it was computed with. Raises BadInput when the prompts were learned for another kind of model.
        """
        if prompts is self.prompts:
            return self
        if prompts is not None:
            config = self.model.config
            prompts.check_model(config.model_type, config.get_text_config().hidden_size)
        other = copy.copy(self)
        other.prompts = prompts
        return other

    def free(self) -> None:
        """Lets all stored prefixes go and returns cached accelerator memory."""
        self.prefixes.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()

    @torch.inference_mode()
    def prefix(
        self, shown: VisualInput, frames: Sequence[Frame], settings: GroundingSettings
    ) -> Generator[Stage, None, Prefix]:
        """The prefix of `shown`, computed when it is not stored.

        `frames` holds the frames that `shown.frames` names, read only when something is computed.
        """
        first = self._first_layer(settings)
        key = (shown, first, settings.input, None if self.prompts is None else self.prompts.digest)
        stored = self.prefixes.get(key)
        if stored is None:
            stored = yield from self._compute_prefix(shown, frames, settings, first)
            self.prefixes.put(key, stored)
        return stored

    def _first_layer(self, settings: GroundingSettings) -> int:
        first = self.layers // 2 if settings.start_layer is None else settings.start_layer
        if first >= self.layers:
            raise BadInput(f"start_layer {first} is too high: the model has {self.layers} layers.")
        return first

    def _compute_prefix(
        self, shown: VisualInput, frames: Sequence[Frame], settings: GroundingSettings, first: int
    ) -> Generator[Stage, None, Prefix]:
        features, layout = yield from self.see(shown, frames, settings)
        soft = None if self.prompts is None else self.prompts.of(shown.kind)
        sequence = self.embed(features, layout, soft=soft)
        prefix = yield from self._prefill(sequence, layout, settings.prefill_chunk, first)
        self.counters.prefix_prefills += len(features)
        return prefix

    def see(
        self, shown: VisualInput, frames: Sequence[Frame], settings: GroundingSettings
    ) -> Generator[Stage, None, tuple[Tensor, VisualLayout]]:
        """The visual tokens of one batch of inputs as the decoder is to take them (see `Family.encode`)."""
        features, layout = yield from self._see(shown, frames, settings.vision_batch)
        return only_grid(features, layout) if settings.input == "paper" else (features, layout)

    def embed(
        self, features: Tensor, layout: VisualLayout, question: str | None = None, soft: Tensor | None = None
    ) -> Embedded:
        """The sequence of `question` on inputs whose features (b, v, k * D) are given; without one, of the prefix.

        The soft prompt `soft` (s, D) comes before everything else. Its embeddings take the text positions 0 to s - 1;
        the others move up by s.
        """
        ids, grid = self.family.expand(self._template_ids(layout.kind, "x" if question is None else question), layout)
        ids = ids[: grid.stop] if question is None else ids
        ids = ids.to(self.model.device).expand(len(features), -1)
        embeds = self.model.get_input_embeddings()(ids)
        now, further = features.to(embeds).tensor_split([embeds.shape[-1]], dim=-1)
        embeds[:, grid.start + grid.tokens.to(ids.device)] = now
        count = 0 if soft is None else len(soft)
        if soft is not None:
            embeds = torch.cat([soft.to(embeds).expand(len(embeds), -1, -1), embeds], dim=1)
            grid = replace(grid, start=grid.start + count, stop=grid.stop + count)
        return Embedded(embeds, self._positions(ids, layout, count), ids, count, grid, further)

    def _positions(self, ids: Tensor, layout: VisualLayout | None, soft: int) -> Tensor:
        """Position ids of `soft` embeddings, which count as text, and of the ids (b, n) behind them."""
        behind = self.family.positions(ids, layout)
        before = torch.arange(soft, device=behind.device, dtype=behind.dtype)
        return torch.cat([before.expand(*behind.shape[:-1], soft), behind + soft], dim=-1)

    def _see(
        self, shown: VisualInput, frames: Sequence[Frame], batch: int
    ) -> Generator[Stage, None, tuple[Tensor, VisualLayout]]:
        """Runs the vision tower on one batch of inputs."""
        steps = self.family.encode(frames, shown.kind, shown.size, batch)
        while True:
            try:
                yield Stage("vision", next(steps), 0, "visual tokens", within=True)
            except StopIteration as finished:
                features, layout = finished.value
                break
        self.counters.vision_inputs += len(features)
        return features, layout

    def _prefill(
        self, sequence: Embedded, layout: VisualLayout, chunk: int, first: int
    ) -> Generator[Stage, None, Prefix]:
        """Runs the decoder over the prefix in chunks of `chunk` tokens, keeping the queries of the rolled layers."""
        batch, length = sequence.embeds.shape[:2]
        chunk = max(1, chunk // batch)
        cache = DynamicCache(config=self.model.config.get_text_config())
        with_queries = Recorder(range(first, self.layers), stop_at=self.layers - 1)
        for start in range(0, length, chunk):
            part = slice(start, min(start + chunk, length))
            options = sequence.options(self.family, part)
            with recording(with_queries), suppress(Enough):
                self._decode(sequence.embeds[:, part], sequence.positions[..., part], cache, **options)
            yield Stage("prefill", part.stop, length, "tokens", within=True)
        return Prefix(
            sequence.ids,
            cache,
            with_queries.joined(),
            with_queries.scaling,
            sequence.grid,
            layout,
            sequence.soft,
        )

    def _decode(self, embeds: Tensor, positions: Tensor, cache: DynamicCache, **options: Any) -> Tensor:
        """Runs the decoder on `embeds` (b, n, D) behind the cache: hidden states (b, n, D)."""
        result = self.decoder(
            inputs_embeds=embeds, position_ids=positions, past_key_values=cache, use_cache=True, **options
        )
        return torch.as_tensor(result.last_hidden_state)

    @torch.inference_mode()
    def ask(self, prefix: Prefix, question: str, settings: GroundingSettings) -> Generator[Stage, None, list[Answer]]:
        """Puts `question` to every input of `prefix`: one answer per input."""
        self.counters.questions += len(prefix.ids)
        recorder = Recorder(prefix.queries)
        try:
            hidden, position = self._read(prefix, question, recorder)
            yield Stage("question", 1, 3, "read", within=True)
            suffix, maps = recorder.joined(), []
            for index in range(len(prefix.ids)):
                maps.append(self._rollout(prefix, suffix, index, settings))
                yield Stage("question", 2, 3, "attention rolled out", within=True)
            texts = self._generate(hidden, position, prefix.cache, settings.max_new_tokens)
            yield Stage("question", 3, 3, "answered", within=True)
        finally:
            prefix.rewind()
        return [Answer(*pair) for pair in zip(texts, maps, strict=True)]

    def _read(self, prefix: Prefix, question: str, recorder: Recorder) -> tuple[Tensor, Tensor]:
        """Prefills the question behind the prefix: hidden state (b, 1, D) and position of the last token."""
        whole, _ = self.family.expand(self._template_ids(prefix.layout.kind, question), prefix.layout)
        suffix = whole[prefix.ids.shape[1] :].to(self.model.device).expand(len(prefix.ids), -1)
        positions = self._positions(torch.cat([prefix.ids, suffix], dim=1), prefix.layout, prefix.soft)
        with recording(recorder):
            embeds = self.model.get_input_embeddings()(suffix)
            hidden = self._decode(embeds, positions[..., prefix.length :], prefix.cache)
        return hidden[:, -1:], positions[..., -1:]

    def _rollout(
        self, prefix: Prefix, suffix: dict[int, Tensor], index: int, settings: GroundingSettings
    ) -> NDArray[np.float32]:
        grid, row = prefix.grid, torch.empty(0)
        span = (grid.start, grid.stop)
        for layer in sorted(prefix.queries, reverse=True):
            q = torch.cat([prefix.queries[layer][index], suffix[layer][index]], dim=1)
            qk = LayerQk(q, prefix.cache.layers[layer].keys[index], prefix.scaling)
            row = row.to(q.device) if row.numel() else unit_row(q.shape[1], q.device)
            key = (layer, index, settings.rollout)
            row, maxima = roll_layer(
                row, qk, span, settings.rollout, prefix.maxima.get(key, KnownMaxima(prefix.length))
            )
            if key not in prefix.maxima:
                prefix.maxima[key] = KnownMaxima(prefix.length, maxima[:, : prefix.length].sum(dim=1))
        cells = row[grid.start + grid.columns.to(row.device)]
        return cells.reshape(grid.frames, grid.height, grid.width).cpu().numpy().astype(np.float32)

    def _generate(self, hidden: Tensor, position: Tensor, cache: DynamicCache, limit: int) -> list[str]:
        """Greedy answers behind the cache; `hidden` (b, 1, D) predicts the first token."""
        stop = torch.tensor(self._end_tokens(), device=hidden.device)
        tokens: list[Tensor] = []
        done = torch.zeros(hidden.shape[0], dtype=torch.bool, device=hidden.device)
        for _ in range(limit):
            token = self.model.get_output_embeddings()(hidden[:, -1]).argmax(dim=-1)
            token = torch.where(done, stop[0], token)
            tokens.append(token)
            done |= torch.isin(token, stop)
            if bool(done.all()):
                break
            position = position + 1
            hidden = self._decode(self.model.get_input_embeddings()(token[:, None]), position, cache)
        decoded = self.processor.tokenizer.batch_decode(torch.stack(tokens, dim=1), skip_special_tokens=True)
        return [str(text).strip() for text in decoded]

    def _end_tokens(self) -> list[int]:
        end = self.model.generation_config.eos_token_id
        if end is None:
            end = self.processor.tokenizer.eos_token_id
        if end is None:
            raise DecafError("This model does not say which token ends an answer (eos_token_id).")
        return [end] if isinstance(end, int) else list(end)

    @torch.inference_mode()
    def complete(self, question: str, settings: GroundingSettings) -> str:
        """The greedy answer to a question without pictures."""
        ids = self._template_ids(None, question)[None].to(self.model.device)
        positions = self.family.positions(ids, None)
        cache = DynamicCache(config=self.model.config.get_text_config())
        hidden = self._decode(self.model.get_input_embeddings()(ids), positions, cache)
        return self._generate(hidden[:, -1:], positions[..., -1:], cache, settings.max_new_tokens)[0]

    def _template_ids(self, kind: Kind | None, question: str) -> Tensor:
        """Token ids (n,) of the chat template around `question`, with one placeholder for what is shown."""
        content = [{"type": "text", "text": question}]
        if kind is not None:
            content.insert(0, {"type": kind})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if self.family.system is not None:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": self.family.system}]})
        text = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if kind is None:
            return torch.tensor(self._ids(text))
        before, mark, after = text.partition(self.family.mark(kind))
        if not mark:
            raise BadInput(f'The chat template of this model has no place for inputs of the kind "{kind}".')
        return torch.tensor([*self._ids(before), self.family.placeholder(kind), *self._ids(after)])

    def _ids(self, text: str) -> list[int]:
        return list(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def number_of(name: str, where: DeviceMap) -> torch.dtype:
    """What `dtype` means on a device or a device map. Raises BadInput for an unknown one."""
    if name == "auto":
        devices = set(where.values()) if isinstance(where, Mapping) else {where}
        return torch.float32 if devices == {"cpu"} else torch.bfloat16
    if name not in DTYPES:
        raise BadInput(f'Unknown dtype "{name}": choose auto, {", ".join(DTYPES)}.')
    return DTYPES[name]


def _placement(where: DeviceMap, quantise: Quantise, number: torch.dtype, *, spread: bool) -> dict[str, Any]:
    """What transformers is told for weights that it has to place itself; nothing where a whole model is moved after."""
    bits: dict[str, dict[str, Any]] = {
        "none": {},
        "4bit": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        "8bit": {"load_in_8bit": True},
    }
    if quantise not in bits:
        raise BadInput(f'Unknown way to quantise "{quantise}": choose one of {", ".join(bits)}.')
    if quantise == "none" and not spread:
        return {}
    _require("accelerate", "Device maps" if spread else "Quantised models")
    placed: dict[str, Any] = {"device_map": where if spread else {"": where}}
    if quantise == "none":
        return placed
    _require("bitsandbytes", "Quantised models")
    config = BitsAndBytesConfig(
        llm_int8_skip_modules=list(NOT_QUANTISED), bnb_4bit_compute_dtype=number, **bits[quantise]
    )
    return placed | {"quantization_config": config}


def _require(package: str, what: str) -> None:
    if find_spec(package) is None:
        raise BadInput(f"{what} need the package {package}, which is not installed: run `pip install {package}`.")
