"""Texts in the person's language, by Qt's translations: ours lie in resources/translations, Qt's own come with it.

Widgets use `self.tr`, functions the `tr` of this module. Tables of texts (actions, settings) are data and know no Qt:
who shows them translates them.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from decaf_gui.core.resources import resource


def tr(text: str) -> str:
    """A text in the language of the program."""
    return QCoreApplication.translate("", text)


def install_translations(application: QCoreApplication, locale: QLocale | None = None) -> list[QTranslator]:
    """Has the program speak the language of a locale (the system's), as far as there are translations of it."""
    locale, found = locale or QLocale.system(), []
    own, qt = str(resource("translations")), QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    for name, folder in (("qtbase", qt), ("decaf_gui", own)):
        translator = QTranslator(application)
        if translator.load(locale, name, "_", folder):
            application.installTranslator(translator)
            found.append(translator)
    return found
