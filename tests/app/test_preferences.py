"""Preferences: kept sparsely, read back as they were, and never in the way of the program's start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from decaf_gui.app.actions import DEEDS, conflicts, deed_named
from decaf_gui.app.actions import PRESETS as KEY_PRESETS
from decaf_gui.app.preferences import (
    PREFERENCES,
    WORDS,
    Preferences,
    load_preferences,
    preferences_path,
    save_preferences,
)
from decaf_gui.app.settings_help import keys_markdown, settings_markdown
from decaf_gui.app.tools import EngineChoice, make_engine
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.pipeline.models import CARDS
from decaf_gui.pipeline.settings import PRESETS, setting_names

CHANGED = Preferences(
    sam="facebook/sam2.1-hiera-tiny",
    device="cuda:1",
    dtype="float16",
    preset="paper-text",
    values={"tracking.tau_pq": "0.7", "grounding.frames": "8"},
    theme="dark",
    mask_opacity=0.3,
    colours=("#ff0000", "#00ff00"),
    key_preset="cvat",
    keys={"next": ("Right",), "play": ()},
)


def test_what_is_saved_comes_back_and_only_that_is_written(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    save_preferences(CHANGED, path)
    assert load_preferences(path) == (CHANGED, "")
    written = json.loads(path.read_text())
    assert "mllm" not in written
    assert "attention_opacity" not in written
    assert [file.name for file in path.parent.iterdir()] == ["settings.json"]
    save_preferences(Preferences(), path)
    assert json.loads(path.read_text()) == {}


def test_without_a_file_all_is_default(tmp_path):
    assert load_preferences(tmp_path / "settings.json") == (Preferences(), "")


def test_the_environment_names_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DECAF_GUI_CONFIG", str(tmp_path))
    save_preferences(CHANGED)
    assert preferences_path() == tmp_path / "settings.json"
    assert load_preferences()[0] == CHANGED
    monkeypatch.delenv("DECAF_GUI_CONFIG")
    assert preferences_path().parts[-2:] == ("decaf-gui", "settings.json")


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"', "\udcff"])
def test_a_damaged_file_is_kept_beside_and_told_once(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    preferences, notice = load_preferences(path)
    assert preferences == Preferences()
    assert "damaged" in notice
    assert "\n" not in notice
    assert (tmp_path / "settings.broken.json").read_bytes() == before
    assert load_preferences(path) == (Preferences(), "")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"theme": "pink"}, "system, light, dark"),
        ({"mask_opacity": 2}, "from 0 to 1"),
        ({"mask_opacity": True}, "from 0 to 1"),
        ({"mask_opacity": float("nan")}, "from 0 to 1"),
        ({"colours": ["red"]}, "#e69f00"),
        ({"mllm": "nonsense"}, "nonsense"),
        ({"sam": "owner/other"}, "owner/other"),
        ({"device": "toaster"}, "toaster"),
        ({"device": 3}, "must be text"),
        ({"values": {"tracking.tau_pq": "high"}}, "tau_pq"),
        ({"values": {"tracking.tau_pq": "3"}}, "between 0 and 1"),
        ({"values": {"tracking.tau": "0.5"}}, "tracking.tau"),
        ({"values": [1]}, "values"),
        ({"keys": {"fly": ["F"]}}, "fly"),
        ({"keys": {"next": "F"}}, "list"),
        ({"keys": {"next": ["Home"]}}, "home"),
        ({"colour_of_the_sky": "blue"}, "colour_of_the_sky"),
    ],
)
def test_an_entry_that_does_not_fit_falls_back_alone(tmp_path, entry, said):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"attention_opacity": 0.5, **entry}))
    preferences, notice = load_preferences(path)
    assert preferences == Preferences(attention_opacity=0.5)
    assert said in notice
    assert "\n" not in notice
    assert json.loads((tmp_path / "settings.broken.json").read_text()).keys() == {"attention_opacity", *entry}


def test_of_many_entries_those_that_fit_stay(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"values": {"tracking.tau_pq": "0.7", "grounding.frames": "no"}}))
    assert load_preferences(path)[0] == Preferences(values={"tracking.tau_pq": "0.7"})


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DecafError, match="cannot be kept"):
        save_preferences(CHANGED, tmp_path / "file" / "settings.json")


def test_settings_are_the_preset_with_what_was_changed():
    settings = CHANGED.settings()
    assert settings.tracking.tau_pq == 0.7
    assert settings.grounding.frames == 8
    assert not settings.tracking.strict, "of the preset paper-text"
    assert CHANGED.engine_choice() == EngineChoice(
        "demo", "facebook/sam2.1-hiera-tiny", "cuda:1", settings, dtype="float16"
    )
    with pytest.raises(BadInput):
        Preferences(values={"tracking.tau_pq": "7"}).settings()


def test_the_precision_reaches_the_model():
    loaded = make_engine(EngineChoice(device="cpu", dtype="bfloat16")).mllm
    assert str(loaded.model.dtype) == "torch.bfloat16"


def test_keys_are_the_presets_with_ones_own():
    assert CHANGED.keys_of(deed_named("next")) == ("Right",)
    assert CHANGED.keys_of(deed_named("play")) == ()
    assert CHANGED.keys_of(deed_named("tool_box")) == ("W",)
    assert Preferences().keys_of(deed_named("tool_box")) == deed_named("tool_box").keys
    assert not conflicts({deed.name: Preferences().keys_of(deed) for deed in DEEDS})


def test_the_table_of_preferences_is_complete():
    assert set(WORDS) <= set(PREFERENCES)
    assert set(WORDS["preset"]) == set(PRESETS)
    for row in PREFERENCES.values():
        assert row.about.title
        assert row.about.help.endswith(".")
        assert not row.choices or row.default in row.choices


@pytest.mark.parametrize(
    ("page", "made", "option"), [("settings", settings_markdown, "--markdown"), ("keys", keys_markdown, "--keys")]
)
def test_the_help_in_the_docs_is_the_tables(page, made, option):
    written = Path(__file__).parents[2] / "docs" / f"{page}.md"
    told = f"renew it: uv run decaf-gui settings {option} > docs/{page}.md"
    assert written.read_text(encoding="utf-8") == made(), told


def test_the_help_names_everything():
    text = settings_markdown()
    for name in (*setting_names(), *(card.id for card in CARDS)):
        assert f"`{name}`" in text
    keys = keys_markdown()
    for deed in DEEDS:
        for preset in KEY_PRESETS:
            assert all(f"`{key}`" in keys for key in deed.keys_of(preset))
        assert f"| {deed.text} |" in keys


def test_preferences_and_help_need_neither_qt_nor_torch():
    script = (
        "import sys, decaf_gui.app.settings_help as h; h.settings_markdown();"
        "print(sorted({'PySide6', 'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
