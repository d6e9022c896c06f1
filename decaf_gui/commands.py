"""What the commands do, apart from how they are typed (`cli.py`) and shown (`console.py`)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from decaf_gui.console import Reporter, tracklet_json
from decaf_gui.core.attributes import joined_attributes, split_attributes
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Proposal
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, FrameTracked, Proposed, TrackletsReady
from decaf_gui.core.masks import Rle

if TYPE_CHECKING:
    from decaf_gui.bench.results import Options, Result
    from decaf_gui.core.project.store import Store
    from decaf_gui.demo.shapes import ShapesClip
    from decaf_gui.demo.world import ShapesExpression
    from decaf_gui.formats.base import Format
    from decaf_gui.pipeline.engine import Engine

log = logging.getLogger(__name__)
PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class ProposeRun:
    """One call of `decaf-gui propose`: labels go to `out`, candidates to `project`, or both.

    `attributes`, where there are any, are one text for each expression; an empty one is as if nothing were said.
    """

    clip: Path
    expressions: tuple[str, ...]
    out: Path | None
    formats: tuple[str, ...]
    mllm: str = "demo"
    sam: str = "demo"
    device: str = "auto"
    preset: str = "paper"
    values: dict[str, str] | None = None
    overwrite: bool = False
    accept_damage: bool = False
    project: Path | None = None
    dtype: str = "auto"
    attention: bool = False
    attributes: tuple[str, ...] = ()


def run_propose(run: ProposeRun, *, as_json: bool) -> list[Proposal]:
    """Proposes masks for every expression; writes the chosen formats, fills the project. All is checked first."""
    from decaf_gui.formats.registry import format_named
    from decaf_gui.pipeline.engine import Engine, check_device_name
    from decaf_gui.pipeline.models import card_of, source_of
    from decaf_gui.pipeline.settings import Settings

    if run.out is None and run.project is None:
        raise BadInput("Nowhere to put the results: give --out FOLDER, --project FILE, or both.")
    if run.attention and run.out is None:
        raise BadInput("Attention masks are files: say where with --out FOLDER.")
    expressions = described(run.expressions, run.attributes)
    formats = [format_named(name) for name in dict.fromkeys(run.formats)]
    settings = Settings.preset(run.preset).changed(run.values or {})
    check_device_name(run.device)
    for kind, model in (("mllm", run.mllm), ("sam", run.sam)):
        source_of(card_of(kind, model))
    with Clip.open(run.clip) as clip:
        if clip.damage and not run.accept_damage:
            raise BadInput(f"{clip.damage} Mend the file, or go on with these frames: --accept-damage.")
        if run.out is not None:
            check_output(run, run.out, clip, formats)
        with opened_project(run.project, clip) as store:
            reporter = Reporter(as_json=as_json)
            frames = "1 frame" if len(clip) == 1 else f"{len(clip)} frames"
            reporter.say(f"{clip.name}: {frames}, {clip.width}x{clip.height}; loading...")  # torch takes seconds
            engine = Engine(run.mllm, run.sam, run.device, settings=settings, dtype=run.dtype)
            reporter.say(f"Device: {engine.device}")
            proposals = propose_all(engine, clip, expressions, run.out, store, reporter)
        written = [] if run.project is None else [run.project]
        if run.out is not None:
            written += write_formats(proposals, clip, formats, run.out, run.overwrite, engine.notice, reporter)
            if run.attention:
                from decaf_gui.pipeline.attention import write_attention

                written.append(write_attention(proposals, attention_path(run.out, clip)))
            drop_partial(run.out, clip)
        report_proposals(proposals, written, engine.notice, reporter)
        return proposals


def described(texts: Sequence[str], attributes: Sequence[str]) -> list[Expression]:
    """Expressions with a person's attributes. Raises BadInput when they are not as many as the expressions."""
    if attributes and len(attributes) != len(texts):
        raise BadInput(
            f"There are {len(texts)} expressions and {len(attributes)} times --attributes: give it once for each, in "
            'their order ("" where nothing is to be said).'
        )
    given = [split_attributes(text) or None for text in attributes] or [None] * len(texts)
    return [Expression(text, said) for text, said in zip(texts, given, strict=True)]


