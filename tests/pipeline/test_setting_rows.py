"""The table of settings: complete, in words, and its ranges are the ones that the settings themselves accept."""

from __future__ import annotations

import pytest

from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.settings import PRESETS, Settings, as_text, setting_names, setting_rows, value_of

ROWS = {row.name: row for row in setting_rows()}


def test_every_setting_has_a_row_with_words():
    assert list(ROWS) == list(setting_names())
    for row in ROWS.values():
        assert row.about.title
        assert row.about.help.endswith(".")
        assert "\n" not in row.about.help
        assert bool(row.choices) == (row.kind in ("choice", "text"))
        assert bool(row.about.unset) == row.optional, "what None means is said where None can be"


def test_titles_tell_settings_apart():
    assert len({row.about.title for row in ROWS.values()}) == len(ROWS)


def test_kinds_follow_the_types():
    assert (ROWS["grounding.frames"].kind, ROWS["grounding.frames"].optional) == ("int", True)
    assert (ROWS["tracking.tau_pq"].kind, ROWS["tracking.tau_pq"].optional) == ("float", False)
    assert ROWS["tracking.penalty"].kind == "bool"
    assert ROWS["grounding.rollout"].choices == ("vmax", "max", "plain")
    prompt = ROWS["grounding.background_prompt"]
    assert (prompt.kind, prompt.optional) == ("text", False)
    assert prompt.choices == ("paper", "no-category", "single-sentence", "expression-only")


@pytest.mark.parametrize("preset", PRESETS)
def test_defaults_are_the_presets_and_come_back_from_text(preset):
    standing = PRESETS[preset]
    rows = setting_rows(preset)
    assert all(row.default == value_of(standing, row.name) for row in rows)
    assert Settings().changed({row.name: as_text(row.default) for row in rows}) == standing


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_ranges_are_accepted_to_their_ends_and_no_further(row):
    ends = [end for end in (row.about.low, row.about.high) if end is not None]
    for end in ends:
        assert value_of(Settings().changed({row.name: f"{end:g}"}), row.name) == end
    if row.room == "memory" or not ends:
        return
    for beyond in (row.about.low - 1, row.about.high + 1 if row.about.high is not None else -1):
        with pytest.raises(BadInput):
            Settings().changed({row.name: f"{beyond:g}"})


def test_every_choice_is_accepted():
    for row in ROWS.values():
        for choice in row.choices:
            assert value_of(Settings().changed({row.name: choice}), row.name) == choice
