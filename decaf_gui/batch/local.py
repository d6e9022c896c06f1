"""Workers on this machine: processes that each own an engine and label one clip after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from decaf_gui.batch.labelling import Plan, failure_of, new_engine, reports_of
from decaf_gui.batch.reports import Failed, Labelled, Report
from decaf_gui.batch.worklist import ClipWork

if TYPE_CHECKING:
    from decaf_gui.pipeline.engine import Engine

STOP_SECONDS = 5.0
"""A worker that was told to end, and has not after this time, is killed."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process, the pipe to it, and the clip that it is at work on."""

    place: int
    process: SpawnProcess
    pipe: Connection
    work: ClipWork

    @property
    def name(self) -> str:
        """As reports call it: counted from 1."""
        return str(self.place + 1)


def run_local(works: Iterator[ClipWork], plan: Plan, workers: int) -> Generator[Report, None, None]:
    """Labels the works in this many processes (0: one per device); see `Runner`.

    A worker gets a work when it has nothing to do, so that none waits anywhere but in the list.
    """
    count = workers or crew_size(plan.devices)
    crew: dict[int, Worker] = {}
    try:
        for place, work in zip(range(count), works, strict=False):  # the range first: no work is taken in vain
            with _undisturbed():
                crew[place] = _hired(place, count, plan, work)
        while crew:
            for worker in _speaking(crew):
                report = _heard(worker)
                yield report
                if isinstance(report, Labelled | Failed):
                    _go_on(crew, worker, next(works, None), count, plan)
    finally:
        _dismiss(crew.values())


def crew_size(devices: Sequence[str]) -> int:
    """A worker for each device that is named; "auto" means each GPU, or one worker where there is none."""
    if tuple(devices) != ("auto",):
        return len(devices)
    import torch

    return max(1, torch.cuda.device_count())


def _speaking(crew: dict[int, Worker]) -> list[Worker]:
    """Those that have something to say, or died; waits until there are some."""
    ready = wait([worker.pipe for worker in crew.values()])
    return [worker for worker in crew.values() if worker.pipe in ready]


def _heard(worker: Worker) -> Report:
    """The next report of a worker; of a dead one, that it died."""
    try:
        report: Report = worker.pipe.recv()
        return report
    except (EOFError, OSError):
        worker.process.kill()
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        told = f"The worker's process died ({how}); out of memory, perhaps."
        return Failed(worker.work.clip, worker.name, told, again=True)


def _go_on(crew: dict[int, Worker], worker: Worker, work: ClipWork | None, count: int, plan: Plan) -> None:
    """Gives a worker its next work, or lets it go when there is none; a dead one is replaced."""
    if work is None:
        _dismiss([crew.pop(worker.place)])
    elif worker.process.is_alive():
        crew[worker.place] = Worker(worker.place, worker.process, worker.pipe, work)
        with suppress(OSError):  # it has just died: what it says next is that
            worker.pipe.send(work)
    else:
        worker.pipe.close()
        worker.process.close()
        with _undisturbed():
            crew[worker.place] = _hired(worker.place, count, plan, work)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Holds Ctrl+C and SIGTERM back while a process is started: a half-started one would complain with a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda which, _: told.append(which)) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if told:
            signal.raise_signal(told[0])


def _hired(place: int, count: int, plan: Plan, work: ClipWork) -> Worker:
    """A new process at work."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, place, count, plan), daemon=True)
    process.start()
    theirs.close()  # else nobody would hear that it died
    worker = Worker(place, process, ours, work)
    with suppress(OSError):
        ours.send(work)
    return worker


def _dismiss(workers: Iterable[Worker]) -> None:
    """Ends processes. What they had finished is recorded; what they were at is done again, from what was kept."""
    leaving = list(workers)
    for worker in leaving:
        worker.pipe.close()
        worker.process.terminate()
    for worker in leaving:
        worker.process.join(STOP_SECONDS)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.process.close()


# --- in the worker's process -----------------------------------------------------------------------------------


def _work(pipe: Connection, place: int, count: int, plan: Plan) -> None:
    """Labels what comes through the pipe until nothing more can come."""
    from decaf_gui.pipeline.logs import start_logging

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the coordinator, too, which then ends this
    threading.Thread(target=_die_with_parent, daemon=True).start()
    start_logging(verbose=False, debug=False)
    name, engine = str(place + 1), None
    with suppress(EOFError, OSError):
        while True:
            work: ClipWork = pipe.recv()
            try:
                engine = engine or _engine(place, count, plan)
            except Exception as error:  # a device or model that is not there
                pipe.send(failure_of(error, work.clip, name))
                continue
            for report in reports_of(engine, work, plan, name):
                pipe.send(report)


def _die_with_parent() -> None:
    """Ends this process with the coordinator's, however that ended: nobody could take the results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _engine(place: int, count: int, plan: Plan) -> Engine:
    """The engine of a worker, on its share of the devices and cores."""
    import cv2
    import torch

    threads = plan.threads or max(1, cores() // count)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    return new_engine(plan, device_of(plan.devices, place))


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_of(devices: Sequence[str], place: int) -> str:
    """A worker's device: they take turns; "auto" on a machine with several GPUs means one after the other.

    Raises BadInput for a device that is not there.
    """
    from decaf_gui.pipeline.engine import choose_device

    device = choose_device(devices[place % len(devices)])
    if device == "cuda":
        import torch

        return f"cuda:{place % torch.cuda.device_count()}"
    return device