def check_output(run: ProposeRun, out: Path, clip: Clip, formats: Sequence[Format]) -> None:
    """Raises BadInput when results would replace others, or cannot be written."""
    for chosen in formats:
        chosen.check_output(clip, out, overwrite=run.overwrite)
    if run.attention and attention_path(out, clip).exists() and not run.overwrite:
        raise BadInput(f"{attention_path(out, clip)} exists: choose another folder, or replace it with --overwrite.")
    record = record_path(out, clip)
    if record.exists() and not run.overwrite:
        raise BadInput(f"{record} exists: choose another folder, or replace it with --overwrite.")


@contextmanager
def opened_project(path: Path | None, clip: Clip) -> Iterator[Store | None]:
    """The project to be filled, made when it is new, with the clip in it. Raises BadInput when it can only be read."""
    from decaf_gui.core.project.keeping import keep_clip
    from decaf_gui.core.project.store import Store

    if path is None:
        yield None
        return
    with Store.open(path) if path.exists() else Store.create(path) as store:
        if store.read_only:
            raise BadInput(f"{path} cannot be written. {store.note}")
        keep_clip(store, clip)
        yield store


def record_path(folder: Path, clip: Clip) -> Path:
    """Where scores and provenance of a clip's proposals lie."""
    from decaf_gui.formats.base import safe_name

    return folder / "proposals" / f"{safe_name(clip.name)}.json"


def attention_path(folder: Path, clip: Clip) -> Path:
    """Where a clip's attention masks and maps lie."""
    from decaf_gui.formats.base import safe_name

    return folder / "attention" / safe_name(clip.name)


def drop_partial(out: Path, clip: Clip) -> None:
    """Removes what an earlier, interrupted run on this clip left: now there is all of it."""
    left = record_path(out / PARTIAL, clip)
    if left.exists():
        left.unlink()
        for folder in (left.parent, left.parent.parent):
            if not any(folder.iterdir()):
                folder.rmdir()


def propose_all(
    engine: Engine,
    clip: Clip,
    expressions: Sequence[Expression],
    out: Path | None,
    store: Store | None,
    reporter: Reporter,
) -> list[Proposal]:
    """One proposal per expression, each kept in the project at once.

    When it is broken off, what was made lies in `<out>/.partial`, and is named.
    """
    from decaf_gui.core.project.keeping import keep_proposal

    proposals: list[Proposal] = []
    pending = Pending()
    try:
        for expression in expressions:
            pending = Pending(expression.text)
            events = reporter.watch(pending.seen(engine.propose(clip, expression)), f'"{expression.text}"')
            for event in events:
                if isinstance(event, Proposed):
                    proposals.append(event.proposal)
                    if store is not None:
                        keep_proposal(store, clip, event.proposal)
            pending = Pending()
    except BaseException:
        if out is not None:
            keep_partial(record_path(out / PARTIAL, clip), proposals, pending, reporter)
        raise
    return proposals


class Pending:
    """What the expression in work has yielded so far."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.tracklets: list[dict[str, Any]] = []
        self.masks: dict[int, dict[int, Rle]] = {}

    def seen(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events, remembered before anybody else acts on them: whatever was shown is kept."""
        for event in events:
            if isinstance(event, TrackletsReady):
                self.tracklets = [tracklet_json(t) for t in event.tracklets]
            if isinstance(event, FrameTracked):
                for object_id, rle in event.masks.items():
                    self.masks.setdefault(object_id, {})[event.frame] = rle
            yield event

    def as_dict(self) -> dict[str, Any]:
        """Plain data: masks as COCO RLE by object and frame."""
        masks = {str(i): {str(f): rle.to_coco() for f, rle in sorted(m.items())} for i, m in self.masks.items()}
        return {"expression": self.text, "complete": False, "tracklets": self.tracklets, "masks": masks}


