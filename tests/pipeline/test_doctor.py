"""What the doctor says of this machine, and of machines where something is missing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from decaf_gui.core.resources import resource
from decaf_gui.pipeline import doctor
from decaf_gui.pipeline.doctor import examine

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture(scope="module")
def findings():
    return {finding.name: finding for finding in examine()}


def of(look) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in look()}


def test_versions_are_those_that_are_installed(findings):
    assert findings["Python"].detail == platform.python_version()
    for name in doctor.PACKAGES:
        assert findings[name].detail == version(name)
        assert findings[name].ok


def test_every_package_that_the_program_needs_is_looked_at():
    needed = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    assert sorted(Requirement(line).name for line in needed) == sorted(doctor.PACKAGES)


def test_models_memory_encoder_and_places_are_told(findings):
    for kind in ("MLLM", "SAM2"):
        assert findings[f"demo {kind}"].ok
        assert findings[f"demo {kind}"].detail.startswith(str(resource("models")))
    for name in ("memory", "disk here", "disk of the model cache"):
        assert "GiB free" in findings[name].detail
    assert findings["H.264 encoder"].ok
    assert findings["log file"].detail.endswith("decaf-gui.log")


def test_whatever_can_be_wrong_says_how_to_mend_it(findings):
    told_only = {"decaf-gui", "system", "processor"}
    for finding in findings.values():
        assert finding.mend or finding.name in told_only or finding.ok, finding


def test_a_missing_package_is_wrong(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package-at-all"))
    found = of(doctor._packages)
    assert found["numpy"].ok
    assert (found["no-such-package-at-all"].ok, found["no-such-package-at-all"].detail) == (False, "not installed")


def test_a_second_opencv_is_a_clash(monkeypatch, tmp_path):
    assert of(doctor._packages)["opencv-python clash"].ok
    info = tmp_path / "opencv_python-4.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: opencv-python\nVersion: 4.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    clash = of(doctor._packages)["opencv-python clash"]
    assert clash.ok is False
    assert "opencv-python 4.1" in clash.detail
    assert "pip uninstall opencv-python" in clash.mend


def test_missing_demo_models_are_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "locate", lambda card: None)
    found = of(doctor._models)
    assert [found[name].ok for name in ("demo MLLM", "demo SAM2", "released models")] == [False, False, None]


def test_a_torch_that_cannot_be_imported_is_told_and_the_rest_goes_on(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('a library is missing')")
    code = "from decaf_gui.pipeline.doctor import examine\nfor f in examine(): print(f.ok, f.name, f.detail, sep='|')"
    search = os.pathsep.join(filter(None, [str(tmp_path), str(PYPROJECT.parent), os.environ.get("PYTHONPATH")]))
    options = {"capture_output": True, "text": True, "env": os.environ | {"PYTHONPATH": search}}
    lines = subprocess.run([sys.executable, "-c", code], check=True, **options).stdout.splitlines()
    assert "False|GPU|torch cannot be imported: a library is missing" in lines
    assert any(line.startswith("True|H.264 encoder") for line in lines)


def test_memory_is_within_what_the_system_has():
    (finding,) = doctor._memory()
    free, of, total, *_ = finding.detail.split()
    assert of == "of"
    assert 0 < float(free) <= float(total)
    assert float(total) == pytest.approx(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), abs=0.06)


def test_a_log_folder_that_cannot_be_written_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "log_file", lambda: tmp_path / "state" / "decaf-gui.log")
    assert of(doctor._log)["log file"].ok
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    found = of(doctor._log)["log file"]
    assert found.ok is False
    assert str(tmp_path) in found.mend
