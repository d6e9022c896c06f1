"""Pre-labelling on a real Ray: two CPU actors on this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psutil
import pytest

from decaf_gui import __version__
from decaf_gui.batch.labelling import Plan
from decaf_gui.batch.on_ray import Crew, Place, Seen, check_address, check_seen, crew_of, run_on_ray
from decaf_gui.batch.prelabelling import Finished, prelabel
from decaf_gui.batch.reports import Failed, Labelled, Progressed, Started
from decaf_gui.batch.worklist import ClipWork, SourceClip, Wanted, WorkList
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project.rows import ExpressionRow, TrackletRow
from decaf_gui.core.project.store import Store
from decaf_gui.demo.write import write_clips

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: the extra decaf-gui[ray]")
HEAD = """
import ray, sys
ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, logging_level="ERROR")
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""What looks for a Ray that was killed for another minute before it ends, too."""
CPUS = Plan(Path(), device="cpu", threads=1)


@dataclass(frozen=True)
class Cluster:
    """A Ray that runs in a process of its own."""

    address: str
    process: psutil.Process

    def actors(self, title: str = "ray::Labeller") -> list[psutil.Process]:
        return [process for process in self.process.children(recursive=True) if _title(process).startswith(title)]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def token() -> Iterator[None]:
    """Ray writes no token into the home folder when it is given one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "5f" * 32)
        yield


@pytest.fixture(scope="module")
def cluster(token: None) -> Iterator[Cluster]:
    with subprocess.Popen(
        [sys.executable, "-c", HEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as head:
        assert head.stdout is not None
        yield Cluster(head.stdout.readline().strip(), psutil.Process(head.pid))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return list(write_clips(tmp_path_factory.mktemp("media"), 3, 3, "kind", 6, video=False))


def missing(taken: list[str]) -> Iterator[ClipWork]:
    """Works without end, of clips that are not there; `taken` tells which were read."""
    for number in count():
        taken.append(f"clip{number}")
        yield ClipWork(taken[-1], Path(f"/nowhere/clip{number}"), (Wanted("a shape"),), 1)


def in_folder(folder: Path) -> Plan:
    WorkList.begin(folder, {}).close()
    return Plan(folder, device="cpu", threads=1)


@needs_ray
def test_all_clips_are_labelled_once_though_a_worker_is_killed(cluster, clips, tmp_path, capfd):
    wanted = (Wanted("the red circle"), Wanted("the blue square", "square"))
    plan = Plan(tmp_path, device="cpu", threads=1)
    with WorkList.begin(tmp_path, {}) as worklist:
        worklist.add(SourceClip(clip.name, clip, wanted) for clip in clips)
        seen, killed, most = [], False, 0
        for event in prelabel(worklist, partial(run_on_ray, address=cluster.address), plan, workers=2):
            seen.append(event)
            most = max(most, worklist.totals()["running"])
            if isinstance(event, Progressed) and event.stage != "load" and not killed:
                cluster.actors("ray::Labeller.label")[0].send_signal(signal.SIGKILL)
                killed = True
        rows = worklist.rows()
    (failed,) = (event for event in seen if isinstance(event, Failed))
    labelled = [event.clip for event in seen if isinstance(event, Labelled)]
    assert failed.again
    assert "died" in failed.reason
    assert sorted(labelled) == sorted(clip.name for clip in clips)
    assert {row.clip for row in rows if row.attempts == 2} == {failed.clip}
    assert [row.state for row in rows] == ["done"] * 6
    assert {event.worker for event in seen if isinstance(event, Started)} == {"1", "2"}
    assert most == len(wanted) * 2, "a clip in each worker's hands and none beside"
    assert seen[-1] == Finished(6, 6, ())
    assert capfd.readouterr().out == "", "standard output is the coordinator's"
    names = [clip.name for clip in clips]
    assert sorted(path.name for path in (tmp_path / "projects").iterdir()) == sorted(f"{name}.decaf" for name in names)
    for name in names:
        with Store.open(worklist.project(name), read_only=True) as store:
            project = store.project
            asked = {row.text: row.id for row in project.rows(ExpressionRow).values()}
            candidates = {text: len(list(project.where(TrackletRow, expression=id))) for text, id in asked.items()}
        assert candidates == {row.expression: row.result.candidates for row in rows if row.clip == name}


@needs_ray
def test_closing_early_leaves_no_actor_and_reads_no_further(cluster, tmp_path):
    taken: list[str] = []
    reports = run_on_ray(missing(taken), in_folder(tmp_path), 2, cluster.address)
    heard = [next(reports) for _ in range(5)]
    assert all(isinstance(report, Failed) and report.again for report in heard)
    assert all("does not see /nowhere/clip" in report.reason for report in heard)
    assert len(taken) <= len(heard) + 2
    assert len(cluster.actors()) == 2
    reports.close()
    assert _soon(lambda: not cluster.actors())


@needs_ray
def test_a_node_without_the_folder_is_named(cluster, tmp_path):
    with pytest.raises(BadInput, match=r"does not see .*elsewhere: it must lie, as the clips, on storage that all"):
        next(run_on_ray(missing([]), Plan(tmp_path / "elsewhere", device="cpu", threads=1), 1, cluster.address))


@needs_ray
def test_a_model_that_a_node_lacks_is_named(cluster, clips, tmp_path):
    works = iter([ClipWork("clip", clips[0], (Wanted("a shape"),), 1)])
    plan = replace(in_folder(tmp_path), sam="no-such-model")
    with pytest.raises(BadInput, match='There is no sam model "no-such-model"'):
        next(run_on_ray(works, plan, 1, cluster.address))


@needs_ray
def test_more_workers_than_the_cluster_holds(cluster, tmp_path):
    with pytest.raises(BadInput, match="room for 2 workers with 1 CPU each, not for 3"):
        next(run_on_ray(missing([]), in_folder(tmp_path), 3, cluster.address))


LOCALLY = """
import signal, sys, time
from pathlib import Path
from decaf_gui.batch.labelling import Plan
from decaf_gui.batch.on_ray import run_on_ray
from decaf_gui.batch.worklist import ClipWork, Wanted

def works():
    yield ClipWork("clip", Path("/nowhere"), (Wanted("a shape"),), 1)
    print("begun", flush=True)
    time.sleep(100)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
list(run_on_ray(works(), Plan(Path(sys.argv[1]), device="cpu", threads=1), 1))
"""


@needs_ray
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_local_ray_ends_with_its_run(how, token, tmp_path):
    in_folder(tmp_path)
    command = [sys.executable, "-c", LOCALLY, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        begun = psutil.Process(run.pid).children(recursive=True)
        assert any(_title(process).startswith("ray::Labeller") for process in begun)
        run.send_signal(how)
        assert run.wait(30) == (143 if how == signal.SIGTERM else -signal.SIGKILL)
    late = AGENTS if how == signal.SIGKILL else ()
    gone = _soon(lambda: not [process for process in begun if _runs(process) and not _title(process).startswith(late)])
    _, left = psutil.wait_procs(begun, timeout=0)
    for process in left:
        process.kill()
    assert gone


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _soon(holds) -> bool:
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)
    return holds()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "No Ray answers at 127.0.0.1:1"),
        ("nobody.invalid:6379", "No Ray answers at nobody.invalid:6379"),
        ("127.0.0.1:99999", "No Ray answers"),
        ("nonsense", "nonsense is no address of a Ray cluster"),
        ("ray://127.0.0.1:10001", "Ray's client protocol"),
    ],
)
def test_an_address_without_a_ray_is_refused_at_once(address, message):
    begun = time.monotonic()
    with pytest.raises(BadInput, match=message):
        check_address(address)
    assert time.monotonic() - begun < 8


