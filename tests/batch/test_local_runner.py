"""Worker processes: works are taken when somebody is free, the dead are replaced, nothing is left behind."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import psutil
import torch

from decaf_gui.batch.labelling import Plan
from decaf_gui.batch.local import crew_size, device_of, run_local
from decaf_gui.batch.reports import Failed
from decaf_gui.batch.worklist import ClipWork, Wanted


def ghosts(count: int) -> list[ClipWork]:
    """Works that fail at once, without a model: their clips are not there."""
    return [ClipWork(f"ghost{k}", Path(f"/nowhere/{k}"), (Wanted("x"),), 1) for k in range(count)]


def workers() -> list[psutil.Process]:
    """The living processes that this one has spawned."""
    found = psutil.Process().children()
    return [p for p in found if p.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(p.cmdline())]


def test_works_are_taken_one_per_free_worker_and_all_processes_end(tmp_path):
    taken: list[str] = []
    ended: list[str] = []

    def works():
        for work in ghosts(6):
            taken.append(work.clip)
            yield work

    for report in run_local(works(), Plan(tmp_path, threads=1), 2):
        assert len(workers()) <= 2
        if isinstance(report, Failed):
            assert not report.again
            ended.append(report.clip)
        assert len(taken) - len(ended) <= 2, "works were taken that nobody could begin with"
    assert sorted(ended) == taken == [f"ghost{k}" for k in range(6)]
    assert workers() == []


def test_a_dead_worker_is_replaced_and_closing_ends_the_rest(tmp_path):
    def works():
        first, *rest = ghosts(4)
        yield first
        (worker,) = workers()
        worker.kill()
        yield from rest

    reports = run_local(works(), Plan(tmp_path, threads=1), 1)
    ended = list(islice((report for report in reports if isinstance(report, Failed)), 3))
    assert [report.clip for report in ended] == ["ghost0", "ghost1", "ghost2"]
    assert all(("signal 9" if report.again else "There is no file") in report.reason for report in ended)
    assert [report.again for report in ended] in ([False] * 3, [False, True, False]), "more than the dead one's clip"
    (worker,) = workers()
    reports.close()
    assert not worker.is_running()


def test_a_device_that_is_not_there_fails_each_clip_with_its_reason(tmp_path):
    found = list(run_local(iter(ghosts(2)), Plan(tmp_path, device="cuda:99"), 1))
    assert [report.clip for report in found] == ["ghost0", "ghost1"]
    assert all("not available here" in report.reason and not report.again for report in found)


def test_workers_take_devices_in_turn():
    assert [device_of(("cpu",), place) for place in range(3)] == ["cpu"] * 3
    assert Plan(Path(), device="cuda:0, cuda:1").devices == ("cuda:0", "cuda:1")
    assert crew_size(("cuda:0", "cuda:1")) == 2
    assert crew_size(("auto",)) == max(1, torch.cuda.device_count())
