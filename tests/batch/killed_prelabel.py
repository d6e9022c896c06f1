"""A pre-labelling run without models, to be killed: `killed_prelabel.py SOURCE OUT`. Says every event's name."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

from quick_engine import QuickEngine

from decaf_gui.batch.labelling import Plan, reports_of
from decaf_gui.batch.prelabelling import prelabel
from decaf_gui.batch.reports import Report
from decaf_gui.batch.sources import read_source
from decaf_gui.batch.worklist import ClipWork, WorkList

FORMATS = ("davis", "ytvis", "coco")


def run_here(works: Iterator[ClipWork], plan: Plan, workers: int) -> Generator[Report, None, None]:
    """A runner in this process."""
    engine = QuickEngine()
    for work in works:
        yield from reports_of(engine, work, plan, "1")


def main(source: Path, out: Path) -> None:
    with WorkList.begin(out, {"source": str(source)}) as worklist:
        worklist.add(read_source(source).clips)
        for event in prelabel(worklist, run_here, Plan(out, FORMATS)):
            sys.stdout.write(f"{type(event).__name__}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
