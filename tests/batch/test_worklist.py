"""The work list: every pair ends exactly once, whatever fails, starts anew or is cut off."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from decaf_gui.batch.worklist import FILE, ClipWork, Problem, Result, SourceClip, Wanted, WorkList
from decaf_gui.core.errors import BadInput

HERE = {"source": "/data", "mllm": "demo, weights 1"}


def clip(name: str, *expressions: str, place: str = "/data") -> SourceClip:
    return SourceClip(name, Path(place) / name, tuple(Wanted(text) for text in expressions))


def result(work: ClipWork, wanted: Wanted, score: float = 0.5) -> Result:
    return Result(work.clip, wanted.expression, wanted.label, 3, 1, score, 0.25, 1.5)


def results(work: ClipWork, score: float = 0.5) -> list[Result]:
    return [result(work, wanted, score) for wanted in work.wanted]


def begun(folder: Path, *clips: SourceClip) -> WorkList:
    worklist = WorkList.begin(folder, HERE)
    worklist.add(clips or (clip("a", "the cat", "the dog"), clip("b", "the cat")))
    return worklist


def test_all_expressions_of_a_clip_are_handed_out_together_in_order(tmp_path):
    with begun(tmp_path) as worklist:
        first, second = worklist.take(), worklist.take()
        assert (first.clip, [w.expression for w in first.wanted]) == ("a", ["the cat", "the dog"])
        assert (second.clip, second.media, second.attempt) == ("b", Path("/data/b"), 1)
        assert worklist.take() is None
        assert worklist.totals() == {"waiting": 0, "running": 3, "done": 0, "failed": 0}


def test_results_are_kept_as_they_came(tmp_path):
    with begun(tmp_path) as worklist:
        work = worklist.take()
        worklist.finished("a", results(work))
    with WorkList.open(tmp_path, read_only=True) as worklist:
        rows = worklist.rows()
        assert [row.state for row in rows] == ["done", "done", "waiting"]
        assert [row.result for row in rows] == [*results(work), None]


def test_a_second_word_on_what_is_done_changes_nothing(tmp_path):
    with begun(tmp_path) as worklist:
        work = worklist.take()
        worklist.finished("a", results(work))
        worklist.finished("a", results(work, score=0.1))
        worklist.failed("a", "its worker died", again=True)
        assert [row.result.score for row in worklist.rows()[:2]] == [0.5, 0.5]
        assert worklist.take().clip == "b"


def test_what_failed_waits_behind_the_rest_and_counts_its_attempts(tmp_path):
    with begun(tmp_path) as worklist:
        worklist.take()
        worklist.failed("a", "its worker died", again=True)
        assert worklist.take().clip == "b"
        again = worklist.take()
        assert (again.clip, again.attempt, worklist.attempts("a")) == ("a", 2, 2)
        worklist.failed("a", "its worker died", again=False)
        assert worklist.take() is None
        assert worklist.failures() == [
            Problem("a", "the cat", "its worker died"),
            Problem("a", "the dog", "its worker died"),
        ]


def test_a_new_start_tries_again_what_failed_or_was_broken_off(tmp_path):
    with begun(tmp_path) as worklist:
        worklist.failed(worklist.take().clip, "no such file", again=False)
        worklist.take()
    with begun(tmp_path) as worklist:
        assert [(worklist.take().clip, worklist.attempts(name)) for name in ("a", "b")] == [("a", 1), ("b", 1)]


def test_another_run_is_refused_with_what_differs(tmp_path):
    begun(tmp_path).close()
    with pytest.raises(BadInput, match='mllm was "demo, weights 1", now it is "demo, weights 2"'):
        WorkList.begin(tmp_path, {**HERE, "mllm": "demo, weights 2"})
    with begun(tmp_path) as worklist:  # no lock was left
        assert len(worklist.rows()) == 3


def test_a_second_coordinator_is_refused_and_a_reader_is_not(tmp_path):
    with begun(tmp_path) as worklist:
        for opened in (lambda: WorkList.begin(tmp_path, HERE), lambda: WorkList.open(tmp_path)):
            with pytest.raises(BadInput, match=f"being worked on by process {os.getpid()}"):
                opened()
        with WorkList.open(tmp_path, read_only=True) as reader:
            worklist.finished("a", results(worklist.take()))
            assert reader.totals()["done"] == 2
            with pytest.raises(Exception, match="readonly"):
                reader.failed("a", "", again=False)
        assert (tmp_path / f".{FILE}.lock").exists(), "a reader took the writer's lock away"


def test_the_list_follows_its_source_but_keeps_what_is_done(tmp_path):
    with begun(tmp_path) as worklist:
        worklist.finished("a", results(worklist.take()))
    with begun(tmp_path, clip("a", "the cat", "the fox"), clip("c", "the cat")) as worklist:
        said = [(row.clip, row.expression, row.state) for row in worklist.rows()]
        assert said == [
            ("a", "the cat", "done"),
            ("a", "the dog", "done"),
            ("a", "the fox", "waiting"),
            ("c", "the cat", "waiting"),
        ]
        assert [w.expression for w in worklist.take().wanted] == ["the fox"], "what is done was asked for again"


def test_clips_whose_projects_would_share_a_file_are_named_apart_for_good(tmp_path):
    both = (clip("a b", "x"), clip("A_b", "x", place="/data/more"))
    with begun(tmp_path, *both) as worklist:
        names = worklist.clips()
        assert names == ["a b", "A_b_2"]
        assert len({worklist.project(name).name.casefold() for name in names}) == 2
        assert worklist.media("A_b_2") == Path("/data/more/A_b")
    with begun(tmp_path, *reversed(both)) as worklist:
        assert worklist.clips() == names


def test_exports_are_due_once_a_whole_clip_is_done(tmp_path):
    with begun(tmp_path) as worklist:
        assert worklist.unexported(("coco",)) == []
        worklist.finished("a", results(worklist.take()))
        assert worklist.unexported(("coco", "davis")) == [("a", "coco"), ("a", "davis")]
        worklist.exported("a", "coco")
        worklist.exported("a", "davis", "the disk is full")
        assert worklist.unexported(("coco", "davis")) == []
        assert worklist.failures() == [Problem("a", "", "the disk is full")]
    with begun(tmp_path) as worklist:
        assert worklist.unexported(("coco", "davis")) == [("a", "davis")]
    with begun(tmp_path, clip("a", "the cat", "the dog", "the fox")) as worklist:
        worklist.finished("a", results(worklist.take()))
        assert worklist.unexported(("coco",)) == [("a", "coco")], "an export lacks an expression"


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be one" * 100])
def test_other_files_are_refused_and_kept(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    for opened in (lambda: WorkList.begin(tmp_path, HERE), lambda: WorkList.open(tmp_path, read_only=True)):
        with pytest.raises(BadInput, match="work list"):
            opened()
    assert (tmp_path / FILE).read_bytes() == content


def test_folders_without_a_list_or_of_a_newer_program(tmp_path):
    with pytest.raises(BadInput, match="There is no work list"):
        WorkList.open(tmp_path / "nothing", read_only=True)
    begun(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(BadInput, match="newer program"):
        WorkList.open(tmp_path, read_only=True)
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="choose another --out"):
        WorkList.begin(tmp_path / "file", HERE)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text(min_size=1, max_size=8).filter(lambda t: "\0" not in t), min_size=1, max_size=6))
def test_any_names_and_texts_come_back(names):
    with tempfile.TemporaryDirectory() as folder:
        clips = [SourceClip(n, Path("/d") / str(i), (Wanted(n, n, n),)) for i, n in enumerate(names)]
        with begun(Path(folder), *clips) as worklist:
            works = [worklist.take() for _ in names]
            assert [w.wanted for w in works] == [(Wanted(n, n, n),) for n in names]
            projects = [worklist.project(w.clip) for w in works]
            assert all(p.parent == Path(folder) / "projects" for p in projects)
            assert len({p.name.casefold() for p in projects}) == len(names)


class Life(RuleBasedStateMachine):
    """A list through starts, kills and reports in any order, beside a plain account of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.wanted: dict[str, tuple[str, ...]] = {"a": ("x", "y"), "b": ("x",), "c": ("z",)}
        self.handed: list[ClipWork] = []
        self.done: dict[tuple[str, str], float] = {}
        self.scores = iter(range(1_000_000))
        self.worklist = self.start()

    def start(self) -> WorkList:
        self.handed = []
        return begun(self.folder, *(clip(name, *texts) for name, texts in self.wanted.items()))

    def teardown(self) -> None:
        for _ in range(20):
            self.work_on()
            while self.handed:
                self.finish(0)
        assert set(self.done) == {(name, text) for name, texts in self.wanted.items() for text in texts}
        self.agree()
        self.worklist.close()
        shutil.rmtree(self.folder)

    @rule()
    def work_on(self) -> None:
        work = self.worklist.take()
        if work is not None:
            assert not any((work.clip, w.expression) in self.done for w in work.wanted), "it was done already"
            assert work.clip not in [other.clip for other in self.handed], "two have the same clip"
            self.handed.append(work)

    @precondition(lambda self: self.handed)
    @rule(place=st.integers(0, 5))
    def finish(self, place: int) -> None:
        work, score = self.handed.pop(place % len(self.handed)), float(next(self.scores))
        self.worklist.finished(work.clip, results(work, score))
        for wanted in work.wanted:
            self.done.setdefault((work.clip, wanted.expression), score)

    @precondition(lambda self: self.handed)
    @rule(place=st.integers(0, 5))
    def fail(self, place: int) -> None:
        self.worklist.failed(self.handed.pop(place % len(self.handed)).clip, "died", again=True)

    @rule()
    def say_it_twice(self) -> None:
        for name, text in self.done:
            self.worklist.finished(name, [Result(name, text, "", 0, 0, None, None, 0.0)])

    @rule()
    def killed(self) -> None:
        """As after a kill: the file and its log as they are, the lock of a dead process."""
        left = Path(tempfile.mkdtemp())
        shutil.copytree(self.folder, left, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lock", "*-shm"))
        self.worklist.close()
        shutil.rmtree(self.folder)
        self.folder = left
        self.worklist = self.start()

    @rule(name=st.sampled_from("abcd"), text=st.sampled_from("xyz"))
    def ask_for_more(self, name: str, text: str) -> None:
        self.worklist.close()
        self.wanted[name] = tuple(dict.fromkeys((*self.wanted.get(name, ()), text)))
        self.worklist = self.start()

    @invariant()
    def agree(self) -> None:
        rows = self.worklist.rows()
        assert max(Counter((row.clip, row.expression) for row in rows).values()) == 1
        found = {(row.clip, row.expression): row.result.score for row in rows if row.result is not None}
        assert found == self.done
        assert sum(self.worklist.totals().values()) == sum(len(texts) for texts in self.wanted.values())


def test_every_pair_ends_exactly_once():
    run_state_machine_as_test(Life, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_worklist import HERE, results
from decaf_gui.batch.worklist import SourceClip, Wanted, WorkList
worklist = WorkList.begin(Path(sys.argv[2]), HERE)
worklist.add([SourceClip(f"c{i}", Path(f"/d/{i}"), (Wanted("x"), Wanted("y"))) for i in range(2000)])
print("ready", flush=True)
while work := worklist.take():
    worklist.finished(work.clip, results(work))
    print(work.clip, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_what_was_recorded_survives_kill_9(tmp_path):
    said: list[str] = []
    for wait in (0.0, 0.05, 0.2):
        command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(tmp_path / "out")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(wait)
            os.kill(process.pid, signal.SIGKILL)
            text = process.stdout.read()
        said += text[: text.rfind("\n") + 1].split()
        with WorkList.open(tmp_path / "out", read_only=True) as worklist:
            done = [row.clip for row in worklist.rows() if row.state == "done"]
        assert set(said) <= set(done)
        assert all(times == 2 for times in Counter(done).values()), "half a clip is done"
    assert len(said) == len(set(said)), "a clip was done twice"
    assert said
