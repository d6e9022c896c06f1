"""`decaf-gui prelabel` from the shell: as `propose --project`, whatever is interrupted or killed on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from decaf_gui.batch.worklist import WorkList
from decaf_gui.bench.measure import threads
from decaf_gui.commands import opened_project, propose_all
from decaf_gui.console import Reporter
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression
from decaf_gui.core.project.rows import ExpressionRow, GroundingRow, ProvenanceRow, TrackletRow
from decaf_gui.core.project.store import Store
from decaf_gui.demo.shapes import make_clip
from decaf_gui.pipeline.engine import Engine

COMMAND = [sys.executable, "-m", "decaf_gui.cli", "prelabel"]
SEEDS = {"one": 4, "two": 5, "three": 6}
FRAMES = 6


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of shapes with two expressions each."""
    root = tmp_path_factory.mktemp("prelabel") / "clips"
    lines = []
    for name, seed in SEEDS.items():
        (root / name).mkdir(parents=True)
        shapes = make_clip(seed, frames=FRAMES, size=(120, 160))
        for i, frame in enumerate(shapes.frames):
            Image.fromarray(frame).save(root / name / f"{i:05d}.png")
        lines += [{"clip": name, "expression": e.text} for e in shapes.expressions[:2]]
    (root / "expressions.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return root


def asked(source: Path) -> list[tuple[str, str]]:
    lines = map(json.loads, (source / "expressions.jsonl").read_text().splitlines())
    return [(line["clip"], line["expression"]) for line in lines]


def prelabel(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=280)


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_all_done(source: Path, out: Path) -> None:
    with WorkList.open(out, read_only=True) as worklist:
        rows = worklist.rows()
    assert sorted((row.clip, row.expression) for row in rows) == sorted(asked(source))
    assert all(row.state == "done" and row.result is not None for row in rows)
    assert sorted(path.name for path in (out / "projects").iterdir()) == sorted(f"{name}.decaf" for name in SEEDS)
    for name in SEEDS:
        assert len(list((out / f"exports/davis/Annotations/480p/{name}").glob("*.png"))) == FRAMES
    assert not (out / "exports/.partial").exists()


def test_projects_are_those_of_propose_and_failures_are_listed(source, tmp_path):
    table = tmp_path / "table.jsonl"
    table.write_text((source / "expressions.jsonl").read_text() + '\n{"clip": "ghost", "expression": "a dog"}\n')
    out = tmp_path / "out"
    done = prelabel(source, "--table", table, "--out", out, "--export", "davis", "--json", "--threads", 1)
    assert done.returncode == 1, done.stderr
    lines = lines_of(done)
    assert lines[-1] == {"event": "result", "done": 6, "total": 7, "failed": 1, "out": str(out)}
    reason = f"There is no file or folder {source / 'ghost'}."
    assert lines[-2]["rows"] == [{"clip": "ghost", "expression": "a dog", "reason": reason}]
    assert {"Overall", "Started", "Progressed", "Labelled", "Exported", "Failed"} <= {line["event"] for line in lines}
    engine = Engine()
    with threads(1):  # as many as the worker had: some processors' kernels add up in an order that depends on it
        for name in SEEDS:
            texts = [text for clip, text in asked(source) if clip == name]
            check_same_project(engine, source / name, texts, out / f"projects/{name}.decaf", tmp_path)
    status = prelabel("--out", out, "--status", "--json")
    assert status.returncode == 0
    said = lines_of(status)[-1]
    assert (said["done"], said["failed"], said["waiting"], said["clips"]) == (6, 1, 0, 4)


def check_same_project(engine: Engine, media: Path, texts: list[str], path: Path, folder: Path) -> None:
    """Against `propose --project` on the same clip: every row but for the clip's path."""
    other = folder / f"{media.name}.decaf"
    with Clip.open(media) as clip, opened_project(other, clip) as store:
        propose_all(engine, clip, [Expression(text) for text in texts], None, store, Reporter(as_json=False))
    with Store.open(other, read_only=True) as expected, Store.open(path, read_only=True) as made:
        for kind in (ExpressionRow, GroundingRow, TrackletRow, ProvenanceRow):
            assert dict(made.project.rows(kind)) == dict(expected.project.rows(kind))


def started(source: Path, out: Path) -> subprocess.Popen[str]:
    command = [*COMMAND, str(source), "--out", str(out), "--workers", "2", "--threads", "1", "--export", "davis"]
    return subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def events_of(process: subprocess.Popen[str]) -> Iterator[dict]:
    assert process.stdout is not None
    return map(json.loads, process.stdout)


def after(events: Iterator[dict], count: int) -> dict:
    """The event of progress before which there were so many."""
    passed = (event for event in events if event["event"] == "Progressed")
    return [next(passed) for _ in range(count)][-1]


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def check_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE], "processes were left behind"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.timeout(600)
def test_it_goes_on_after_kills_and_interrupts(source, tmp_path):
    """A worker is killed, then the coordinator; two starts are interrupted; the last one finishes."""
    out, chance = tmp_path / "out", random.Random(0)
    first = started(source, out)
    events = events_of(first)
    struck = after(events, chance.randrange(1, 6))
    refused = prelabel(source, "--out", out)
    assert refused.returncode == 2
    assert f"being worked on by process {first.pid}" in refused.stderr
    worker = next(p for p in family(first) if "spawn_main" in " ".join(p.cmdline()))
    worker.kill()
    failed = next(event for event in events if event["event"] == "Failed")
    assert (failed["again"], "signal 9" in failed["reason"]) == (True, True)
    assert struck["clip"] in SEEDS
    after(events, chance.randrange(1, 4))
    left = family(first)
    first.kill()
    first.communicate()
    check_gone(left)

    second = started(source, out)
    after(events_of(second), chance.randrange(1, 3))
    left = family(second)
    os.kill(second.pid, signal.SIGINT)
    _, errors = second.communicate(timeout=60)
    assert (second.returncode, errors.rstrip().splitlines()[-1]) == (130, "decaf-gui: interrupted")
    assert "Traceback" not in errors
    check_gone(left)

    third = started(source, out)
    assert next(events_of(third))["event"] == "Overall"
    left = family(third)
    third.terminate()  # as batch systems do
    _, errors = third.communicate(timeout=60)
    assert (third.returncode, "Traceback" in errors) == (143, False)
    check_gone(left)

    last = prelabel(source, "--out", out, "--export", "davis", "--json")
    assert last.returncode == 0, last.stderr
    check_all_done(source, out)
    begun = time.monotonic()
    again = prelabel(source, "--out", out, "--json")
    assert (again.returncode, lines_of(again)[-1]["done"]) == (0, 6)
    assert "Labelled" not in again.stdout, f"something was done again ({time.monotonic() - begun:.0f} s)"
    other = prelabel(source, "--out", out, "--set", "tau_trk=0.2")
    assert other.returncode == 2
    assert "tracking.tau_trk was" in other.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Say what to label"),
        (("SOURCE", "--export", "nothing"), 'no format "nothing"'),
        (("SOURCE", "--device", "cpu,abacus"), 'Unknown device "abacus"'),
        (("SOURCE", "--device", ","), "--device is empty"),
        (("SOURCE", "--set", "nothing=1"), 'no setting "nothing"'),
        (("SOURCE", "--mllm", "nothing"), "nothing"),
        (("SOURCE", "--format", "davis"), 'no dataset "davis"'),
        (("SOURCE", "--table", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("nowhere",), "There is no folder nowhere"),
        (("--status",), "There is no work list"),
    ],
)
def test_bad_input_is_one_line_and_makes_nothing(source, tmp_path, words, told):
    done = prelabel(*(source if word == "SOURCE" else word for word in words), "--out", tmp_path / "out")
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
