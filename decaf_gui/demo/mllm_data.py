"""Training data of the demo MLLM: clips of the shapes world as packed questions with their target maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as images
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from decaf_gui.core.attributes import joined_attributes
from decaf_gui.core.entities import Expression
from decaf_gui.demo.mllm_architecture import CARD, IM_END
from decaf_gui.demo.mllm_packed import Grid, PackedQuestions
from decaf_gui.demo.sentences import attributes_of, reason_of
from decaf_gui.demo.shapes import ShapesClip
from decaf_gui.demo.world import COLOURS, SHAPES, SIZE_WORDS, ShapesExpression
from decaf_gui.grounding.prompts import attribute_question, background_question, choice_question, object_question

Kind = Literal["video", "image"]
Generator = np.random.Generator
NO_ANSWER = -100
"""Target of rows without an answer, which cross-entropy leaves out."""
TOKEN = 28
"""Pixels on a side of one visual token."""
SIZES = ((252, 336), (240, 320), (288, 288), (336, 252), (256, 352), (270, 480))
"""(H, W) of the clips: the inputs that the demo is asked with, and others around them."""
ROWS = 3
"""Rollout rows read per question: the last prompt token and up to two attribute words of the expression."""
OFTEN: Mapping[Kind, Mapping[str, float]] = {
    "image": {"colour": 1, "shape": 0.5, "colour_shape": 0.5, "size": 2, "motion": 0.7, "position": 2, "relation": 2},
    "video": {"colour": 1, "shape": 0.5, "colour_shape": 0.5, "size": 2, "motion": 6, "position": 1.5, "relation": 1.5},
}
"""How often an expression of each kind is asked for. Names of shapes are learned quickly, motion slowly."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question on a clip; `objects` (None: all) and those of words are indices into the clip's objects.

    `pair` is the place of its background question in the pack (object questions, otherwise -1). `moving`: only
    motion tells what it means; `blind`: and only one frame is shown.
    """

    text: str
    answer: str
    role: Literal["object", "background", "attributes"]
    objects: frozenset[int] | None
    words: tuple[tuple[str, frozenset[int]], ...]
    pair: int = -1
    named: bool = False
    moving: bool = False
    blind: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """What a model is shown of one clip: sampled frames and per-object token coverage on the frame grid.

    `frames` uint8 (t, 3, h, w); `coverage` float32 (objects, t, 2*gh, 2*gw), the share of a token's area.
    """

    clip: ShapesClip
    frames: Tensor
    coverage: Tensor
    grid: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Targets:
    """What a pack should answer and look at; b clips, k questions, r rows, n visual tokens.

    `answers` (b, k, a) token ids, -100 where none; `maps` (b, k, r, n) coverage to attend to, all zero where there is
    nothing to attend to; `pairs` (b, k) place of the background question, -1 for none; `named` (b, k): the
    expression says the shape; `blind` (b, k): it speaks of motion and one frame cannot tell, so that every object is
    to be attended to and no answer is wanted; `coverage` per clip (objects, n).
    """

    answers: Tensor
    maps: Tensor
    pairs: Tensor
    named: Tensor
    blind: Tensor
    coverage: tuple[Tensor, ...]
    clips: tuple[ShapesClip, ...]

    def to(self, device: torch.device) -> Targets:
        """The same on a device."""
        return replace(
            self,
            answers=self.answers.to(device),
            maps=self.maps.to(device),
            pairs=self.pairs.to(device),
            named=self.named.to(device),
            blind=self.blind.to(device),
            coverage=tuple(c.to(device) for c in self.coverage),
        )


class Wording:
    """Token ids of questions in the model's own chat template, split where the visual tokens end."""

    def __init__(self, processor: Any) -> None:
        self.processor, self.tokenizer = processor, processor.tokenizer

    def template(self, kind: Kind | None, question: str) -> str:
        """The chat template around `question` up to the answer."""
        content = [{"type": "text", "text": question}]
        if kind is not None:
            content.insert(0, {"type": kind})
        messages = [{"role": "user", "content": content}]
        return str(self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def ids(self, text: str) -> list[int]:
        """Token ids of `text`."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prefix(self, kind: Kind, tokens: int) -> tuple[list[int], tuple[int, int]]:
        """Ids up to the last visual token and the span of the visual tokens."""
        place = f"<|{kind}_pad|>"
        head, _ = self.template(kind, "").split(place)
        ids = self.ids(head)
        return ids + self.ids(place) * tokens, (len(ids), len(ids) + tokens)

    def suffix(self, kind: Kind, question: Question) -> tuple[list[int], list[int], list[list[int]]]:
        """(prompt ids behind the visual tokens, answer ids, prompt positions of each attribute word)."""
        _, tail = self.template(kind, question.text).split(f"<|{kind}_pad|>")
        ids = self.ids(tail)
        places = [self._places(ids, word) for word, _ in question.words]
        return ids, self.ids(question.answer + IM_END), places

    def _places(self, ids: Sequence[int], word: str) -> list[int]:
        forms = {tuple(self.ids(" " + word)), tuple(self.ids(word))}
        singles = {form[0] for form in forms if len(form) == 1}
        return [i for i, token in enumerate(ids) if token in singles][:1]


def video_size(clip_size: tuple[int, int], tokens: int = CARD.video_tokens) -> tuple[int, int]:
    """Tokens (gh, gw) of one video frame of a clip of `clip_size` (H, W), by the family's own rule."""
    height, width = smart_resize(*clip_size, factor=TOKEN, min_pixels=4 * TOKEN**2, max_pixels=tokens * TOKEN**2)
    return height // TOKEN, width // TOKEN


def view(clip: ShapesClip, count: int = CARD.frames, tokens: int = CARD.video_tokens) -> View:
    """`count` frames of `clip`, sampled as the engine does, and its objects' coverage of the frame inputs' tokens."""
    total = len(clip.frames)
    chosen = np.arange(total) if total <= count else np.floor(np.linspace(0, total - 1, count)).astype(int)
    grid = video_size(clip.frames.shape[1:3], tokens)
    frames = torch.from_numpy(np.ascontiguousarray(clip.frames[chosen])).permute(0, 3, 1, 2)
    masks = torch.from_numpy(clip.masks[:, chosen].astype(np.float32))
    return View(clip, frames, F.adaptive_avg_pool2d(masks, (2 * grid[0], 2 * grid[1])), grid)


def patches(
    frames: Tensor, kind: Kind, grid: tuple[int, int], processor: Any, frame_scale: int = CARD.frame_scale
) -> tuple[Tensor, Grid]:
    """Pixels of one video of all `frames`, or of each frame as an image: (inputs, patches, 1176), and the grid."""
    scale = frame_scale if kind == "image" else 1
    size = [grid[0] * TOKEN * scale, grid[1] * TOKEN * scale]
    resized = images.resize(frames, size, images.InterpolationMode.BICUBIC, antialias=True).float()
    settings = processor.image_processor
    mean, std = (torch.tensor(x)[:, None, None] * 255 for x in (settings.image_mean, settings.image_std))
    resized = (resized - mean) / std
    if kind == "image":
        return _cut(resized[:, None].expand(-1, 2, -1, -1, -1)), (1, size[0] // 14, size[1] // 14)
    if len(resized) % 2:
        resized = torch.cat([resized, resized[-1:]])
    cut = _cut(resized.unflatten(0, (-1, 2)))
    return cut.flatten(0, 1)[None], (len(cut), size[0] // 14, size[1] // 14)


def _cut(pairs: Tensor) -> Tensor:
    """Frame pairs (n, 2, 3, h, w) as patches in blocks of 2 x 2: (n, patches, 1176), the processor's order."""
    n, depth, channels, height, width = pairs.shape
    blocks = pairs.reshape(n, depth, channels, height // TOKEN, 2, 14, width // TOKEN, 2, 14)
    return blocks.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(n, height * width // 196, -1)


def token_coverage(coverage: Tensor, kind: Kind, frame_scale: int = CARD.frame_scale) -> Tensor:
    """Coverage (objects, t, 2gh, 2gw) on the tokens of the input: (objects, t, n) images, (objects, 1, n) video."""
    if kind == "image":
        return F.avg_pool2d(coverage, CARD.frame_scale // frame_scale).flatten(2)
    if coverage.shape[1] % 2:
        coverage = torch.cat([coverage, coverage[:, -1:]], dim=1)
    halves = F.avg_pool3d(coverage[:, None], (2, 2, 2))[:, 0]
    return halves.flatten(1)[:, None]


def ask(
    clip: ShapesClip, count: int, random: Generator, kind: Kind, *, full: bool, described: float = 0.0
) -> list[Question]:
    """`count` questions on an input of `clip`: object questions first, then the background questions they pair with.

    Kinds of expressions come as `OFTEN` says. Without `full` an object question is its expression alone (first stage
    of the curriculum). A share `described` of the others names attributes of the objects.
    """
    ranked = _ranked(clip, random, kind)
    categories = list(dict.fromkeys(e.answer for e in ranked))[:2]
    usable = [e for e in ranked if e.answer in categories]
    wanted = count - len(categories)
    chosen = [usable[i % len(usable)] for i in range(wanted)]
    asked = [object_ask(clip, e, wanted + categories.index(e.answer), full=full) for e in chosen]
    if described:
        asked = [_described(q, clip, e, random, described) for q, e in zip(asked, chosen, strict=True)]
    return asked + [background_ask(clip, category) for category in categories]


def _ranked(clip: ShapesClip, random: Generator, kind: Kind) -> list[ShapesExpression]:
    """The clip's expressions by chance, as often in front as their kinds are asked for."""
    kinds = Counter(e.kind for e in clip.expressions)
    weights = np.array([OFTEN[kind][e.kind] / kinds[e.kind] for e in clip.expressions])
    order = random.choice(len(weights), size=len(weights), replace=False, p=weights / weights.sum())
    return [clip.expressions[i] for i in order]


def _described(
    question: Question, clip: ShapesClip, expression: ShapesExpression, random: Generator, share: float
) -> Question:
    """The object question with some attributes of its objects, by chance in a `share` of the cases.

    One frame can tell what moves when the attributes without the motion fit nothing else.
    """
    known = attributes_of([clip.objects[i] for i in sorted(question.objects or ())])
    if not known or random.random() >= share:
        return question
    chosen = random.permutation(len(known))[: int(random.integers(1, len(known) + 1))]
    attributes = tuple(known[i] for i in sorted(chosen))
    text = object_question(Expression(expression.text, attributes), "attributes")
    return replace(question, text=text, moving=question.moving and not _told(clip, question, attributes))


def _told(clip: ShapesClip, question: Question, attributes: Sequence[str]) -> bool:
    """Whether colour, size and shape among the attributes are those of the question's objects alone."""
    seen = {word for word in attributes if word in (*COLOURS, *SIZE_WORDS, *SHAPES)}
    fitting = frozenset(i for i, o in enumerate(clip.objects) if seen <= {o.colour, o.size, o.shape})
    return bool(seen) and fitting == question.objects


def attribute_asks(clip: ShapesClip, count: int, random: Generator) -> list[Question]:
    """`count` questions for attributes and reasons (SteerSeg) on a video of `clip`."""
    ranked = _ranked(clip, random, "video")
    return [attribute_ask(clip, ranked[i % len(ranked)]) for i in range(count)]


def attribute_ask(clip: ShapesClip, expression: ShapesExpression) -> Question:
    """The question for attributes of an expression's objects, and its answer in the two lines that it asks for."""
    objects = targets_of(clip, expression)
    attributes = joined_attributes(attributes_of([clip.objects[i] for i in sorted(objects)]))
    answer = f"Attributes: {attributes}\nReason: {reason_of(expression)}"
    return Question(attribute_question(Expression(expression.text)), answer, "attributes", objects, ())


def object_ask(clip: ShapesClip, expression: ShapesExpression, pair: int = -1, *, full: bool = True) -> Question:
    """The object question of one expression."""
    asked = Expression(expression.text)
    return Question(
        text=object_question(asked) if full else asked.query,
        answer=expression.answer,
        role="object",
        objects=targets_of(clip, expression),
        words=_attributes(clip, expression),
        pair=pair,
        named=_named(expression),
        moving=expression.kind == "motion",
    )


def background_ask(clip: ShapesClip, category: str) -> Question:
    """The background question that leaves out `category`: everything but its objects is to be attended to."""
    objects = _having(clip, category, "shape") if category in SHAPES else frozenset(range(len(clip.objects)))
    return Question(background_question(category), clip.background, "background", objects, ((category, objects),))


def targets_of(clip: ShapesClip, expression: ShapesExpression) -> frozenset[int]:
    """Indices of the objects that the expression means."""
    return frozenset(i for i, o in enumerate(clip.objects) if o.id in expression.objects)


def _named(expression: ShapesExpression) -> bool:
    """Whether the text says what its target is (a relation names what it relates to)."""
    return expression.kind in ("shape", "colour_shape")


def _attributes(clip: ShapesClip, expression: ShapesExpression) -> tuple[tuple[str, frozenset[int]], ...]:
    """Words that tell objects apart, with the objects that they are true of.

    Colour and shape words; of expressions of size, position and motion the one word that says it ("large", "left").
    """
    said = Expression(expression.text).query.rstrip(".?").split()
    if expression.kind in ("position", "motion"):
        return ((said[-1], targets_of(clip, expression)),)
    if expression.kind == "size":
        return tuple((word, targets_of(clip, expression)) for word in said if word in SIZE_WORDS)
    found = [(word, _having(clip, word, "colour")) for word in said if word in COLOURS]
    found += [(word, _having(clip, word, "shape")) for word in said if word in SHAPES]
    return tuple(found[: ROWS - 1])


def _having(clip: ShapesClip, word: str, attribute: str) -> frozenset[int]:
    return frozenset(i for i, o in enumerate(clip.objects) if getattr(o, attribute) == word)


def pack(
    views: Sequence[View],
    questions: Sequence[Sequence[Question]],
    kind: Kind,
    wording: Wording,
    shown: Sequence[Sequence[int]] = (),
    frame_scale: int = CARD.frame_scale,
) -> tuple[PackedQuestions, Targets]:
    """Equal-sized views as one batch. `shown` picks the frames of each view (images); a video shows all."""
    picked = zip(views, shown or [()] * len(views), strict=True)
    inputs = [_input(v, kind, wording, s, frame_scale) for v, s in picked]
    pixels = torch.cat([made[0] for made in inputs])
    grid = inputs[0][1]
    tokens = grid[0] * grid[1] * grid[2] // 4
    prefix, visual = wording.prefix(kind, tokens)
    owners = [i for i, made in enumerate(inputs) for _ in range(len(made[0]))]
    coverage = tuple(c for made in inputs for c in made[2].unbind(1))
    asked = [[_in_one_frame(q) if kind == "image" else q for q in questions[i]] for i in owners]
    suffix, lengths, rows, answers = _texts(asked, kind, wording)
    maps = torch.stack([_maps(qs, c) for qs, c in zip(asked, coverage, strict=True)])
    blind = torch.tensor([[q.blind for q in qs] for qs in asked])
    answers[blind] = NO_ANSWER
    packed = PackedQuestions(
        kind, grid, pixels, torch.tensor(prefix), visual, suffix, lengths, rows, answers=answers.shape[2]
    )
    targets = Targets(
        answers=answers,
        maps=maps,
        pairs=torch.tensor([[q.pair for q in qs] for qs in asked]),
        named=torch.tensor([[q.named for q in qs] for qs in asked]),
        blind=blind,
        coverage=coverage,
        clips=tuple(views[i].clip for i in owners),
    )
    return packed, targets


def _in_one_frame(question: Question) -> Question:
    """The question as a single frame can be asked: where it speaks of motion, any of all objects may be meant."""
    if not question.moving:
        return question
    return replace(question, objects=None, words=(), blind=True)


def _input(
    shown: View, kind: Kind, wording: Wording, frames: Sequence[int], frame_scale: int
) -> tuple[Tensor, Grid, Tensor]:
    chosen = list(frames) if frames else list(range(len(shown.frames)))
    pixels, grid = patches(shown.frames[chosen], kind, shown.grid, wording.processor, frame_scale)
    return pixels, grid, token_coverage(shown.coverage[:, chosen], kind, frame_scale)


def _texts(asked: Sequence[Sequence[Question]], kind: Kind, wording: Wording) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Padded suffix ids (b, k, s), prompt lengths (b, k), rollout rows (b, k, r), answer targets (b, k, a)."""
    made = [[wording.suffix(kind, q) for q in questions] for questions in asked]
    most = max(len(a) for line in made for _, a, _ in line)
    longest = max(len(p) for line in made for p, _, _ in line) + most
    pad = wording.tokenizer.pad_token_id
    ids = [[(p + a + [pad] * longest)[:longest] for p, a, _ in line] for line in made]
    rows = [[_row_places(len(p), places) for p, _, places in line] for line in made]
    answers = [[(a + [NO_ANSWER] * most)[:most] for _, a, _ in line] for line in made]
    lengths = [[len(p) for p, _, _ in line] for line in made]
    return torch.tensor(ids), torch.tensor(lengths), torch.tensor(rows), torch.tensor(answers)


def _row_places(length: int, places: Sequence[Sequence[int]]) -> list[int]:
    """The last prompt token, then one place per attribute (the last token again where there is none)."""
    found = [place[0] if place else length - 1 for place in places]
    return ([length - 1, *found] + [length - 1] * ROWS)[:ROWS]


def _maps(questions: Iterable[Question], coverage: Tensor) -> Tensor:
    """Target coverage of every rollout row on one input: (k, r, n); coverage (objects, n)."""
    return torch.stack([_question_maps(q, coverage) for q in questions])


def _question_maps(question: Question, coverage: Tensor) -> Tensor:
    seen = _union(coverage, question.objects)
    maps = [1 - seen if question.role == "background" else seen]
    maps += [_union(coverage, objects) for _, objects in question.words]
    maps += [torch.zeros_like(seen)] * (ROWS - len(maps))
    return torch.stack(maps)


def _union(coverage: Tensor, objects: Iterable[int] | None) -> Tensor:
    chosen = range(len(coverage)) if objects is None else sorted(objects)
    return coverage[list(chosen)].sum(dim=0).clamp(max=1)


def choice_batch(clips: Sequence[ShapesClip], random: Generator, wording: Wording) -> tuple[Tensor, Tensor]:
    """Text-only category choices: ids (b, n) padded on the right and answer targets (b, n), -100 elsewhere.

    Candidates are noisy answers as grounding gives them; a named shape decides, of motion the video's answer (the first
    one), otherwise the most frequent one.
    """
    lines = [_choice(clip.expressions[random.integers(len(clip.expressions))], random) for clip in clips]
    made = [(wording.ids(wording.template(None, q)), wording.ids(a + IM_END)) for q, a in lines]
    longest = max(len(p) + len(a) for p, a in made)
    pad = [wording.tokenizer.pad_token_id] * longest
    ids = torch.tensor([(p + a + pad)[:longest] for p, a in made])
    none = [NO_ANSWER] * longest
    targets = torch.tensor([(none[: len(p) - 1] + a + none)[:longest] for p, a in made])
    return ids, targets


def _choice(expression: ShapesExpression, random: Generator) -> tuple[str, str]:
    """The video's answer comes first; of motion it alone knows."""
    asked = Expression(expression.text)
    count = int(random.integers(2, CARD.frames + 2))
    moving = expression.kind == "motion"
    share = random.uniform(0.5, 1.0) if moving else random.uniform(0.0, 0.45)
    said = [expression.answer if random.random() > share else str(random.choice(SHAPES)) for _ in range(count)]
    if moving:
        said[0] = str(random.choice(SHAPES))
        return choice_question(asked, said), said[0]
    answer = expression.answer if _named(expression) else max(said, key=said.count)
    return choice_question(asked, said), answer


def some_frames(shown: View, count: int) -> View:
    """The same clip with `count` of its frames, spread evenly, first and last among them."""
    chosen = np.linspace(0, len(shown.frames) - 1, count).round().astype(int)
    return replace(shown, frames=shown.frames[chosen], coverage=shown.coverage[:, chosen])
