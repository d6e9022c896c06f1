"""Random models come from next door; all of them are tiny, so that a training step takes a fraction of a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from steering_cases import SETTINGS, Few

from decaf_gui.grounding.mllm import Mllm
from decaf_gui.steering.training import Job, Plan


@pytest.fixture(scope="session")
def qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from random_qwen import save_random_qwen

    return save_random_qwen(tmp_path_factory.mktemp("qwen"), "qwen2_5_vl")


@pytest.fixture
def mllm(qwen_folder: Path) -> Mllm:
    return Mllm.load(qwen_folder)


@pytest.fixture
def job(mllm: Mllm) -> Job:
    plan = Plan(6, rate=0.02, prompts=4, accumulate=2, frames=1, seed=3, held_out_every=3)
    return Job(mllm, Few(), SETTINGS, plan, "random", "abc", 1 << 20)