def keep_partial(path: Path, proposals: Sequence[Proposal], pending: Pending, reporter: Reporter) -> None:
    """Writes finished and pending work to `path`, if there is any, and says so."""
    work = [proposal_json(p, masks=True) for p in proposals]
    if pending.tracklets or pending.masks:
        work.append(pending.as_dict())
    if work:
        kept = write_json(path, {"proposals": work})
        reporter.say(f"What was made so far is kept in {kept}", always=True)


def write_formats(
    proposals: Sequence[Proposal],
    clip: Clip,
    formats: Sequence[Format],
    out: Path,
    overwrite: bool,
    notice: str,
    reporter: Reporter,
) -> list[Path]:
    """All chosen formats and the record (scores and provenance): the paths that are complete."""
    from decaf_gui.formats.base import Written, partial_folder
    from decaf_gui.formats.proposals import label_set_of

    labels = label_set_of(proposals, clip, notice)
    written: list[Path] = []
    try:
        for chosen in formats:
            assert chosen.writer is not None
            for event in reporter.watch(chosen.writer(labels, clip, out, overwrite=overwrite)):
                if isinstance(event, Written):
                    written.append(event.path)
                    for warning in event.warnings:
                        reporter.say(f"{event.format}: {warning}")
    except BaseException:
        keep_partial(record_path(out / PARTIAL, clip), proposals, Pending(), reporter)
        for unfinished in (partial_folder(out, f.name, clip.name) for f in formats):
            if unfinished.exists():
                reporter.say(f"The unfinished labels are in {unfinished}", always=True)
        raise
    record = {"clip": str(clip.path), "proposals": [proposal_json(p) for p in proposals]}
    written.append(write_json(record_path(out, clip), record))
    return written


def report_proposals(proposals: Sequence[Proposal], written: Sequence[Path], notice: str, reporter: Reporter) -> None:
    """What came out: per expression the category, the objects and the scores; where it lies; what to mind."""
    for proposal in proposals:
        kept = proposal.selected
        scores = ", ".join(f"{t.scores.total:.2f}" for t in kept)
        found = f"{len(kept)} of {len(proposal.tracklets)} candidates selected (score {scores})" if kept else ""
        category = shorten(proposal.grounding.category, 60)
        reporter.say(f'"{proposal.expression.text}" -> {category}: {found or "no proposal"}')
        if proposal.grounding.attributes:
            reporter.say(f"  attributes: {joined_attributes(proposal.grounding.attributes)}")
        if proposal.grounding.reasons:
            reporter.say(f"  reasons: {proposal.grounding.reasons}")
    for path in written:
        reporter.say(f"wrote {path}")
    if notice:
        reporter.say(f"Note: {notice}")
    reporter.result(written=[str(path) for path in written], notice=notice)


def proposal_json(proposal: Proposal, *, masks: bool = False) -> dict[str, Any]:
    """A proposal as plain data, with its masks on request."""
    tracklets = [tracklet_json(t) for t in proposal.tracklets]
    if masks:
        for entry, tracklet in zip(tracklets, proposal.tracklets, strict=True):
            entry["masks"] = {str(f): tracklet.masks.rle(f).to_coco() for f in tracklet.masks.frames}
    return {
        "expression": proposal.expression.text,
        "complete": True,
        "category": proposal.grounding.category,
        "answers": list(proposal.grounding.answers),
        **proposal.reasoning,
        "frames": list(proposal.grounding.frames),
        "tracklets": tracklets,
        "counters": dict(proposal.counters),
        "provenance": dict(proposal.provenance),
    }