@needs_ray
def test_where_no_ray_runs_none_is_found(token, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(BadInput, match=r"No Ray answers at [\d.]+:1 "):
        next(run_on_ray(missing([]), in_folder(tmp_path), 1, "auto"))


def test_without_ray_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"pip install 'decaf-gui\[ray\]'"):
        next(run_on_ray(missing([]), Plan(tmp_path), 1))


def test_nodes_of_another_version_are_refused():
    check_seen(Seen("a", __version__, True), CPUS)
    with pytest.raises(BadInput, match=f"b has decaf-gui 9.9, this machine {__version__}"):
        check_seen(Seen("b", "9.9", True), CPUS)


@pytest.mark.parametrize(
    ("places", "device", "threads", "workers", "crew"),
    [
        ([Place(8, 0)], "auto", 0, 0, Crew(8, 1, 0, "cpu")),
        ([Place(8, 0)], "auto", 0, 2, Crew(2, 4, 0, "cpu")),
        ([Place(8, 0)], "cpu", 3, 0, Crew(2, 3, 0, "cpu")),
        ([Place(4, 0), Place(2, 0)], "auto", 0, 2, Crew(2, 2, 0, "cpu")),
        ([Place(32, 4), Place(32, 4)], "auto", 0, 0, Crew(8, 8, 1, "cuda")),
        ([Place(32, 4), Place(4, 4)], "cuda:0,cuda:1", 0, 0, Crew(8, 1, 1, "cuda")),
        ([Place(32, 4), Place(64, 0)], "auto", 0, 3, Crew(3, 10, 1, "cuda")),
        ([Place(32, 4)], "cpu", 0, 4, Crew(4, 8, 0, "cpu")),
        ([Place(0, 0), Place(16, 2)], "auto", 4, 0, Crew(2, 4, 1, "cuda")),
    ],
)
def test_as_many_workers_as_fit_with_as_many_threads_as_they_can_have(places, device, threads, workers, crew):
    assert crew_of(places, Plan(Path(), device=device, threads=threads), workers) == crew


@pytest.mark.parametrize(
    ("places", "device", "threads", "workers", "message"),
    [
        ([Place(8, 0)], "cuda", 0, 0, "room for 0 workers with one GPU and 1 CPU each"),
        ([Place(8, 2)], "auto", 2, 3, "room for 2 workers with one GPU and 2 CPUs each, not for 3"),
        ([Place(2, 0)], "auto", 4, 0, "room for 0 workers with 4 CPUs each"),
        ([], "auto", 0, 0, "room for 0 workers"),
    ],
)
def test_workers_that_do_not_fit_are_refused(places, device, threads, workers, message):
    with pytest.raises(BadInput, match=message):
        crew_of(places, Plan(Path(), device=device, threads=threads), workers)
