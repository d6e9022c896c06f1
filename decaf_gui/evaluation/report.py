"""A run's results as rows: for a table, as CSV, as JSON; and the zip that a benchmark's server takes."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.evaluation.protocols import MEASURES, Line, Summary, bootstrap, mean_line, protocol_named
from decaf_gui.evaluation.run import Report, Run
from decaf_gui.evaluation.scoring import WORDS, Outcome

LEVELS = ("expression", "video", "kind", "turn", "split", "overall")
UNCOUNTED = "negative"
"""The kind of expressions that no mean counts (ReVOS)."""
COLUMNS = ("J&F", *MEASURES)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report. `measures` are in [0, 1], "J&F" first; `count` units (expressions or objects) are in it.

    `zeros` of them count 0 for want of a prediction, `left_out` more are in no mean; `note` says why, for people.
    """

    level: str
    protocol: str
    split: str
    video: str = ""
    expression: str = ""
    part: str = ""
    text: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    count: int = 0
    zeros: int = 0
    left_out: int = 0
    note: str = ""

    @property
    def cells(self) -> dict[str, Any]:
        """Flat, for CSV: one column per measure, empty where there is none."""
        flat = {f.name: getattr(self, f.name) for f in self.__dataclass_fields__.values() if f.name != "measures"}
        return flat | {name: self.measures.get(name, "") for name in COLUMNS}


def rows_of(reports: Sequence[Report], overall: Sequence[Summary] = ()) -> Iterator[Row]:
    """Every expression, every video (by the first protocol), and per protocol the parts, the splits and the whole."""
    for report in reports:
        yield from (_expression_row(outcome, report.split) for outcome in report.outcomes)
        yield from _video_rows(report)
        for summary in report.summaries:
            yield from (_line_row(line, summary.protocol, report.split) for line in summary.parts)
            yield _line_row(summary.total, summary.protocol, report.split)
    yield from (_line_row(summary.total, summary.protocol, "") for summary in overall)


def _expression_row(outcome: Outcome, split: str) -> Row:
    note = f"{WORDS[outcome.fault]}: {outcome.problem}" if outcome.fault else ""
    return Row(
        "expression",
        "",
        split,
        outcome.video,
        outcome.id,
        outcome.kind,
        outcome.text,
        _with_jf(outcome.measures),
        int(outcome.scored),
        note=note,
    )


def _video_rows(report: Report) -> Iterator[Row]:
    if not report.summaries:
        return
    protocol = protocol_named(report.summaries[0].protocol)
    for video in dict.fromkeys(outcome.video for outcome in report.outcomes):
        outcomes = [o for o in report.outcomes if o.video == video and o.kind != UNCOUNTED]
        if protocol.task is not None:
            line = protocol(outcomes, [o for o in report.objects if o.video == video]).total
        else:
            line = mean_line(protocol, "video", "", outcomes)
        yield _line_row(replace(line, level="video"), protocol.name, report.split, video)


def _line_row(line: Line, protocol: str, split: str, video: str = "") -> Row:
    note = f"{line.zeros} of {line.count} count 0: nothing was predicted" if line.zeros else ""
    left = f"{line.left_out} left out" if line.left_out else ""
    return Row(
        line.level,
        protocol,
        split,
        video,
        part=line.name,
        measures=_with_jf(line.measures),
        count=line.count,
        zeros=line.zeros,
        left_out=line.left_out,
        note="; ".join(filter(None, (note, left))),
    )


def _with_jf(measures: Mapping[str, float]) -> dict[str, float]:
    return {"J&F": (measures["J"] + measures["F"]) / 2, **measures} if measures else {}


def interval_of(report: Report) -> tuple[float, float] | None:
    """95 % of the bootstrapped means of J&F over the scored expressions; None where there are none."""
    values = [outcome.jf for outcome in report.outcomes if outcome.scored and outcome.kind != UNCOUNTED]
    return bootstrap(values) if values else None


def as_table(rows: Iterable[Row], levels: Sequence[str] = LEVELS[1:]) -> tuple[list[str], list[list[str]]]:
    """Column titles and cells for people: in percent, with those measures that occur."""
    chosen = [row for row in rows if row.level in levels]
    measures = [name for name in COLUMNS if any(name in row.measures for row in chosen)]
    titles = ["level", "name", "averaged as", *measures, "of", "note"]
    return titles, [
        [row.level, _name(row), row.protocol, *_percents(row, measures), str(row.count), row.note] for row in chosen
    ]


def _name(row: Row) -> str:
    """What a row is about; an expression with the beginning of its text."""
    if row.level == "expression":
        return f"{row.video} {row.expression}: {row.text[:40]}"
    return row.video or row.part or row.split or "all splits"


def _percents(row: Row, measures: Sequence[str]) -> list[str]:
    return [f"{100 * row.measures[name]:.2f}" if name in row.measures else "" for name in measures]


def as_csv(rows: Iterable[Row]) -> str:
    """All rows, values in [0, 1] with all their digits."""
    stream = io.StringIO(newline="")
    names = [name for name in Row.__dataclass_fields__ if name != "measures"]
    writer = csv.DictWriter(stream, [*names, *COLUMNS])
    writer.writeheader()
    writer.writerows(row.cells for row in rows)
    return stream.getvalue()


def as_data(rows: Iterable[Row], reports: Sequence[Report]) -> dict[str, Any]:
    """Plain data for JSON: what was run, what each protocol counts, every row, the intervals, and what failed."""
    protocols = dict.fromkeys(summary.protocol for report in reports for summary in report.summaries)
    return {
        "runs": [dict(report.made_by) for report in reports],
        "protocols": {name: protocol_named(name).counts for name in protocols},
        "rows": [asdict(row) for row in rows],
        "intervals": {report.split: interval_of(report) for report in reports},
        "failures": [{"split": report.split, **asdict(problem)} for report in reports for problem in report.failures],
    }


def write_reports(rows: Sequence[Row], reports: Sequence[Report], folder: Path) -> list[Path]:
    """report.csv and report.json, each written beside its place and renamed into it."""
    data = json.dumps(as_data(rows, reports), indent=1, ensure_ascii=False) + "\n"
    return [_written(folder / "report.csv", as_csv(rows)), _written(folder / "report.json", data)]


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, "utf-8", newline="")
    return beside.replace(path)


def write_submission(run: Run) -> Path:
    """`<run's folder>/submission.zip` with every mask of the split, as the benchmark's server wants them.

    Raises BadInput when a mask is missing: servers refuse what is not complete.
    """
    dataset = run.split.dataset
    path = run.folder / "submission.zip"
    beside = path.with_name(".submission.zip.new")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:  # PNGs are packed already
        for ask in run.split.asks:
            for frame in ask.frames:
                mask = ask.prediction_path(run.predictions, frame)
                if not mask.is_file():
                    raise BadInput(f"No submission was written: {mask} is missing.")
                archive.write(mask, "/".join(filter(None, (dataset.zip_top, ask.folder, f"{frame}.png"))))
    return beside.replace(path)
