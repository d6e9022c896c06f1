"""Datasets of referring and reasoning video segmentation by name. To add one: a file with a `DATASET`, a line here."""

from __future__ import annotations

from decaf_gui.core.errors import BadInput
from decaf_gui.formats.rvos import mevis, reason_vos, ref_davis, ref_youtube_vos, revos
from decaf_gui.formats.rvos.base import RvosDataset

DATASETS: dict[str, RvosDataset] = {
    entry.name: entry
    for entry in (
        ref_davis.DATASET,
        ref_youtube_vos.DATASET,
        mevis.DATASET,
        revos.DATASET,
        reason_vos.DATASET,
    )
}


def dataset_named(name: str) -> RvosDataset:
    """The dataset called `name`. Raises BadInput, naming the known ones."""
    try:
        return DATASETS[name]
    except KeyError:
        raise BadInput(f'There is no dataset "{name}": choose among {", ".join(DATASETS)}.') from None