def write_json(path: Path, value: Any) -> Path:
    """Writes beside and renames into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    return beside.replace(path)


def run_demo(out: Path, seeded: tuple[int, str, int] | None, device: str, *, as_json: bool) -> None:
    """The whole job on a clip whose exact masks are known: labels, overlay video, and J&F.

    The clip is a scene of the demo, or that of a (seed, level, frames).
    """
    from decaf_gui.demo.scenes import scored
    from decaf_gui.demo.write import write_named

    reporter = Reporter(as_json=as_json)
    name, shapes, wanted = demo_clip(seeded)
    reporter.say(f'Demo clip: {len(shapes.objects)} moving shapes on {shapes.background}. Looking for "{wanted.text}".')
    (path,) = write_named(out / "clip", [(name, shapes)], video=True)
    run = ProposeRun(path, (wanted.text,), out, ("davis", "coco", "overlay"), device=device, overwrite=True)
    j, f = scored(run_propose(run, as_json=as_json)[0], shapes, wanted)
    reporter.say(f"Against the exact masks: J {j:.3f}, F {f:.3f}, J&F {(j + f) / 2:.3f}")
    reporter.say(f"Everything is in {out.resolve()}; watch the overlay video first.")
    reporter.result(j=j, f=f, out=str(out.resolve()))


def demo_clip(seeded: tuple[int, str, int] | None) -> tuple[str, ShapesClip, ShapesExpression]:
    """Name and clip of the scene in which a shape leaves and returns, or of a (seed, level, frames); what to find."""
    from decaf_gui.demo.scenes import HIDE_AND_SEEK, clip_of, ready_of
    from decaf_gui.demo.shapes import make_clip
    from decaf_gui.demo.write import clip_name

    if seeded is None:
        shapes = clip_of(HIDE_AND_SEEK)
        return HIDE_AND_SEEK.name, shapes, ready_of(HIDE_AND_SEEK, shapes)[0]
    seed, level, frames = seeded
    shapes = make_clip(seed, level, frames)
    return clip_name(level, seed), shapes, shapes.expressions[seed % len(shapes.expressions)]


def write_demo_clips(
    folder: Path, seed: int, clips: int, level: str, frames: int, *, video: bool, as_json: bool
) -> None:
    """Clips of the shapes world with DAVIS ground truth and expressions."""
    from decaf_gui.demo.write import write_clips

    reporter = Reporter(as_json=as_json)
    for path in write_clips(folder, seed, clips, level, frames, video=video):
        reporter.say(f"wrote {path}")
    reporter.result(folder=str(folder.resolve()), clips=clips)


def write_demo_scenes(folder: Path, *, video: bool, as_json: bool) -> None:
    """The demo's scenes with DAVIS ground truth and expressions."""
    from decaf_gui.demo.scenes import write_scenes

    reporter = Reporter(as_json=as_json)
    written = []
    for path in write_scenes(folder, video=video):
        written.append(path)
        reporter.say(f"wrote {path}")
    reporter.result(folder=str(folder.resolve()), clips=len(written))


def evaluate_demo(seed: int, clips: int | None, level: str, frames: int, device: str, *, as_json: bool) -> None:
    """Scores the demo models on held-out seeds: every measure with its interval and target, then by kind."""
    from typing import get_args

    from decaf_gui.demo.scores_report import Part, Row, evaluate, kind_table, part_table, plain_rows
    from decaf_gui.demo.world import level_named
    from decaf_gui.pipeline.engine import Engine

    level_named(level)
    reporter = Reporter(as_json=as_json)
    seeds = range(seed, seed + (clips or 20))
    events = evaluate(Engine(device=device), seeds, level, frames=frames)
    rows = [e for e in reporter.watch(events) if isinstance(e, Row)]
    if as_json:
        reporter.result(level=level, frames=frames, seeds=list(seeds), rows=plain_rows(rows))
        return
    clips_used = f"synthetic shapes of level {level}, {frames} frames, seeds {seeds[0]} to {seeds[-1]}"
    for part in get_args(Part):
        reporter.table(f"\n{part[0].upper()}{part[1:]}: {clips_used}", *part_table(rows, part))
    reporter.table("\nMeans by kind of expression", *kind_table(rows))


