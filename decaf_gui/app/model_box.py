"""One model of the settings: which one, what it is and needs, whether it is here, and its download."""

from __future__ import annotations

import json
import shutil
from html import escape

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.downloads import Download, Downloads
from decaf_gui.app.pages import paint_text, quiet, tip
from decaf_gui.app.preferences import PREFERENCES
from decaf_gui.app.settings_help import size_words
from decaf_gui.app.translation import tr
from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.fetching import SPARE_BYTES, cache_folder, existing_parent
from decaf_gui.pipeline.models import CARDS, MIB, InputDefaults, Kind, ModelCard, card_of, expected_memory, locate
from decaf_gui.pipeline.settings import GIB

STEPS = 1000


def free_disk() -> int:
    """Bytes that are free where downloads go."""
    return shutil.disk_usage(existing_parent(cache_folder())).free


def memory_words(size: int) -> str:
    """Bytes of memory."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"


def tokens_of(shown: InputDefaults) -> int:
    """Visual tokens of one clip's inputs: the video, two frames to a token, and every frame at its own scale."""
    return -(-shown.frames // 2) * shown.video_tokens + shown.frames * shown.video_tokens * shown.frame_scale**2


class ModelBox(QGroupBox):
    """Chooses a model of one kind. `changed` when another one is written."""

    changed = Signal()

    def __init__(self, kind: Kind, downloads: Downloads, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        about = PREFERENCES[kind].about
        self.setTitle(tr(about.title))
        self.kind, self.downloads = kind, downloads
        self.card: ModelCard | None = None
        self._problem, self._number_bytes = "", 2
        self.field = QComboBox()
        self.field.setEditable(True)
        self.field.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.field.addItems([card.id for card in CARDS if card.kind == kind])
        self.field.setToolTip(tip(tr(about.help)))
        self.field.setAccessibleName(tr(about.title))
        self.field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.browse = QPushButton(self.tr("Browse..."))
        self.facts = {name: QLabel() for name in ("here", "licence", "memory")}
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.fetch, self.cancel = QPushButton(), QPushButton(self.tr("Cancel"))
        kept = self.tr("Stopped downloads go on later: complete files are kept, the file in work starts anew.")
        for button in (self.fetch, self.cancel):
            button.setToolTip(tip(kept))
        self.bar, self.told = QProgressBar(), quiet()
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(False)
        self._arrange()
        self.field.editTextChanged.connect(self._on_text)
        self.browse.clicked.connect(self._browse)
        self.fetch.clicked.connect(self._fetch)
        self.cancel.clicked.connect(self._cancel)
        downloads.changed.connect(self._on_download)
        self._show_card()

    def _arrange(self) -> None:
        choice = QHBoxLayout()
        choice.addWidget(self.field, 1)
        choice.addWidget(self.browse)
        facts = QGridLayout()
        facts.setColumnStretch(1, 1)
        facts.setHorizontalSpacing(14)
        facts.setVerticalSpacing(3)
        titles = {"here": self.tr("Model"), "licence": self.tr("Licence"), "memory": self.tr("GPU memory")}
        self._names = {name: quiet(title, wrap=False) for name, title in titles.items()}
        for row, (name, label) in enumerate(self.facts.items()):
            label.setWordWrap(True)
            label.setOpenExternalLinks(True)
            facts.addWidget(self._names[name], row, 0)
            facts.addWidget(label, row, 1)
        work = QHBoxLayout()
        for widget, stretch in ((self.fetch, 0), (self.bar, 2), (self.told, 1), (self.cancel, 0)):
            work.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.addLayout(choice)
        column.addLayout(facts)
        column.addWidget(self.note)
        column.addLayout(work)
        column.addStretch(1)

    @property
    def id(self) -> str:
        """What is written."""
        return self.field.currentText().strip()

    def show_id(self, id: str) -> None:
        """Writes a model's id."""
        self.field.setEditText(id)
        self._show_card()

    def show_precision(self, dtype: str) -> None:
        """Bytes of a number, for the memory that is needed."""
        self._number_bytes = 4 if dtype == "float32" else 2
        self._show_card()

    def problem(self) -> str:
        """Why this cannot be used; a model that has yet to be downloaded can be chosen."""
        return self._problem

    def _on_text(self, _: str) -> None:
        self._show_card()
        self.changed.emit()

    def _show_card(self) -> None:
        self._problem, self.card = "", None
        try:
            self.card = card_of(self.kind, self.id)
        except BadInput as error:
            self._problem = str(error)
        here = self.card is not None and locate(self.card) is not None
        if self.card is not None and not here and not self.card.hub:
            self._problem = self.tr("{0} holds no complete model: choose another place.").format(self.card.source)
        self._show_facts(here)
        self._show_download(here)

    def _show_facts(self, here: bool) -> None:
        card = self.card
        for name in self.facts:
            self.facts[name].setVisible(card is not None)
            self._names[name].setVisible(card is not None)
        self.note.setText(self._problem or (tr(card.note) if card is not None else ""))
        self.note.setVisible(bool(self.note.text()))
        paint_text(self.note, "wrong" if self._problem else "note")
        if card is None:
            return
        state = self.tr("is here") if here else self.tr("not on this machine")
        self.facts["here"].setText(f"<b>{escape(card.title)}</b> {state} ({escape(card.purpose)})")
        place = locate(card)
        self.facts["here"].setToolTip(tip(str(place)) if place is not None else "")
        self.facts["licence"].setText(self._licence(card))
        memory = self._memory(card)
        self.facts["memory"].setText(memory)
        self.facts["memory"].setVisible(bool(memory))
        self._names["memory"].setVisible(bool(memory))

    def _licence(self, card: ModelCard) -> str:
        if not card.hub:
            return escape(card.licence)
        page = f'<a href="https://huggingface.co/{escape(card.source)}">{self.tr("page on the hub")}</a>'
        return f"{escape(card.licence)} ({page})"

    def _memory(self, card: ModelCard) -> str:
        """What an MLLM needs: from its configuration when it is here, else at least its weights."""
        if card.kind != "mllm" or card.input is None:
            return ""
        place = locate(card)
        if place is not None:
            try:
                config = json.loads((place / "config.json").read_text(encoding="utf-8"))
                need = expected_memory(config, tokens_of(card.input), self._number_bytes)
            except (OSError, ValueError, BadInput):
                return self.tr("not known for this model")
            clip = need.total - need.weights
            words = self.tr("about {0}: {1} for the weights, {2} for one clip")
            return words.format(*map(memory_words, (need.total, need.weights, clip)))
        weights = card.size_bytes * self._number_bytes // 2
        if not weights:
            return self.tr("known when the model is here")
        return self.tr("about {0} for the weights, and more for each clip").format(memory_words(weights))

    def _show_download(self, here: bool) -> None:
        card = self.card
        download = self.downloads.of(card.id) if card is not None else None
        running = download is not None and download.running
        self.fetch.setVisible(card is not None and card.hub and not here and not running)
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
        self.cancel.setEnabled(running)
        self.told.setVisible(not self.fetch.isHidden() or running)
        paint_text(self.told, "")
        if card is None or self.told.isHidden():
            return
        if download is not None and running:
            self._show_progress(download)
        elif download is not None and download.error:
            self.told.setText(download.error)
            paint_text(self.told, "wrong")
            self.fetch.setText(self.tr("Try again"))
        else:
            self._offer(card)

    def _offer(self, card: ModelCard) -> None:
        size, free = card.size_bytes, free_disk()
        words = self.tr("Download {0}").format(size_words(size)) if size else self.tr("Download")
        self.fetch.setText(words)
        room = not size or size + SPARE_BYTES <= free
        self.fetch.setEnabled(room)
        if room:
            self.told.setText(self.tr("{0} are free on the disk of the model cache.").format(size_words(free)))
            return
        need = self.tr("{0} are needed, {1} are free in {2}: make room, or set HF_HOME to a folder on another disk.")
        self.told.setText(need.format(size_words(size + SPARE_BYTES), size_words(free), cache_folder()))
        paint_text(self.told, "wrong")

    def _show_progress(self, download: Download) -> None:
        done, total = download.done, download.total
        if not total:
            self.bar.setRange(0, 0)
            self.told.setText(self.tr("Asking the hub..."))
            return
        self.bar.setRange(0, STEPS)
        self.bar.setValue(STEPS * done // total)
        self.told.setText(self.tr("{0} of {1}").format(size_words(done), size_words(total)))

    def _fetch(self) -> None:
        if self.card is not None:
            self.downloads.start(self.card)
            self.cancel.setFocus()

    def _cancel(self) -> None:
        if self.card is not None:
            self.cancel.setEnabled(False)
            self.told.setText(self.tr("Stopping..."))
            self.downloads.cancel(self.card.id)

    def _on_download(self, id: str) -> None:
        if self.card is None or id != self.card.id:
            return
        download = self.downloads.of(id)
        if download is not None and download.running:
            stopping = not self.cancel.isHidden() and not self.cancel.isEnabled()
            if not stopping:
                self._show_download(here=False)
            return
        self._show_card()
        self.changed.emit()

    def _browse(self) -> None:
        if self.kind == "mllm":
            chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder of a multimodal LLM"), self.id)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, self.tr("Weights of SAM2"), self.id, "SAM2 (*.pt)")
        if chosen:
            self.field.setEditText(chosen)
