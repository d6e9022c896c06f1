"""All dataset formats by name. To add one: a module with a `FORMAT`, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from decaf_gui.core.errors import BadInput
from decaf_gui.formats import coco, davis, davis_2016, mots, overlay, png_masks, predictions, youtube_vos, ytvis
from decaf_gui.formats.base import DAMAGE, Format
from decaf_gui.formats.rvos import mevis, reason_vos, ref_davis, ref_youtube_vos, revos

FORMATS: Mapping[str, Format] = {
    entry.name: entry
    for entry in (
        davis.FORMAT,
        davis_2016.FORMAT,
        youtube_vos.FORMAT,
        coco.FORMAT,
        ytvis.FORMAT,
        ytvis.COMPRESSED,
        ref_davis.FORMAT,
        ref_youtube_vos.FORMAT,
        mevis.FORMAT,
        revos.FORMAT,
        reason_vos.FORMAT,
        predictions.FORMAT,
        predictions.ONES,
        mots.FORMAT,
        png_masks.FORMAT,
        overlay.FORMAT,
    )
}


def format_named(name: str) -> Format:
    """The format called `name`. Raises BadInput, naming the known ones."""
    try:
        return FORMATS[name]
    except KeyError:
        raise BadInput(f'There is no format "{name}": choose among {", ".join(FORMATS)}.') from None


def guess(source: Path) -> list[Format]:
    """The formats that a folder or file looks like. Plain PNG masks are what is no other format."""
    if not source.exists():
        raise BadInput(f"There is no file or folder {source}.")
    found = [form for form in FORMATS.values() if _looks(form, source)]
    return [form for form in found if form is not png_masks.FORMAT] or found


def guessed(source: Path) -> Format:
    """The format that a folder or file has. Raises BadInput, naming them, when it could be several, or none."""
    found = guess(source)
    if not found:
        known = ", ".join(name for name, form in FORMATS.items() if form.reader is not None)
        raise BadInput(f"{source} looks like no format that is known here: say which one with --format ({known}).")
    if len(found) > 1:
        names = " or ".join(form.name for form in found)
        raise BadInput(f"{source} may be {names}: say which one with --format.")
    return found[0]


def _looks(form: Format, source: Path) -> bool:
    try:
        return form.looks(source)
    except (*DAMAGE, OSError, BadInput):
        return False
