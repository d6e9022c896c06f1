"""The page of the models: the two models, the device, the precision, and what this machine has free."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from PySide6.QtWidgets import QComboBox, QFormLayout, QGroupBox, QVBoxLayout, QWidget

from decaf_gui.app.downloads import Downloads
from decaf_gui.app.model_box import ModelBox, free_disk
from decaf_gui.app.pages import Page, calm, quiet, scrolled, tip
from decaf_gui.app.preferences import PREFERENCES, Preferences
from decaf_gui.app.settings_help import size_words
from decaf_gui.app.translation import tr
from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.engine import check_device_name
from decaf_gui.pipeline.fetching import cache_folder
from decaf_gui.pipeline.settings import GIB


def loaded_cuda() -> Any:
    """torch.cuda where it is in use already; asking it any earlier would take seconds, and GPU memory of its own."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    try:
        return cuda if cuda is not None and cuda.is_initialized() else None
    except AttributeError:  # the worker's thread is importing it this moment
        return None


class ModelsPage(Page):
    """Which models run where."""

    names = ("mllm", "sam", "device", "dtype")

    def __init__(self, downloads: Downloads, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mllm, self.sam = ModelBox("mllm", downloads), ModelBox("sam", downloads)
        self.device, self.dtype = QComboBox(), QComboBox()
        self.device.setEditable(True)
        self.device.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.dtype_values = list(PREFERENCES["dtype"].choices)
        self.dtype.addItems([tr(words) for words in PREFERENCES["dtype"].choices.values()])
        self.free = quiet()
        machine = QGroupBox(self.tr("This machine"))
        form = QFormLayout(machine)
        for name, field in (("device", self.device), ("dtype", self.dtype)):
            form.addRow(tr(PREFERENCES[name].about.title), field)
            field.setToolTip(tip(tr(PREFERENCES[name].about.help)))
        form.addRow(self.tr("Free"), self.free)
        inside = QWidget()
        column = QVBoxLayout(inside)
        for part in (self.mllm, self.sam, machine):
            column.addWidget(part)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inside))
        calm(self)
        for box in (self.mllm, self.sam):
            box.changed.connect(self._on_model)
        self.device.editTextChanged.connect(self.changed)
        self.dtype.currentIndexChanged.connect(self._on_precision)

    def show_preferences(self, preferences: Preferences) -> None:
        """Fills the page."""
        self.mllm.show_id(preferences.mllm)
        self.sam.show_id(preferences.sam)
        self.device.clear()
        self.device.addItems(self._devices())
        self.device.setEditText(preferences.device)
        self.dtype.setCurrentIndex(self.dtype_values.index(preferences.dtype))
        self._tell_free()

    def chosen(self, preferences: Preferences) -> Preferences:
        """`preferences` with these models."""
        device, dtype = self.device.currentText().strip(), self.dtype_values[self.dtype.currentIndex()]
        return replace(preferences, mllm=self.mllm.id, sam=self.sam.id, device=device, dtype=dtype)

    def problem(self) -> str:
        """The first thing that cannot be used."""
        try:
            check_device_name(self.device.currentText().strip())
        except BadInput as error:
            return self.mllm.problem() or self.sam.problem() or str(error)
        return self.mllm.problem() or self.sam.problem()

    def _on_model(self) -> None:
        self._tell_free()
        self.changed.emit()

    def _on_precision(self, place: int) -> None:
        self.mllm.show_precision(self.dtype_values[place])
        self.changed.emit()

    def _devices(self) -> list[str]:
        cuda = loaded_cuda()
        count = int(cuda.device_count()) if cuda is not None else 1
        return ["auto", "cpu", "cuda", *(f"cuda:{index}" for index in range(count)), "mps"]

    def _tell_free(self) -> None:
        disk = self.tr("{0} on the disk of the model cache ({1})").format(size_words(free_disk()), cache_folder())
        cuda = loaded_cuda()
        if cuda is None:
            gpu = self.tr("GPU memory is not known until models are loaded on a GPU")
        else:
            free, total = cuda.mem_get_info()
            gpu = self.tr("{0:.1f} of {1:.1f} GiB of GPU memory").format(free / GIB, total / GIB)
        self.free.setText(f"{disk}\n{gpu}")
