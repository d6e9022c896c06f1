"""Fixtures of the grounding tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_qwen import FrameList, save_random_qwen


@pytest.fixture(scope="session", params=["qwen2_vl", "qwen2_5_vl"])
def qwen_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_qwen(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def frame_list() -> FrameList:
    return FrameList(10, (84, 112))
