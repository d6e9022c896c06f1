"""The `decaf-gui` command: every capability without a window.

Nothing heavy is imported before a command runs, so that `--help` answers at once. Errors are one line on stderr;
exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from decaf_gui import __version__
from decaf_gui.core.errors import BadInput, DecafError

app = typer.Typer(
    name="decaf-gui",
    help="Find objects in video by language, track them with SAM2, export masks as datasets. Alone: opens the window.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="The models: what there is, what is on this machine, downloads.", no_args_is_help=True)
app.add_typer(models_app, name="models")
project_app = typer.Typer(help="Projects: what is in them, whether they are whole.", no_args_is_help=True)
app.add_typer(project_app, name="project")
steer_app = typer.Typer(help="Soft prompts that steer the MLLM's attention (SteerSeg).", no_args_is_help=True)
app.add_typer(steer_app, name="steer")
log = logging.getLogger("decaf_gui.cli")


@dataclass
class Spoken:
    """What stands before the command's name."""

    verbose: bool = False
    debug: bool = False


spoken = Spoken()

Json = Annotated[bool, typer.Option("--json", help="Print events and results as JSON lines on standard output.")]
Mllm = Annotated[str, typer.Option("--mllm", help="Multimodal LLM: an id from `models list`, or a folder.")]
Sam = Annotated[str, typer.Option("--sam", help="SAM2: an id from `models list`, a .pt or a folder.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, mps, or auto.")]
Dtype = Annotated[
    str, typer.Option("--dtype", help="The multimodal LLM's precision: auto, float32, bfloat16, float16, 8bit, 4bit.")
]
Preset = Annotated[
    str, typer.Option("--preset", help="paper (the released code), paper-text (the equations) or steerseg.")
]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting; repeatable.")]
ProjectFile = Annotated[Path, typer.Argument(metavar="FILE", help="A .decaf file.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that are already there.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"decaf-gui {__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log to stderr too.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log everything; show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Options of every command."""
    from decaf_gui.pipeline.logs import start_logging

    spoken.verbose, spoken.debug = verbose, debug
    start_logging(verbose=verbose, debug=debug)
    log.info("decaf-gui %s: %s", __version__, " ".join(sys.argv[1:]))
    if context.invoked_subcommand is None:
        from decaf_gui.app.main import open_window

        raise typer.Exit(open_window())


@app.command()
def propose(
    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="A video file or a folder of images.")],
    expressions: Annotated[list[str], typer.Argument(metavar="EXPRESSION", help="What to look for.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results.")] = None,
    project: Annotated[
        Path | None, typer.Option("--project", help="Keep all candidates in this project, made when it is new.")
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="Repeatable; `formats` lists them.")
    ] = None,
    mllm: Mllm = "demo",
    sam: Sam = "demo",
    device: Device = "auto",
    dtype: Dtype = "auto",
    preset: Preset = "paper",
    settings: Set = None,
    overwrite: Overwrite = False,
    attributes: Annotated[
        list[str] | None,
        typer.Option("--attributes", metavar="TEXT", help='"red; moves left"; once for each expression, in order.'),
    ] = None,
    attention: Annotated[
        bool, typer.Option("--attention", help="Also write the attention's own masks (Otsu, no SAM2) and its maps.")
    ] = False,
    accept_damage: Annotated[
        bool, typer.Option("--accept-damage", help="Use what can be read of a video that ends too early.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Propose masks for what the expressions describe; write them as labels, or keep them in a project for review."""
    from decaf_gui.commands import ProposeRun, run_propose

    chosen = tuple(formats) if formats else ("davis",)
    job = ProposeRun(
        clip,
        tuple(expressions),
        out,
        chosen,
        mllm=mllm,
        sam=sam,
        device=device,
        preset=preset,
        values=_assignments(settings),
        overwrite=overwrite,
        accept_damage=accept_damage,
        project=project,
        dtype=dtype,
        attention=attention,
        attributes=tuple(attributes or ()),
    )
    run_propose(job, as_json=as_json)


@app.command()
def demo(
    write: Annotated[Path | None, typer.Option("--write", help="Write demo clips with ground truth here.")] = None,
    evaluate: Annotated[bool, typer.Option("--evaluate", help="Score the demo models beside their targets.")] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the demo run's results.")] = Path("decaf-demo"),
    seed: Annotated[int | None, typer.Option("--seed", help="A clip of this seed, not a scene.")] = None,
    clips: Annotated[int | None, typer.Option("--clips", min=1, help="How many clips.")] = None,
    level: Annotated[str | None, typer.Option("--level", help="kind (default), medium, hard or lookalikes.")] = None,
    frames: Annotated[int | None, typer.Option("--frames", min=1, help="Frames of each clip; else 24.")] = None,
    scenes: Annotated[bool, typer.Option("--scenes", help="With --write: the scenes that the window shows.")] = False,
    as_frames: Annotated[bool, typer.Option("--as-frames", help="With --write: frame folders, not mp4.")] = False,
    headless: Annotated[bool, typer.Option("--headless", help="No window: run the job and say how it went.")] = False,
    device: Device = "auto",
    as_json: Json = False,
) -> int:
    """Open the demo in a window (where there is no display: run it without one); write such clips; score the models."""
    from decaf_gui import commands

    directed = seed is None and level is None and frames is None
    seed, level, frames = 3 if seed is None else seed, level or "kind", frames or 24
    if write is not None and scenes:
        commands.write_demo_scenes(write, video=not as_frames, as_json=as_json)
    elif write is not None:
        commands.write_demo_clips(write, seed, clips or 4, level, frames, video=not as_frames, as_json=as_json)
    elif evaluate:
        commands.evaluate_demo(seed, clips, level, frames, device, as_json=as_json)
    else:
        from decaf_gui.app.display import screen_problem

        problem = "" if headless or as_json else screen_problem()
        if headless or as_json or problem:
            if problem:
                sys.stderr.write(f"No window can be shown here: {problem} Running without one.\n")
            commands.run_demo(out, None if directed else (seed, level, frames), device, as_json=as_json)
        else:
            from decaf_gui.app.main import open_window

            return open_window(demo=out, device=None if device == "auto" else device)
    return 0


@app.command("open")
def open_(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="A project (.decaf), clips (videos, folders of images), or a pre-labelled set."),
    ] = None,
    project: Annotated[
        Path | None, typer.Option("--project", help="The project for the clips; else it lies beside the first one.")
    ] = None,
    mllm: Annotated[str | None, typer.Option("--mllm", help="Id from `models list`, hub id, or folder.")] = None,
    sam: Annotated[str | None, typer.Option("--sam", help="Id from `models list`, .pt file, or folder.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1, mps, or auto.")] = None,
    dtype: Annotated[str | None, typer.Option("--dtype", help="As the settings name it; `propose` lists them.")] = None,
) -> int:
    """Review clips in a window; `decaf-gui CLIP` does the same, and `decaf-gui` alone shows the first page."""
    from decaf_gui.app.main import open_window

    return open_window(paths or [], project, mllm=mllm, sam=sam, device=device, dtype=dtype)


@app.command()
def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/settings.md has it.")] = False,
    keys: Annotated[bool, typer.Option("--keys", help="The window's keys and mouse, as in docs/keys.md.")] = False,
    as_json: Json = False,
) -> None:
    """What can be set: the papers' settings with names and defaults (--set), and the window's."""
    from decaf_gui import commands

    commands.list_settings(markdown=markdown, keys=keys, as_json=as_json)


