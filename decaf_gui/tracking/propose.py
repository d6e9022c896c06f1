"""The SAM2 half of a proposal: from maps to scored candidates, and from selected ones to the whole clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.entities import Prompt, Scores, Tracklet
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, FrameTracked, Stage, TrackletsReady
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.tracking.consistency import consistency_scores
from decaf_gui.tracking.correlation import Correlation, correlation_scores
from decaf_gui.tracking.features import FeatureStore, FrameSource
from decaf_gui.tracking.queries import PointQuery, Rival, point_queries, suppress
from decaf_gui.tracking.session import Session
from decaf_gui.tracking.settings import TrackingSettings

Maps = NDArray[np.float32]


@dataclass(eq=False)
class Candidate:
    """A point query, the mask that SAM2 gave it on its frame, and (once tracked) its masks on the others."""

    id: int
    frame: int
    query: PointQuery
    iou: float
    masks: dict[int, Rle]
    suppressed: bool = False

    @property
    def score(self) -> float:
        """The object score of non-maximum suppression: V at the point + predicted IoU."""
        return self.query.attention + self.iou


def propose_tracklets(
    clip: FrameSource,
    frames: Sequence[int],
    maps: Maps,
    sam: Any,
    settings: TrackingSettings | None = None,
    parts: Mapping[str, Maps] | None = None,
) -> Iterator[Event]:
    """The SAM2 stage alone on given maps: `Stage` events, last a `TrackletsReady` with all candidates.

    `clip` gives frames as uint8 RGB (H, W, 3) by index; `maps` float32 (Ts, Hp, Wp) in [0, 1] lie on the Ts source
    `frames`; `sam` comes from `load_sam`. Tracklets have ids from 1, masks on the sampled frames at the source size
    (suppressed ones only up to the frame where a better candidate took their place), scores, `selected` and
    `suppressed`. `parts` are the maps that `maps` is fused of, `video` and `frame`: the scoring "pearson" looks at
    them, and at `maps` as the video's where there are none. Raises BadInput when maps and frames do not fit.
    """
    return candidates(FeatureStore(sam, clip), frames, maps, settings or TrackingSettings(), parts)


def candidates(
    store: FeatureStore,
    frames: Sequence[int],
    maps: Maps,
    settings: TrackingSettings,
    parts: Mapping[str, Maps] | None = None,
) -> Iterator[Event]:
    """As `propose_tracklets`, on a feature store that other work shares."""
    fused = {name: parts[name] for name in ("video", "frame") if parts and name in parts}
    for given in (maps, *fused.values()):
        if given.ndim != 3 or len(given) != len(frames):
            raise BadInput(f"Maps of shape {given.shape} do not fit {len(frames)} frames: give (Ts, Hp, Wp).")
    return _candidates(store, tuple(frames), maps, settings, fused)


def _candidates(
    store: FeatureStore,
    frames: tuple[int, ...],
    maps: Maps,
    settings: TrackingSettings,
    parts: Mapping[str, Maps],
) -> Iterator[Event]:
    """One forward sweep over the sampled frames, which candidates join on their own frame, and one backward sweep.

    The released loop tracks the candidates of each frame on their own; what it compares on a frame are masks that
    came forward from earlier frames, so the result is the same.
    """
    store.pin(frames)
    session = Session(store, frames)
    found: list[Candidate] = []
    standing: list[Candidate] = []
    for done, frame in enumerate(frames):
        yield Stage("candidates", done, len(frames), f"frame {frame}")
        store.prepare(frames[done:])
        yield from _track(session, standing, frame, frame)
        fresh = _query(session, frame, maps[done], settings, len(found))
        found += fresh
        kept = _suppress(fresh, standing, frame, settings)
        for lost in (c for c in standing if c.suppressed):
            session.remove(lost.id)
        session.prompt_masks(frame, {c.id: c.masks[frame] for c in kept})
        standing = [c for c in standing if not c.suppressed] + kept
    yield Stage("candidates", len(frames), len(frames), f"{len(found)} points")
    if settings.both_ways and len(frames) > 1:
        yield from _track(session, standing, frames[-1], frames[0])
    for candidate in standing:
        for frame in frames:
            candidate.masks.setdefault(frame, Rle.empty(session.size))
    yield TrackletsReady(score_candidates(found, frames, maps, settings, session.size, parts))


def _query(
    session: Session, frame: int, map_hw: NDArray[np.float32], settings: TrackingSettings, so_far: int
) -> list[Candidate]:
    """One candidate per point of the frame, all decoded in one batch."""
    queries = point_queries(map_hw, session.size, settings.tau_pq)
    rles, ious = session.decode_points(frame, [(q.x, q.y) for q in queries])
    return [
        Candidate(so_far + 1 + i, frame, query, iou, {frame: rle})
        for i, (query, rle, iou) in enumerate(zip(queries, rles, ious, strict=True))
    ]


def _suppress(
    fresh: Sequence[Candidate], standing: Sequence[Candidate], frame: int, settings: TrackingSettings
) -> list[Candidate]:
    """Marks what loses on this frame; the ones that are left, by falling score.

    `standing` are the tracklets kept so far in the order in which they were kept, which decides whose deletion is
    marked before a stronger one ends a candidate's comparison.
    """
    rivals = [Rival(c.id, c.score, c.masks[frame]) for c in standing]
    verdict = suppress([c.masks[frame] for c in fresh], [c.score for c in fresh], rivals, settings.nms_iou)
    kept = [fresh[i] for i in verdict.kept]
    for candidate in fresh:
        candidate.suppressed = candidate not in kept
    for candidate in standing:
        candidate.suppressed |= candidate.id in verdict.deleted
    return kept


def _track(session: Session, standing: Sequence[Candidate], start: int, stop: int) -> Iterator[Event]:
    """All standing candidates over sampled frames, in one batch; each keeps the mask that its point gave."""
    if not standing:
        return
    for event in session.track([c.id for c in standing], start, stop):
        for candidate in standing:
            if candidate.id in event.masks:
                candidate.masks.setdefault(event.frame, event.masks[candidate.id])
        yield Stage("candidates", 0, 0, f"tracking {len(standing)} on frame {event.frame}", within=True)


def score_candidates(
    found: Sequence[Candidate],
    frames: Sequence[int],
    maps: Maps,
    settings: TrackingSettings,
    size: tuple[int, int],
    parts: Mapping[str, Maps] | None = None,
) -> tuple[Tracklet, ...]:
    """All candidates as tracklets, the best first; those that the settings choose are selected.

    `parts` are the maps that "pearson" correlates with (none: `maps`, as the video's), `maps` those of "consistency".
    """
    alive = [c for c in found if not c.suppressed]
    tracks = [Masks(size, c.masks) for c in alive]
    extra: Sequence[float | Correlation] = ()
    if settings.scoring == "pearson":
        extra = correlation_scores(tracks, frames, parts or {"video": maps}, settings.frame_weight)
    elif settings.consistency:
        extra = consistency_scores(tracks, frames, maps, settings)
    by_id = dict(zip([c.id for c in alive], extra, strict=False))
    tracklets = [_tracklet(c, _scores(c, by_id.get(c.id), settings), size) for c in found]
    chosen = _selection([t for t in tracklets if not t.suppressed], settings)
    tracklets = [replace(t, selected=t.id in chosen) for t in tracklets]
    return tuple(sorted(tracklets, key=lambda t: (t.suppressed, -t.scores.total)))


def _scores(candidate: Candidate, extra: float | Correlation | None, settings: TrackingSettings) -> Scores:
    """The parts of a candidate's score; `extra` is what the scoring found of it, None where it did not look."""
    if settings.scoring == "consistency":
        assert not isinstance(extra, Correlation)
        return Scores(candidate.query.attention, candidate.iou, extra)
    found = extra if isinstance(extra, Correlation) else None
    three = (None, None, None) if found is None else (found.video, found.frame, found.total)
    return Scores(candidate.query.attention, candidate.iou, None, "pearson", *three)


def _tracklet(candidate: Candidate, scores: Scores, size: tuple[int, int]) -> Tracklet:
    query = candidate.query
    masks = Masks(size, candidate.masks)
    return Tracklet(candidate.id, candidate.frame, (query.x, query.y), masks, scores, suppressed=candidate.suppressed)


def _selection(tracklets: Sequence[Tracklet], settings: TrackingSettings) -> set[int]:
    """Ids of the tracklets over the threshold of their scoring; of the best where that is wanted, or none passes."""
    tau = settings.tau_trk if settings.scoring == "consistency" else settings.tau_corr
    passed: set[int] = set()
    if settings.choose == "above":
        passed = {t.id for t in tracklets if (t.scores.total > tau if settings.strict else t.scores.total >= tau)}
    if passed or not tracklets:
        return passed
    return {max(tracklets, key=lambda t: t.scores.total).id}


def propagate(session: Session, tracklets: Sequence[Tracklet]) -> Iterator[Event]:
    """Tracks the selected tracklets over all frames of the session, from their mask on their own frame, both ways.

    One forward and one backward sweep serve all of them. Yields `Stage` and `FrameTracked`; the last event is a
    `TrackletsReady` with all tracklets, the selected ones with masks on every frame.
    """
    chosen = [t for t in tracklets if t.selected]
    masks: dict[int, dict[int, Rle]] = {t.id: {} for t in chosen}
    for tracklet in chosen:
        session.prompt(tracklet.id, Prompt(tracklet.frame, mask=tracklet.masks[tracklet.frame]))
    for event in _both_sweeps(session, chosen):
        if isinstance(event, FrameTracked):
            for object_id, rle in event.masks.items():
                masks[object_id][event.frame] = rle
        yield event
    yield TrackletsReady(tuple(_with_masks(t, masks[t.id]) if t.selected else t for t in tracklets))


def _both_sweeps(session: Session, chosen: Sequence[Tracklet]) -> Iterator[Event]:
    if not chosen:
        return
    ids, own = [t.id for t in chosen], [t.frame for t in chosen]
    first, last = session.frames[0], session.frames[-1]
    total = abs(last - min(own)) + 1 + (max(own) - first)
    done = 0
    for start, stop in ((min(own), last), (max(own), first)):
        for event in session.sweep(ids, start, stop):
            yield event
            if isinstance(event, FrameTracked):
                done += 1
                yield Stage("tracking", min(done, total), total, f"frame {event.frame}")


def _with_masks(tracklet: Tracklet, masks: dict[int, Rle]) -> Tracklet:
    """The tracked masks; on its own frame the mask that it was prompted with."""
    own = tracklet.masks.rle(tracklet.frame)
    return replace(tracklet, masks=Masks(tracklet.masks.size, {**masks, tracklet.frame: own}))
