"""Memory runs out: once more with less, then a clear word. The errors are torch's own, raised where models compute."""

from __future__ import annotations

import pytest
import torch

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Prompt
from decaf_gui.core.errors import BadInput, OutOfMemory
from decaf_gui.core.events import FrameTracked, Prompted, Proposed, Stage, TrackletsReady
from decaf_gui.demo.shapes import make_clip
from decaf_gui.demo.write import write_clips
from decaf_gui.pipeline.engine import Engine, is_out_of_memory

TEXT = make_clip(3, frames=12).expressions[0].text


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    (path,) = write_clips(tmp_path_factory.mktemp("clips"), 3, 1, "kind", 12, video=False)
    return path


@pytest.fixture
def clip(media):
    with Clip.open(media) as opened:
        yield opened


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def proposal(clip):
    return last(Engine().propose(clip, TEXT))


def last(events):
    *_, event = events
    return event.proposal


def exhausted(*_args, **_kwargs):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def limited(monkeypatch, owner, name, too_much):
    """The method runs out of memory whenever `too_much` of its arguments says so."""
    real, seen = getattr(owner, name), []

    def method(*args, **kwargs):
        seen.append(too_much(*args, **kwargs))
        return exhausted() if seen[-1] else real(*args, **kwargs)

    monkeypatch.setattr(owner, name, method)
    return seen


def noted(events):
    """(all events, how often memory was said to have run out)"""
    events = list(events)
    return events, sum(isinstance(event, Stage) and event.name == "memory" for event in events)


def test_frames_that_do_not_fit_together_are_encoded_one_by_one(engine, clip, proposal, monkeypatch):
    seen = limited(monkeypatch, engine.sam, "forward_image", lambda images: len(images) > 1)
    events, times = noted(engine.propose(clip, TEXT))
    assert (times, sum(seen)) == (1, 1)
    found = events[-1].proposal
    assert len(found.selected) == len(proposal.selected) > 0
    for mine, other in zip(found.selected, proposal.selected, strict=True):
        assert mine.masks.iou(other.masks) > 0.98


def test_prefixes_that_do_not_fit_are_computed_in_small_parts(engine, clip, proposal, monkeypatch):
    real = type(engine.mllm)._decode
    sizes = []

    def decode(self, embeds, positions, cache):
        sizes.append(embeds.shape[0] * embeds.shape[1])
        return exhausted() if sizes[-1] > 400 else real(self, embeds, positions, cache)

    monkeypatch.setattr(type(engine.mllm), "_decode", decode)
    events, times = noted(engine.propose(clip, TEXT))
    assert times == 1
    assert sum(size > 400 for size in sizes) == 1
    found = events[-1].proposal
    assert found.grounding.answers == proposal.grounding.answers
    assert abs(found.grounding.maps - proposal.grounding.maps).max() < 1e-3


def test_memory_that_runs_out_in_the_middle_of_tracking(engine, clip, proposal, monkeypatch):
    real, calls = engine.sam._encode_new_memory, []

    def encode(*args, **kwargs):
        calls.append(1)
        return exhausted() if len(calls) == 20 else real(*args, **kwargs)

    monkeypatch.setattr(engine.sam, "_encode_new_memory", encode)
    events, times = noted(engine.propose(clip, TEXT))
    assert times == 1
    kinds = [type(event) if not isinstance(event, Stage) else event.name for event in events]
    assert FrameTracked in kinds[: kinds.index("memory")], "it ran out before tracking began"
    selected = events[-1].proposal.selected
    assert [t.masks.frames for t in selected] == [tuple(range(12))] * len(selected)


@pytest.mark.parametrize("place", ["mllm", "sam"])
def test_where_less_is_not_enough_there_is_a_clear_word_and_nothing_is_lost(engine, clip, proposal, monkeypatch, place):
    with monkeypatch.context() as broken:
        if place == "sam":
            broken.setattr(engine.sam, "forward_image", exhausted)
        else:
            broken.setattr(engine.mllm.decoder, "forward", exhausted)
        events = []
        with pytest.raises(OutOfMemory, match="Out of memory on cpu, even with small batches: choose a smaller model"):
            events.extend(event for event in engine.propose(clip, TEXT))
        assert not any(isinstance(event, (TrackletsReady, Proposed)) for event in events)
    again = last(engine.propose(clip, TEXT))
    assert len(again.selected) == len(proposal.selected)


def test_a_model_that_does_not_fit_is_named(monkeypatch):
    monkeypatch.setattr("decaf_gui.tracking.checkpoints.load_sam", exhausted)
    engine = Engine()
    with pytest.raises(OutOfMemory, match="demo SAM2 does not fit into the memory of cpu: choose a smaller model"):
        list(engine.load(mllm=False))
    monkeypatch.undo()
    list(engine.load(mllm=False))
    assert engine.sam is not None


def test_other_errors_are_not_tried_again(engine, clip, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(engine.sam, "forward_image", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        list(engine.propose(clip, TEXT))


def test_work_in_hand_is_repeated_from_its_start(engine, clip, monkeypatch):
    engine.sam.eval()
    prompt = {1: (Prompt(0, ((100.0, 100.0, True),)),)}
    whole = [e for e in engine.tracking(clip, prompt, ((0, 11),)) if isinstance(e, FrameTracked)]
    engine.free()
    limited(monkeypatch, engine.sam, "forward_image", lambda images: len(images) > 1)
    events, times = noted(engine.sparing(lambda: engine.tracking(clip, prompt, ((0, 11),))))
    assert times == 1
    tracked = [event for event in events if isinstance(event, FrameTracked)]
    assert {event.frame for event in tracked} == {event.frame for event in whole}
    (answer,) = list(engine.sparing(lambda: iter([engine.decode(clip, 1, prompt[1][0])])))
    assert isinstance(answer, Prompted)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("size mismatch"), False),
        (BadInput("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error, expected):
    assert is_out_of_memory(error) is expected