@app.command()
def evaluate(
    dataset: Annotated[
        str, typer.Argument(help="shapes, ref-davis, ref-youtube-vos, mevis, revos or reason-vos (docs/evaluation.md).")
    ],
    root: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Where the dataset lies, in its original layout.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for masks, scores and reports; a stopped run goes on in it.")
    ] = Path("decaf-evaluation"),
    splits: Annotated[list[str] | None, typer.Option("--split", help="Repeatable; else the first one.")] = None,
    methods: Annotated[list[str] | None, typer.Option("--method", help="decaf, attention-mask, tam...")] = None,
    predictions: Annotated[Path | None, typer.Option("--predictions", help="Score these masks; no model runs.")] = None,
    protocols: Annotated[
        list[str] | None, typer.Option("--as", metavar="NAME", help="A way of averaging; repeatable.")
    ] = None,
    mllm: Mllm = "demo",
    sam: Sam = "demo",
    device: Device = "auto",
    dtype: Dtype = "auto",
    preset: Preset = "paper",
    settings: Set = None,
    heads: Annotated[Path | None, typer.Option("--heads", help="Loc-Head's heads of the model.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "--clips", min=1, help="Only the first clips or videos.")
    ] = None,
    sheets: Annotated[int, typer.Option("--sheets", min=0, help="Expressions on the sheets of best and worst.")] = 8,
    each: Annotated[bool, typer.Option("--each", help="Show every expression.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Score a method, or masks that are there, on a dataset: J, F, J&F as its official evaluator averages them."""
    values = _assignments(settings)
    if dataset == "shapes":
        from decaf_gui.shapes_commands import ShapesRun, run_evaluate_shapes

        shapes = ShapesRun(out, limit, mllm, sam, device, preset, values, overwrite, heads)
        run_evaluate_shapes(shapes, methods or (), as_json=as_json)
        return 0
    from decaf_gui.evaluation_commands import EvaluateRun, run_evaluate

    if root is None:
        raise BadInput(f"Say where {dataset} lies: decaf-gui evaluate {dataset} FOLDER.")
    if len(methods or ()) > 1:
        raise BadInput("One method at a time, each with a folder of its own: --method NAME --out FOLDER.")
    run = EvaluateRun(
        dataset,
        root,
        out,
        splits=tuple(splits or ()),
        method=(methods or ["decaf"])[0],
        predictions=predictions,
        protocols=tuple(protocols or ()),
        mllm=mllm,
        sam=sam,
        device=device,
        preset=preset,
        values=values,
        heads=heads,
        limit=limit,
        sheets=sheets,
        each=each,
        dtype=dtype,
    )
    return run_evaluate(run, as_json=as_json)


@app.command()
def prelabel(
    source: Annotated[
        Path | None, typer.Argument(metavar="[SOURCE]", help="A folder of clips, or a dataset with expressions.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for projects, exports and the work list; a run goes on in it.")
    ] = Path("decaf-prelabels"),
    table: Annotated[
        Path | None, typer.Option("--table", help="CSV or JSON lines: clip, expression, label. Else SOURCE's own.")
    ] = None,
    expressions: Annotated[
        list[str] | None, typer.Option("--expression", "-e", help="Asked of every clip; repeatable.")
    ] = None,
    dataset: Annotated[
        str, typer.Option("--format", "-f", help="Which dataset SOURCE is: ref-davis, mevis... Else it is guessed.")
    ] = "",
    split: Annotated[str, typer.Option("--split", help="Of the dataset; else its first one.")] = "",
    exports: Annotated[
        list[str] | None, typer.Option("--export", help="Also write this format; repeatable; `formats` lists them.")
    ] = None,
    frames: Annotated[bool, typer.Option("--frames", help="Exports have the clips' frames, too.")] = False,
    mllm: Mllm = "demo",
    sam: Sam = "demo",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, mps, auto, or several: cuda:0,cuda:1.")] = "auto",
    dtype: Dtype = "auto",
    preset: Preset = "paper",
    settings: Set = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; else one per GPU or device named.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="Of each worker; else the cores shared out.")] = 0,
    ray: Annotated[
        str,
        typer.Option(
            "--ray", metavar="[ADDRESS]", help="Work on Ray: auto, host:port of a cluster; nothing: a Ray begun here."
        ),
    ] = "",
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Tries of a clip when a worker dies.")] = 3,
    accept_damage: Annotated[
        bool, typer.Option("--accept-damage", help="Use what can be read of videos that end too early.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only show how far the work list in --out is.")] = False,
    as_json: Json = False,
) -> int:
    """Propose masks for a whole dataset: a project per clip, to be reviewed. A stopped run goes on where it was."""
    from decaf_gui.prelabel_commands import PrelabelRun, run_prelabel, show_status

    if status:
        show_status(out, as_json=as_json)
        return 0
    if source is None:
        raise BadInput("Say what to label: decaf-gui prelabel SOURCE --out FOLDER, or --status to look at a list.")
    run = PrelabelRun(
        source,
        out,
        table=table,
        expressions=tuple(expressions or ()),
        dataset=dataset,
        split=split,
        formats=tuple(exports or ()),
        frames=frames,
        mllm=mllm,
        sam=sam,
        device=device,
        dtype=dtype,
        preset=preset,
        values=_assignments(settings),
        workers=workers,
        threads=threads,
        ray=ray,
        attempts=attempts,
        accept_damage=accept_damage,
    )
    return run_prelabel(run, as_json=as_json)


@app.command()
def heads(
    pairs: Annotated[
        str, typer.Argument(help='shapes, or a file with lines such as {"image": "a.jpg", "text": "the dog"}.')
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file of the heads.")] = Path("heads.json"),
    mllm: Mllm = "demo",
    device: Device = "auto",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first pairs.")] = None,
    as_json: Json = False,
) -> None:
    """Find a model's localization heads for the baseline Loc-Head, from pictures with texts."""
    from decaf_gui.evaluation_commands import find_heads

    find_heads(pairs, out, mllm, device, limit, as_json=as_json)


@app.command()
def ablate(
    dataset: Annotated[str, typer.Argument(help="shapes: the clips whose masks are known.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the reports.")] = Path("decaf-shapes"),
    tables: Annotated[
        str,
        typer.Option("--tables", help="As in the paper: 4,5b; or steerseg. Else the paper's that fit the model."),
    ] = "",
    soft_prompts: Annotated[
        Path | None,
        typer.Option("--soft-prompts", help="For steerseg: a file, or a run's folder; else the model's own."),
    ] = None,
    clips: Annotated[int | None, typer.Option("--clips", min=1, help="Only the first of the 64 clips.")] = None,
    mllm: Mllm = "demo",
    sam: Sam = "demo",
    device: Device = "auto",
    preset: Preset = "paper",
    settings: Set = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Repeat tables 4 to 7 (10 to 12 with models that know other wordings), or set SteerSeg beside DecAF, on shapes."""
    from decaf_gui.shapes_commands import ShapesRun, run_ablate_shapes, run_steerseg_shapes

    if dataset != "shapes":
        raise BadInput(f'There are ablations of shapes, not of "{dataset}".')
    run = ShapesRun(out, clips, mllm, sam, device, preset, _assignments(settings), overwrite)
    names = [name.strip() for name in tables.split(",") if name.strip()]
    of_paper = [name for name in names if name != "steerseg"]
    if of_paper or not names:
        run_ablate_shapes(run, of_paper, as_json=as_json)
    if "steerseg" in names:
        run_steerseg_shapes(run, soft_prompts, as_json=as_json)


@project_app.command("show")
def project_show(file: ProjectFile, as_json: Json = False) -> None:
    """Clips, expressions and objects, and how far the review is."""
    from decaf_gui.project_commands import show_project

    show_project(file, as_json=as_json)


@project_app.command("check")
def project_check(file: ProjectFile, as_json: Json = False) -> None:
    """Whether the file is whole and its media are where they were; exit code 1 when not."""
    from decaf_gui.project_commands import check_project

    check_project(file, as_json=as_json)


@project_app.command("compact")
def project_compact(file: ProjectFile, as_json: Json = False) -> None:
    """Give unused room in the file back."""
    from decaf_gui.project_commands import compact_project

    compact_project(file, as_json=as_json)


@project_app.command("relink")
def project_relink(
    file: ProjectFile,
    clip: Annotated[int, typer.Argument(help="The clip's id, as `project show` lists it.")],
    media: Annotated[Path, typer.Argument(help="Where the video or folder lies now.")],
    as_json: Json = False,
) -> None:
    """Say where a clip lies now."""
    from decaf_gui.project_commands import relink_project

    relink_project(file, clip, media, as_json=as_json)


@app.command()
def export(
    file: ProjectFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the labels.")],
    formats: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="Repeatable; `formats` lists them.")
    ] = None,
    objects: Annotated[
        str, typer.Option("--objects", help="accepted, or all: also candidates that wait for a word.")
    ] = "accepted",
    frames: Annotated[bool, typer.Option("--frames", help="Write the clips' frames, too.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write the labels of a project's clips."""
    from decaf_gui.project_commands import export_project

    chosen = formats or ["davis"]
    export_project(file, chosen, out, objects, frames=frames, overwrite=overwrite, as_json=as_json)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A dataset's folder, or its JSON or text file.")],
    project: Annotated[Path, typer.Option("--project", help="The project for the labels, made when it is new.")],
    form: Annotated[str, typer.Option("--format", "-f", help="As `formats` lists them; else it is guessed.")] = "",
    clip: Annotated[
        Path | None, typer.Option("--clip", "--frames", help="The frames; else the dataset's own are taken.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="SEQ", help="Which clip of the dataset.")] = "",
    as_json: Json = False,
) -> None:
    """Read labels of a dataset into a project, to correct them."""
    from decaf_gui.project_commands import ImportRun, import_labels

    import_labels(ImportRun(source, project, form, clip, name), as_json=as_json)


@app.command()
def formats(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/formats.md has it.")] = False,
    as_json: Json = False,
) -> None:
    """What each format reads, writes, keeps and loses."""
    from decaf_gui.project_commands import list_formats

    list_formats(markdown=markdown, as_json=as_json)


@steer_app.command("train")
def steer_train(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="shapes, or the folder of a dataset laid out as Ref-YouTube-VOS is.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for prompts, checkpoint, log and curves.")],
    mllm: Mllm = "demo",
    device: Device = "auto",
    dtype: Dtype = "auto",
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Length of the run; shapes: 300.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="The same in rounds of a dataset: 1.")] = None,
    rate: Annotated[float, typer.Option("--rate", help="Learning rate at its highest.")] = 1e-3,
    prompts: Annotated[int, typer.Option("--prompts", min=1, help="Embeddings before each kind of input.")] = 64,
    accumulate: Annotated[
        int, typer.Option("--accumulate", "--batch", min=1, help="Samples of a step, one after another.")
    ] = 8,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Frames of a sample that are shown as images.")] = 2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the prompts' beginning and the samples' order.")] = 0,
    held: Annotated[int, typer.Option("--val", min=0, help="Clips that are held out and scored now and then.")] = 32,
    held_out_every: Annotated[int, typer.Option("--val-every", min=1, help="Steps between these scores.")] = 100,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="MiB of the rollout's attention at a time.")] = 64,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Learn soft prompts for a model from clips with expressions and masks; use them as the setting `steering`."""
    from decaf_gui.steer_commands import SteerRun, run_steer_train

    run = SteerRun(
        source,
        out,
        mllm,
        device,
        dtype,
        steps,
        epochs,
        rate,
        prompts,
        accumulate,
        frames,
        seed,
        held,
        held_out_every,
        chunk,
        resume,
        _assignments(settings),
    )
    run_steer_train(run, as_json=as_json)


@models_app.command("list")
def models_list(as_json: Json = False) -> None:
    """All known models: size, licence, whether they are on this machine."""
    from decaf_gui import commands

    commands.list_models(as_json=as_json)


@models_app.command("download")
def models_download(
    model: Annotated[str, typer.Argument(help="An id from `models list`.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Download a model, after its size and licence were shown."""
    from decaf_gui import commands

    commands.download_model(model, yes=yes, as_json=as_json)


