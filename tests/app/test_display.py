"""Whether a window can be shown is told before Qt, which would abort, and in agreement with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from decaf_gui.app.display import BASE_PACKAGES, PLATFORM_PACKAGES, plugin_folder, tried_platforms

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from real_display import clean_environment, need, x_server

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
PROBE = "from decaf_gui.app.display import display_problem; print(display_problem())"
QT = "from PySide6.QtWidgets import QApplication; QApplication([])"


def told(tmp_path: Path, code: str = PROBE, **environment: str) -> str:
    """What is wrong in a process of its own."""
    made = clean_environment(tmp_path, **environment)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=made)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    return done.stdout.strip()


def qt_begins(tmp_path: Path, **environment: str) -> bool:
    made = clean_environment(tmp_path, **environment)
    return subprocess.run([sys.executable, "-c", QT], capture_output=True, timeout=60, env=made).returncode == 0


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY is set"),
        ({"DISPLAY": ":99"}, "DISPLAY=:99 does not answer"),
        ({"QT_QPA_PLATFORM": "xcb"}, "DISPLAY is not set"),
        ({"WAYLAND_DISPLAY": "nobody-0"}, "ayland"),
        ({"QT_QPA_PLATFORM": "offscreen"}, ""),
        ({"QT_QPA_PLATFORM": "Offscreen:enable_fonts=1"}, ""),
        ({"QT_QPA_PLATFORM": "xcb;minimal", "DISPLAY": ":99"}, ""),
    ],
)
def test_the_answer_is_what_qt_then_does(tmp_path, environment, words):
    problem = told(tmp_path, **environment)
    assert words in problem
    assert (problem == "") == (words == "") == qt_begins(tmp_path, **environment)


def test_what_is_not_known_is_left_to_qt(tmp_path):
    assert told(tmp_path, QT_QPA_PLATFORM="webgl:port=8080") == ""


def test_a_real_display_is_a_display(tmp_path):
    need("Xvfb")
    with x_server() as display:
        assert told(tmp_path, DISPLAY=display) == ""
        assert told(tmp_path, DISPLAY=display, WAYLAND_DISPLAY="nobody-0") == "", "X is there, Qt goes on to it"
        assert qt_begins(tmp_path, DISPLAY=display, WAYLAND_DISPLAY="nobody-0")
    assert "does not answer" in told(tmp_path, DISPLAY=display)


@pytest.fixture
def lame(tmp_path) -> Path:
    """Qt's offscreen plugin, but it wants a library that no system has."""
    real = plugin_folder() / "libqoffscreen.so"
    folder = tmp_path / "plugins" / "platforms"
    folder.mkdir(parents=True)
    (tmp_path / "lib").symlink_to(real.parents[2] / "lib")  # where the plugin looks for Qt
    code = real.read_bytes()
    assert code.count(b"libX11.so.6\0") == 1
    (folder / real.name).write_bytes(code.replace(b"libX11.so.6\0", b"libX77.so.6\0"))
    return folder


def test_missing_libraries_are_named_with_what_to_install(tmp_path, lame):
    use = "import pathlib; from decaf_gui.app import display\n"
    use += f"display.plugin_folder = lambda: pathlib.Path({str(lame)!r})\n"
    unknown = told(tmp_path, use + PROBE, QT_QPA_PLATFORM="offscreen")
    assert "system library libX77.so.6 cannot be found" in unknown
    assert "apt" not in unknown
    know = "display.PLATFORM_PACKAGES = {'offscreen': {'libX77.so.6': 'libx77-6', 'libX88.so.6': 'libx88-6'}}\n"
    problem = told(tmp_path, use + know + PROBE, QT_QPA_PLATFORM="offscreen")
    assert "libX77.so.6, libX88.so.6" in problem, "the loader tells one at a time, we tell all"
    assert "`sudo apt install libx77-6 libx88-6`" in problem
    assert told(tmp_path, use + PROBE, QT_QPA_PLATFORM="offscreen;minimal") == "", "the next one would do"


def test_qt_itself_may_lack_a_library(tmp_path):
    code = (
        "import sys\nclass Lame:\n def find_spec(self, name, *_):\n  if name == 'PySide6.QtWidgets':\n"
        "   raise ImportError('libEGL.so.1: cannot open shared object file: No such file or directory')\n"
        "sys.meta_path.insert(0, Lame())\n"
    )
    problem = told(tmp_path, code + PROBE, QT_QPA_PLATFORM="offscreen")
    assert "libEGL.so.1" in problem
    assert "libegl1" in problem


def test_failing_is_one_line(tmp_path):
    code = (
        "from decaf_gui.app.display import check_display\ntry: check_display()\nexcept Exception as e: print(repr(e))"
    )
    assert told(tmp_path, code).startswith("DecafError('No window can be shown: there is no display")


def test_platforms_are_tried_in_qts_order(monkeypatch):
    for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    assert tried_platforms() == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert tried_platforms() == ["xcb"]
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert tried_platforms() == ["wayland", "xcb"]
    monkeypatch.setenv("QT_QPA_PLATFORM", "vnc:size=800x600;;XCB")
    assert tried_platforms() == ["vnc", "xcb"]


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no Debian")
def test_packages_are_those_that_the_libraries_here_come_from():
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout.split()
    tables = {k: v for table in (BASE_PACKAGES, *PLATFORM_PACKAGES.values()) for k, v in table.items()}
    here = [library for library in tables if library in listed]
    assert "libxcb.so.1" in here
    command = ["dpkg", "-S", *(f"*/{library}" for library in here)]
    owners = [line.split(": ") for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines()]
    for library in here:
        names = {owner.partition(":")[0].removesuffix("t64") for owner, file in owners if file.endswith(f"/{library}")}
        assert tables[library] in names, library
