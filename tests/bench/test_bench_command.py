"""`decaf-gui bench` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys


def bench(*arguments: str):
    command = [sys.executable, "-m", "decaf_gui.cli", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def test_results_are_printed_and_written_with_machine_and_versions(tmp_path):
    out = tmp_path / "bench.json"
    done = bench("decode", "--quick", "--out", str(out), "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "in order" in done.stdout
    written = json.loads(out.read_text())
    assert set(written) == {"machine", "options", "results"}
    assert {"processor", "cores", "device", "versions", "python"} <= set(written["machine"])
    assert written["options"]["threads"] == 1
    assert [result["name"] for result in written["results"]] == ["decode"]
    assert {row["access"] for row in written["results"][0]["rows"]} == {"in order", "at random"}


def test_wrong_use_is_one_line_and_exit_code_2(tmp_path):
    for arguments in (["speed"], ["click", "--paper-size"], ["decode", "--clip", str(tmp_path / "none.mp4")]):
        done = bench(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