@models_app.command("where")
def models_where(model: Annotated[str, typer.Argument(help="An id from `models list`, or a folder.")]) -> None:
    """Print the folder of a model on this machine."""
    from decaf_gui import commands

    commands.where_model(model)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this machine: what is installed, devices, memory, what is missing and how to mend it."""
    from decaf_gui import commands

    commands.examine_machine(as_json=as_json)


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="rollout, grounding, tracking, click, worker, canvas, decode, memory, annotator, prelabel, window, "
            "startup.",
        ),
    ] = None,
    paper_size: Annotated[
        bool, typer.Option("--paper-size", help="The paper's models and sizes, random weights; needs CUDA.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the results go, as JSON.")] = Path("decaf-bench.json"),
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads that torch computes with.")] = 2,
    clip: Annotated[Path | None, typer.Option("--clip", help="A video for `decode`; else one is generated.")] = None,
    clips: Annotated[int | None, typer.Option("--clips", min=1, help="Clips of `prelabel`; else 100.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: shows that it works, means little.")] = False,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Measure how fast this is, as ratios in one run. Without names: everything, some 20 minutes on two cores."""
    from decaf_gui import commands
    from decaf_gui.bench.results import Options

    options = Options(device, threads, quick, clip, clips)
    commands.run_benchmarks(names or [], options, out, paper_size=paper_size, as_json=as_json)


