"""Settings by name and text: types kept, wrong names and values refused, presets as documented."""

from __future__ import annotations

import pytest

from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.settings import PRESETS, Settings, setting_names


def test_every_name_is_unique_without_its_room():
    short = [name.split(".", 1)[1] for name in setting_names()]
    assert len(short) == len(set(short))


def test_values_keep_their_types():
    changed = Settings().changed(
        {"tau_pq": "0.7", "tracking.tau_trk": "1", "frames": "8", "contrast": "off", "rollout": "plain"}
    )
    assert changed.tracking.tau_pq == 0.7
    assert isinstance(changed.tracking.tau_trk, float)
    assert changed.grounding.frames == 8
    assert changed.grounding.contrast is False
    assert changed.grounding.rollout == "plain"
    assert Settings().changed({"frames": "8"}).changed({"frames": "none"}).grounding.frames is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tau", "1", 'no setting "tau"'),
        ("tau_pq", "high", "float"),
        ("contrast", "maybe", "bool"),
        ("rollout", "mean", "vmax or max or plain"),
        ("frames", "0", "at least 1"),
        ("frames", "2.5", "int"),
        ("object_prompt", "shorter", "choose paper, single-sentence, rephrased, short, attributes, or write"),
        ("object_prompt", "none", "choose paper"),
        ("background_prompt", "What is behind {candidates}?", "has {candidates}: what is filled in is {category}"),
    ],
)
def test_wrong_names_and_values_are_refused_in_one_line(name, value, message):
    with pytest.raises(BadInput, match=message) as caught:
        Settings().changed({name: value})
    assert "\n" not in str(caught.value)


def test_prompts_are_names_or_ones_own_words():
    own = "{expression} \\nWhat = this?"
    changed = Settings().changed({"object_prompt": own, "grounding.choice_prompt": "short"}).grounding
    assert (changed.object_prompt, changed.choice_prompt, changed.background_prompt) == (own, "short", "paper")


def test_paper_preset_has_the_published_numbers():
    paper = PRESETS["paper"]
    assert (paper.tracking.tau_pq, paper.tracking.tau_trk) == (0.8, 0.8)
    assert (paper.grounding.video_kernel, paper.grounding.frame_kernel, paper.grounding.sigma) == (3, 7, 1.0)
    assert paper.grounding.rollout == "vmax"
    assert paper.grounding.max_new_tokens == 128


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(BadInput, match="paper, paper-text"):
        Settings.preset("best")


def test_steerseg_preset_reasons_and_ranks_by_correlation():
    chosen = PRESETS["steerseg"]
    assert (chosen.grounding.attributes, chosen.grounding.object_prompt) == (True, "attributes")
    assert not chosen.grounding.contrast
    assert (chosen.tracking.scoring, chosen.tracking.choose, chosen.tracking.frame_weight) == ("pearson", "best", 0.3)
    assert not any(PRESETS[name].grounding.attributes for name in ("paper", "paper-text"))
    assert all(PRESETS[name].tracking.scoring == "consistency" for name in ("paper", "paper-text"))


def test_a_weight_beyond_one_is_refused():
    with pytest.raises(BadInput, match="frame_weight must lie between 0 and 1"):
        Settings().changed({"frame_weight": "1.2"})
