"""Playback, diagnostics, icons, translation, bars: what is small and has no file of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget

from decaf_gui import __version__
from decaf_gui.app import icons
from decaf_gui.app.bars import Banner, ExpressionBar, WorkBar
from decaf_gui.app.diagnostics import diagnostics, memory_in_use
from decaf_gui.app.playback import Playback
from decaf_gui.app.receipt_bar import MOST, ReceiptBar
from decaf_gui.app.theme import DARK, LIGHT, Role, palette_of
from decaf_gui.app.translation import install_translations, tr
from decaf_gui.core.project.planning import Span

KEEP = Qt.KeyboardModifier.NoModifier


def test_playing_keeps_its_speed_and_waits_for_frames(qtbot):
    playback, asked, states = Playback(), [], []
    playback.frame.connect(asked.append)
    playback.changed.connect(states.append)
    playback.play(0, 40, 100.0)
    playback.ready = False
    qtbot.wait(120)
    assert asked == [0], "frames were asked for while one was awaited"
    playback.ready = True
    qtbot.waitUntil(lambda: not playback.playing)
    assert asked[-1] == 40
    assert asked[1] >= 10, "the time that went by is not made up for"
    assert asked == sorted(asked)
    assert states == [True, False]
    playback.play(40, 40, 100.0)
    assert asked[-1] == 0, "at the end it begins anew"
    playback.stop()


def test_diagnostics_tell_versions_memory_failure_and_log():
    text = diagnostics("demo on cpu", "Traceback: something")
    for part in (__version__, "demo on cpu", "Traceback: something", "torch ", "end of the log", "memory:"):
        assert part in text
    used, total = (float(word) for word in memory_in_use("cpu").removesuffix(" GB").split(" / "))
    assert 0 < used < total


def test_diagnostics_import_no_models():
    code = (
        "import sys; from decaf_gui.app.diagnostics import diagnostics; diagnostics('x'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("name", icons.STROKES)
def test_every_icon_has_lines_in_the_colour_of_buttons(name, qapp):
    image = icons.icon(name).pixmap(36, 36).toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    drawn = pixels[pixels[..., 3] > 200]
    assert len(drawn) > 20
    wanted = qapp.palette().buttonText().color().getRgb()[:3]
    assert np.abs(drawn[:, :3].astype(int) - wanted).max() <= 8


def test_icons_follow_the_colours(qapp, qtbot):
    root = QWidget()
    qtbot.addWidget(root)
    button = QToolButton(root)
    before = qapp.palette()
    try:
        icons.dress(button, "eye")
        first = button.icon().pixmap(36, 36).toImage()
        qapp.setPalette(palette_of(dark=before.buttonText().color().lightness() < 128))
        icons.redraw(root)
        assert button.icon().pixmap(36, 36).toImage() != first
    finally:
        qapp.setPalette(before)


def luminance(colour: str) -> float:
    parts = [channel / 255 for channel in QColor(colour).getRgb()[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        (Role.WindowText, Role.Window),
        (Role.Text, Role.Base),
        (Role.Text, Role.AlternateBase),
        (Role.ButtonText, Role.Button),
        (Role.PlaceholderText, Role.Window),
        (Role.PlaceholderText, Role.AlternateBase),
        (Role.HighlightedText, Role.Highlight),
        (Role.ToolTipText, Role.ToolTipBase),
    ],
)
def test_texts_are_readable_on_their_grounds(theme, text, ground):
    """WCAG 2.2, success criterion 1.4.3: a contrast of 4.5 to 1."""
    light, dark = sorted((luminance(theme[text]), luminance(theme[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_receipt_offers_the_longest_spans(qtbot):
    bar = ReceiptBar()
    qtbot.addWidget(bar)
    reverted = []
    bar.reverted.connect(lambda *what: reverted.append(what))
    spans = [(1, "dog", Span(10 * i, 10 * i + i)) for i in range(MOST + 2)]
    bar.show_receipt("Changed", spans)
    assert [button.text() for button in bar.buttons] == ["Revert 20-22", "Revert 30-33", "Revert 40-44", "Revert 50-55"]
    bar.buttons[1].click()
    assert reverted == [(1, Span(30, 33))]
    bar.show_receipt("", [])
    assert not bar.isVisibleTo(None)


def test_a_banner_offers_a_deed_once(qtbot):
    banner, done = Banner(), []
    qtbot.addWidget(banner)
    banner.tell("It broke.", ("Try again", lambda: done.append(1)), detail="trace")
    buttons = {button.text(): button for button in banner.findChildren(QPushButton)}
    assert not buttons["Copy diagnostics"].isHidden()
    buttons["Try again"].click()
    assert done == [1]
    assert banner.isHidden()
    banner.tell("It cannot be.")
    assert buttons["Copy diagnostics"].isHidden()
    assert banner.offer.isHidden()


def test_what_is_being_written_stays_while_expressions_come(qtbot):
    bar = ExpressionBar()
    qtbot.addWidget(bar)
    bar.show_expressions([(1, "one")], 1)
    assert bar.line.text() == "one"
    bar.line.setText("half an expr")
    bar.show_expressions([(1, "one"), (2, "two")], 1)
    assert bar.line.text() == "half an expr"
    bar.show_expressions([(1, "one"), (2, "two")], 2)
    assert bar.line.text() == "two"
    bar.show_expressions([], 0)
    assert bar.line.text() == ""


def test_the_work_bar_tells_work_and_news_beside_each_other(qtbot):
    bar = WorkBar()
    qtbot.addWidget(bar)
    bar.tell("Tracking, 3 of 10", 3, 10)
    bar.say("Changed: 3 frames")
    assert (bar.text.text(), bar.said.text(), bar.bar.value()) == ("Tracking, 3 of 10", "Changed: 3 frames", 3)
    bar.rest("Tracking: done")
    assert (bar.text.text(), bar.said.text(), bar.bar.isHidden()) == ("Tracking: done", "Changed: 3 frames", True)


def test_the_program_speaks_german_where_the_system_does(qapp, qtbot):
    from decaf_gui.app.start import StartPage

    translators = install_translations(qapp, QLocale(QLocale.Language.German))
    try:
        page = StartPage([])
        qtbot.addWidget(page)
        assert page.hint.text().startswith("Hier erscheinen Projekte")
        assert tr("Next frame") != "Next frame"
    finally:
        for translator in translators:
            qapp.removeTranslator(translator)
    assert tr("Next frame") == "Next frame"


def test_all_texts_are_translated(tmp_path, monkeypatch):
    """Nothing is forgotten when texts change: `uv run python packaging/translations.py de` renews them."""
    root = Path(__file__).parents[2]
    spec = spec_from_file_location("translations", root / "packaging/translations.py")
    translations = module_from_spec(spec)
    spec.loader.exec_module(translations)
    shutil.copy(root / "resources/translations/decaf_gui_de.ts", tmp_path)
    monkeypatch.setattr(translations, "FOLDER", tmp_path)
    monkeypatch.chdir(root)
    renewed = translations.renew("de").read_text(encoding="utf-8")
    assert 'type="unfinished"' not in renewed
    assert renewed.count("<message>") > 400