COMMANDS = frozenset(
    {entry.name or entry.callback.__name__ for entry in app.registered_commands if entry.callback is not None}
    | {group.name for group in app.registered_groups}
)
"""Everything that can stand where a path could."""


def _assignments(pairs: list[str] | None) -> dict[str, str]:
    """{"name": "value"} from "name=value" texts."""
    values: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise BadInput(f'--set wants NAME=VALUE, not "{pair}".')
        values[name.strip()] = value.strip()
    return values


def main() -> None:
    """The console script's entry: maps every outcome to an exit code and one line."""
    logging.getLogger("decaf_gui").addHandler(logging.NullHandler())  # until the log is open
    sys.exit(_guarded(lambda: app(with_address(with_command(sys.argv[1:])), standalone_mode=False)))


def with_command(words: list[str]) -> list[str]:
    """`open` before the first word that is no command but a path: `decaf-gui clip.mp4` opens it."""
    first = next((place for place, word in enumerate(words) if not word.startswith("-")), None)
    if first is None or words[first] in COMMANDS:
        return words
    path = Path(words[first])
    looks_like_one = path.suffix or path.exists() or os.sep in words[first]
    return [*words[:first], "open", *words[first:]] if looks_like_one else words


def with_address(words: list[str]) -> list[str]:
    """`local` after a `--ray` that says no address: what typer takes for options cannot leave its value out."""
    pairs = zip(words, [*words[1:], "-"], strict=True)
    return [said for word, after in pairs for said in _said(word, after)]


def _said(word: str, after: str) -> list[str]:
    return [word, "local"] if word == "--ray" and after.startswith("-") else [word]


def _guarded(command: Callable[[], Any]) -> int:
    """Runs a command: its exit code."""
    try:
        result = command()
        code = result if isinstance(result, int) else 0
        return _fail("interrupted", code) if code == 130 else code  # typer turns Ctrl+C into this code
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except typer.Exit as finished:
        return finished.exit_code
    except TyperException as error:  # an unknown option, a missing argument...
        return _usage(error)
    except DecafError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        return 1
    except Exception as error:  # the last resort of a command: a line for people, the rest in the log
        return _fail(f"{type(error).__name__}: {error} (run with --debug for the traceback)", 1)


def _usage(error: TyperException) -> int:
    """Wrong use of the command line: one line; nothing at all given: the help that typer has printed."""
    message = error.format_message()
    return _fail(message, 2) if message.strip() else 2


def _fail(message: str, code: int) -> int:
    log.error(message, exc_info=code != 130)
    if spoken.debug and code != 130:
        import traceback

        traceback.print_exc()
    sys.stderr.write(f"decaf-gui: {' '.join(message.split())}\n")
    return code


if __name__ == "__main__":
    main()