def run_benchmarks(names: Sequence[str], options: Options, out: Path, *, paper_size: bool, as_json: bool) -> None:
    """Runs benchmarks one after the other: a table and the promises of each; all of them as JSON in `out`."""
    from decaf_gui.bench.results import PAPER_SIZE, Result, check_names, run

    chosen = [PAPER_SIZE] if paper_size else check_names(names)
    if paper_size and names:
        raise BadInput("--paper-size is a benchmark of its own: give it without names.")
    if options.clip is not None:
        Clip.open(options.clip).close()
    from decaf_gui.bench.measure import machine
    from decaf_gui.pipeline.engine import choose_device

    options = replace(options, device=choose_device(options.device))
    reporter = Reporter(as_json=as_json)
    where = machine(options.device)
    results: list[dict[str, Any]] = []
    for name in chosen:
        for event in reporter.watch(run(name, options)):
            if isinstance(event, Result):
                results.append(event.as_dict())
                show_result(event, reporter)
                write_json(out, {"machine": where, "options": option_json(options), "results": results})
    machine_line = f"{where['processor']}, {where['cores']} cores, device {where['device']}"
    reporter.say(f"Measured on {machine_line}, torch {where['versions']['torch']}")
    reporter.say(f"wrote {out}")
    reporter.result(written=str(out))


def option_json(options: Options) -> dict[str, Any]:
    """Plain data."""
    return {**asdict(options), "clip": str(options.clip) if options.clip else None}


def show_result(result: Result, reporter: Reporter) -> None:
    """One benchmark's table, and under it which promises held."""
    rows = [["-" if cell is None else cell for cell in row] for row in result.rows]
    reporter.table(result.title, list(result.columns), rows)
    for target in result.targets:
        reporter.say(str(target))


def list_models(*, as_json: bool) -> None:
    """All cards, and whether the model is on this machine."""
    from decaf_gui.pipeline.models import CARDS, locate

    rows = [
        (card.id, card.kind, _size(card.size_bytes), card.licence, "yes" if locate(card) else "no", card.purpose)
        for card in CARDS
    ]
    Reporter(as_json=as_json).table("", ["id", "kind", "size", "licence", "here", "for"], rows)


def download_model(model: str, *, yes: bool, as_json: bool) -> None:
    """Shows size and licence, asks, and downloads."""
    from decaf_gui.pipeline.models import any_card, download, locate

    card = any_card(model)
    reporter = Reporter(as_json=as_json)
    there = locate(card)
    if there is not None:
        reporter.say(f"{card.id} is already here: {there}")
        return
    reporter.say(f"{card.id}: {_size(card.size_bytes)}, licence {card.licence}, from {card.source}")
    if not yes and not _agreed():
        raise BadInput("Nothing was downloaded. Answer y, or give --yes.")
    for event in reporter.watch(download(card)):
        log.debug("%s", event)
    reporter.say(f"{card.id} is in {locate(card)}")
    reporter.result(model=card.id, path=str(locate(card)))


def list_settings(*, markdown: bool, keys: bool, as_json: bool) -> None:
    """The table of the settings; as Markdown with the window's and its help, or its keys."""
    from decaf_gui.app.settings_help import keys_markdown, settings_markdown
    from decaf_gui.pipeline.settings import setting_rows

    if markdown or keys:
        sys.stdout.write(keys_markdown() if keys else settings_markdown())
        return
    rows = [(row.name, str(row.default), row.about.help) for row in setting_rows()]
    Reporter(as_json=as_json).table("", ["name", "default", "what it does"], rows)


def where_model(model: str) -> None:
    """Prints a model's folder."""
    from decaf_gui.pipeline.models import any_card, source_of

    sys.stdout.write(f"{source_of(any_card(model))}\n")


def examine_machine(*, as_json: bool) -> None:
    """Prints what the doctor found, and how to mend what is wrong."""
    from decaf_gui.pipeline.doctor import examine

    marks = {True: "ok", False: "missing", None: "-"}
    rows = [(marks[f.ok], f.name, f.detail, "" if f.ok else f.mend) for f in examine()]
    Reporter(as_json=as_json).table("", ["", "what", "found", "how to mend it"], rows)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Download it? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _size(count: int) -> str:
    if not count:
        return "of unknown size"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
