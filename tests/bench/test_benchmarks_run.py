"""Every benchmark at its quick size: both ways run, and give the same answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from decaf_gui.bench import paper_size, startup
from decaf_gui.bench.clips import EndlessClip, write_video
from decaf_gui.bench.dense import dense_rollout
from decaf_gui.bench.models import SMALL_TEXT, SMALL_VISION
from decaf_gui.bench.paper_size import Sizes
from decaf_gui.bench.results import Options, Result, run
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.resources import resource
from decaf_gui.tracking.checkpoints import load_sam

sys.path.insert(0, str(Path(__file__).parents[1] / "grounding"))
from dense import dense_rollout as reference

QUICK = Options(quick=True)


def result_of(name: str) -> tuple[Result, list[dict]]:
    *_, last = run(name, QUICK)
    assert isinstance(last, Result)
    return last, last.as_dict()["rows"]


def test_dense_rollout_is_the_recursion():
    generator = torch.Generator().manual_seed(0)
    queries = [torch.randn(4, 40, 8, generator=generator) for _ in range(3)]
    keys = [torch.randn(2, 40, 8, generator=generator) for _ in range(3)]
    row = dense_rollout(queries, keys, 0.35, (3, 30))
    expected = reference(queries, keys, 0.35, (3, 30), "vmax")
    assert (row.double() - expected).abs().max() <= 1e-6 * expected.max()


def test_rollout_ways_agree_and_the_row_takes_less_memory():
    _, rows = result_of("rollout")
    assert [row["tokens"] for row in rows] == [400]
    assert all(row["difference"] < 1e-5 for row in rows)
    assert all(row["row s"] > 0 and row["dense s"] > 0 for row in rows)
    assert rows[0]["row MiB"] < rows[0]["dense MiB"]


def test_grounding_ways_agree():
    result, rows = result_of("grounding")
    assert [row["way"] for row in rows] == ["first", "further", "straightforward"]
    assert result.settings["difference"] < 1e-5
    assert rows[1]["vision tower s (left out)"] == 0, "a further expression went through the vision tower"
    assert all(row["vision tower s (left out)"] > 0 for row in (rows[0], rows[2]))


def test_tracking_ways_agree():
    _, rows = result_of("tracking")
    assert len(rows) == 4
    assert all(row["agreement IoU"] > 0.999 for row in rows)


def test_click_and_decode_measure_every_case():
    _, clicks = result_of("click")
    assert all(row["cold ms"] > row["cached ms"] > 0 for row in clicks)
    _, accesses = result_of("decode")
    assert [row["access"] for row in accesses] == ["in order", "at random"]


def test_memory_is_measured_over_a_whole_proposal():
    _, rows = result_of("memory")
    assert [row["frames"] for row in rows] == [30]
    assert [row["frames encoded"] for row in rows] == [30]
    assert all(row["peak MiB"] > 100 for row in rows)


@pytest.mark.timeout(600)
def test_prelabelling_is_timed_with_one_worker_and_with_two():
    result, rows = result_of("prelabel")
    assert [(row["workers"], row["worker"]) for row in rows] == [(1, "1"), (2, "1"), (2, "2")]
    assert [row["clips"] for row in rows] == [2, 1, 1]
    assert all(row["peak MiB late"] >= row["peak MiB early"] > 100 for row in rows)
    assert result.targets == (), "promises are measured at full size only"


def test_start_up_sees_every_step(tmp_path):
    video = write_video(EndlessClip(4, (96, 128)), tmp_path / "clip.mp4")
    seen = startup._timeline(video, tmp_path / "out")
    assert list(seen) == [*startup.STEPS, "everything is written"]
    assert list(seen.values()) == sorted(seen.values())


def test_paper_size_refuses_a_machine_without_cuda():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA card")
    with pytest.raises(BadInput, match="CUDA"):
        next(paper_size.run(Options()))


def test_paper_size_measures_every_stage(monkeypatch):
    """On the CPU with small models: the code is the same, only the card's memory is not read."""
    demo = resource("models/demo-sam")

    def small_sam(name, device):
        import json

        return load_sam(demo, device), json.loads((demo / "config.json").read_text())["model"]

    monkeypatch.setattr(paper_size, "random_sam", small_sam)
    text = {**SMALL_TEXT, "hidden_size": 96, "intermediate_size": 192, "vocab_size": 1024}
    small = {"frames": 4, "sampled": 3, "video_tokens": 16, "clip": (120, 160), "grid": (5, 6), "clicks": 3}
    sizes = Sizes(text=text, vision=SMALL_VISION, answer_tokens=2, dtype=torch.float32, **small)
    *_, result = paper_size.run(Options(), sizes)
    rows = {row["stage"]: row for row in result.as_dict()["rows"]}
    assert len(rows) == 5
    assert all(row["s"] > 0 for row in rows.values())
    assert rows["SAM2 stage"]["faster x"] == pytest.approx(
        rows["SAM2 stage"]["straightforward s"] / rows["SAM2 stage"]["s"], rel=0.02, abs=0.005
    ), "it is told with two decimals"
    assert rows["grounding, first expression"]["limit s"] > 0
    assert len(result.targets) == 5


def test_endless_clip_goes_to_and_fro_and_can_be_written(tmp_path):
    clip = EndlessClip(50, (96, 128), turn=8)
    assert (clip[3] == clip[11]).all()
    assert (clip[3] != clip[6]).any()
    with pytest.raises(IndexError):
        clip[50]
    with Clip.open(write_video(clip, tmp_path / "clip.mp4")) as written:
        assert (len(written), written.size) == (50, (96, 128))


def test_the_worker_is_watched_while_idle_and_busy(qapp):
    result, rows = result_of("worker")
    assert [row["while"] for row in rows] == ["idle", "proposal", "tracking 10 objects"]
    assert rows[0]["clicks"] == 15
    assert all(row["events"] >= 12 and row["longest stretch ms"] > 0 for row in rows[1:])
    assert result.targets == (), "promises are measured at full size only"


def test_the_canvas_is_painted_at_all_sizes(qapp):
    _, rows = result_of("canvas")
    assert len(rows) == 9
    assert all(row["median ms"] > 0 for row in rows)
