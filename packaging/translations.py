"""The window's texts for translators, and their translations for Qt.

    uv run python packaging/translations.py de     # renews resources/translations/decaf_gui_de.ts, makes the .qm of it

What is not translated yet is shown in English. `uv run pyside6-linguist FILE.ts` edits translations.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from decaf_gui.app.actions import DEEDS, MENUS, MOUSE, PRESETS
from decaf_gui.app.preferences import PREFERENCES
from decaf_gui.pipeline.settings import setting_rows

FOLDER = Path("resources/translations")


def table_texts() -> list[str]:
    """The texts of the tables, which no tool finds in the code: actions, mouse, settings."""
    texts = [*MENUS, *PRESETS.values()]
    texts += [deed.text for deed in DEEDS]
    texts += [text for line in MOUSE for text in line]
    for row in PREFERENCES.values():
        texts += [row.about.title, row.about.help, *row.choices.values()]
    for setting in setting_rows():
        texts += [setting.about.title, setting.about.help]
    return list(dict.fromkeys(filter(None, texts)))


def renew(language: str) -> Path:
    """Brings a language's texts up to date; translations that there are stay. The .ts file's path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"decaf_gui_{language}.ts"
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder) / "tables.py"
        tables.write_text("".join(f"tr({text!r})\n" for text in table_texts()), encoding="utf-8")
        sources = [*sorted(Path("decaf_gui/app").glob("*.py")), tables]
        options = ["-no-obsolete", "-locations", "none", "-target-language", language]
        _run("pyside6-lupdate", *sources, *options, "-ts", target)
    return target


def release(path: Path) -> Path:
    """The file that Qt reads."""
    made = path.with_suffix(".qm")
    _run("pyside6-lrelease", path, "-qm", made)
    return made


def _run(name: str, *words: object) -> None:
    subprocess.run([Path(sys.executable).with_name(name), *map(str, words)], check=True)


if __name__ == "__main__":
    for language in sys.argv[1:] or ["de"]:
        print(release(renew(language)))  # noqa: T201
