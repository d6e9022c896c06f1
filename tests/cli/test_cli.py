"""The command as a user calls it: exit codes, one-line errors, speed of --help."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(*arguments: str, **options):
    command = [sys.executable, "-m", "decaf_gui.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_help_names_every_command():
    shown = run("--help")
    assert shown.returncode == 0
    for command in ("propose", "demo", "models", "doctor"):
        assert command in shown.stdout


def test_help_imports_neither_torch_nor_numpy():
    code = (
        "import sys; sys.argv = ['decaf-gui', 'propose', '--help']\n"
        "from decaf_gui.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'sam2', 'cv2', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["propose", "missing.mp4", "a dog", "--out", "o"], ["missing.mp4"]),
        (["propose", "empty", "a dog", "--out", "o"], ["no image"]),
        (["propose", "text.mp4", "a dog", "--out", "o"], ["text.mp4"]),
        (["propose", "one.png", "  ", "--out", "o"], ["expression is empty"]),
        (["propose", "one.png", "a dog", "--out", "o", "--format", "gif"], ["gif", "davis"]),
        (["propose", "one.png", "a dog", "--out", "o", "--mllm", "nobody/nothing"], ["nobody/nothing"]),
        (["propose", "one.png", "a dog", "--out", "o", "--sam", "nothing"], ["nothing"]),
        (["propose", "one.png", "a dog", "--out", "o", "--preset", "best"], ["best", "paper"]),
        (["propose", "one.png", "a dog", "--out", "o", "--set", "tau"], ["NAME=VALUE"]),
        (["propose", "one.png", "a dog", "--out", "o", "--set", "tau=1"], ["tau"]),
        (["propose", "one.png", "a dog", "--out", "o", "--device", "tpu"], ["tpu"]),
        (["propose", "one.png", "a dog"], ["--out"]),
        (["propose", "one.png", "a dog", "--out", "text.mp4"], ["text.mp4", "folder"]),
        (["propose", "one.png", "a dog", "--out", "text.mp4/deeper"], ["text.mp4", "folder"]),
        (["propose", "one.png", "a dog", "--out", "o", "--nonsense"], ["--nonsense"]),
        (["nonsense"], ["nonsense"]),
        (["models", "where", "nobody/nothing"], ["nobody/nothing"]),
        (["demo", "--level", "impossible", "--write", "w"], ["impossible", "kind"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words, tmp_path):
    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "one.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("this is no video")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o").exists()


def test_debug_shows_the_traceback(tmp_path):
    done = run("--debug", "propose", "missing.mp4", "a dog", "--out", "o", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_version_is_printed():
    from decaf_gui import __version__

    assert __version__ in run("--version").stdout


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["clip.mp4"], ["open", "clip.mp4"]),
        (["--debug", "work.decaf", "--device", "cpu"], ["--debug", "open", "work.decaf", "--device", "cpu"]),
        (["./folder"], ["open", "./folder"]),
        (["demo"], ["demo"]),
        (["models", "list"], ["models", "list"]),
        (["prpose", "x.mp4"], ["prpose", "x.mp4"]),
        (["--version"], ["--version"]),
        ([], []),
    ],
)
def test_a_bare_path_is_opened(words, wanted):
    from decaf_gui.cli import with_command

    assert with_command(words) == wanted


def test_a_folder_that_is_called_as_no_command_is_opened(tmp_path, monkeypatch):
    from decaf_gui.cli import with_command

    (tmp_path / "clips").mkdir()
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert with_command(["clips"]) == ["open", "clips"]
    assert with_command(["demo"]) == ["demo"], "a command goes before a folder of its name"


@pytest.mark.parametrize("platform", ["", "offscreen"])
def test_the_demo_runs_without_a_window_where_nobody_would_see_one(platform, tmp_path):
    import os

    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    env |= {"QT_QPA_PLATFORM": platform} if platform else {}
    command = [sys.executable, "-m", "decaf_gui.cli", "demo", "--frames", "4", "--out", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "No window can be shown here" in done.stderr
    assert "Running without one" in done.stderr
    assert (tmp_path / "demo/davis").is_dir()
