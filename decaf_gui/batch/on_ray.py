"""Workers on a Ray cluster: actors that each own an engine and label one clip after another.

Ray places the actors, starts them and tells of their death; the work list stays the coordinator's. Ray runs whatever
it is sent: for trusted networks only.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decaf_gui import __version__
from decaf_gui.batch.labelling import Plan, new_engine, reports_of
from decaf_gui.batch.reports import Failed, Labelled, Report
from decaf_gui.batch.worklist import FILE, ClipWork
from decaf_gui.core.errors import BadInput, DecafError

if TYPE_CHECKING:
    from decaf_gui.pipeline.engine import Engine

log = logging.getLogger(__name__)
LOCAL = "local"
"""The address that means: a Ray on this machine, for this run only."""
AUTO = "auto"
"""The address that means: the Ray that this machine is a node of, or that RAY_ADDRESS names."""
CONNECT_SECONDS = 5.0
LOOK_SECONDS = 0.1
"""How often it is asked for reports. Ray itself could wait, but makes an exit of its own of what a signal raises."""
DEATHS = 3
"""A worker that died so often, one time after the other, before it had anything to report cannot work there."""
STORE_BYTES = 100 << 20
"""Ray's object store where we start it: only reports go through it."""
TOKENS = "(A cluster with tokens wants the same ~/.ray/auth_token here, and RAY_AUTH_MODE=token in the environment.)"
HOW = "Give the host:port of `ray start --head`, or nothing for a Ray on this machine alone."


@dataclass(frozen=True, slots=True)
class Place:
    """What a node of the cluster has."""

    cpus: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Crew:
    """How many actors, and what each asks for: CPUs for its threads, a GPU or none. `device` is torch's name there."""

    count: int
    threads: int
    gpus: int
    device: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What an actor says of its node: its name, the program's version there, whether the run's folder is to be seen."""

    node: str
    version: str
    folder: bool


@dataclass
class Worker:
    """An actor, what is awaited of it (what it sees, or a stream of reports), and the clip that it is at work on."""

    name: str
    actor: Any
    awaited: Any
    node: str = ""
    work: ClipWork | None = None
    deaths: int = 0


class Labeller:
    """What runs in an actor's process: an engine that stays, and clip after clip."""

    def __init__(self, name: str, plan: Plan, folder: str) -> None:
        self.name, self.plan, self.folder = name, plan, folder
        self.engine: Engine | None = None

    def look(self) -> Seen:
        """What is seen from here."""
        return Seen(socket.gethostname(), __version__, (self.plan.out / FILE).is_file())

    def label(self, work: ClipWork) -> Iterator[Report]:
        """Reports of one clip, the last `Labelled` or `Failed`. Raises BadInput for models that this node lacks."""
        if not work.media.exists():
            yield Failed(work.clip, self.name, f"{socket.gethostname()} does not see {work.media}.", again=True)
            return
        self.engine = self.engine or self._new_engine()
        yield from reports_of(self.engine, work, self.plan, self.name)

    def _new_engine(self) -> Engine:
        import torch

        with suppress(OSError):
            os.chdir(self.folder)  # paths of models mean here what they mean there
        torch.set_num_threads(self.plan.threads)
        return new_engine(self.plan)


def run_on_ray(
    works: Iterator[ClipWork], plan: Plan, workers: int, address: str = LOCAL
) -> Generator[Report, None, None]:
    """Labels the works with actors of a Ray cluster (0: one per GPU, else as many as CPUs allow); see `Runner`.

    `address`: "local" starts a Ray on this machine for this run; "auto" finds the one that runs here; host:port is a
    cluster's head, this machine one of its nodes. An actor gets a work when it has nothing to do, so none waits
    anywhere but in the list. Raises BadInput for an address where there is no Ray, more workers than there is room for,
    and nodes that lack the output folder, the models or this version of the program.
    """
    with _connected(address) as ray:
        crew = crew_of(_places(ray.nodes()), plan, workers)
        settled = replace(plan, out=plan.out.absolute(), threads=crew.threads, device=crew.device)
        hired: list[Worker] = []
        try:
            hired += [_hired(str(number + 1), crew, settled) for number in range(crew.count)]
            while hired:
                worker = _first_heard(hired)
                yield from _listen(worker, works, settled, crew, hired)
        finally:
            for worker in hired:
                ray.kill(worker.actor)


# --- the cluster -------------------------------------------------------------------------------------------------


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected; what was begun for it ends with it."""
    ray = _imported()
    started = {"include_dashboard": False, "object_store_memory": STORE_BYTES} if address == LOCAL else {}
    try:
        try:
            check_address(_meant(address))
            with _own_sigterm():
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **started)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            told = " ".join(str(error).split())
            raise BadInput(f"Ray ({address}) cannot be used: {told} {TOKENS}") from error
        yield ray
    finally:
        ray.shutdown()


def _meant(address: str) -> str:
    """What "auto" stands for. Raises ConnectionError when nothing is known of a Ray here."""
    if address != AUTO:
        return address
    from ray._private.services import canonicalize_bootstrap_address_or_die  # ray.init has no limit of time

    return str(canonicalize_bootstrap_address_or_die(address))


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """What SIGTERM does stays the program's to say: Ray would take it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _imported() -> Any:
    # What a node remarks (a worker died) would go to standard output, among the lines of --json.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "^")
    try:
        import ray
    except ImportError:
        raise BadInput("Ray is not installed: pip install 'decaf-gui[ray]'.") from None
    return ray


def check_address(address: str) -> None:
    """Raises BadInput where nobody answers: Ray itself would try for more than a minute, and end the program."""
    if address == LOCAL:
        return
    host, _, port = address.rpartition(":")
    if "://" in address:
        raise BadInput(f"{address}: Ray's client protocol has no streams of results. {HOW}")
    if not host or not port.isdecimal():
        raise BadInput(f"{address} is no address of a Ray cluster. {HOW}")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise BadInput(f"No Ray answers at {address} ({error}). {HOW}") from None


def _places(nodes: Sequence[Mapping[str, Any]]) -> list[Place]:
    has = [node["Resources"] for node in nodes if node["Alive"]]
    return [Place(int(found.get("CPU", 0)), int(found.get("GPU", 0))) for found in has]


def crew_of(places: Sequence[Place], plan: Plan, workers: int) -> Crew:
    """The actors of a run: as many as wanted (0: as fit), each with the most threads that this many can have.

    Raises BadInput when this many do not fit.
    """
    gpu = any(place.gpus for place in places) if plan.device == "auto" else plan.device.startswith("cuda")
    choices = [plan.threads] if plan.threads else range(max((place.cpus for place in places), default=1), 0, -1)
    most = _room(places, choices[-1], gpu)
    count = workers or most
    if not 0 < count <= most:
        what = f"{'one GPU and ' * gpu}{choices[-1]} CPU{'s' * (choices[-1] > 1)} each"
        raise BadInput(f"The Ray cluster has room for {most} workers with {what}, not for {max(count, 1)}.")
    threads = next(threads for threads in choices if _room(places, threads, gpu) >= count)
    device = "cuda" if gpu else "cpu" if plan.device == "auto" else plan.device
    return Crew(count, threads, int(gpu), device)


def _room(places: Sequence[Place], threads: int, gpu: bool) -> int:
    """How many actors with this many threads fit."""
    return sum(min(place.cpus // threads, place.gpus if gpu else place.cpus) for place in places)


# --- the actors --------------------------------------------------------------------------------------------------


def _hired(name: str, crew: Crew, plan: Plan) -> Worker:
    """A fresh actor. It does not restart by itself: it would not be asked again what it sees."""
    import ray

    kind: Any = ray.remote(Labeller).options(num_cpus=crew.threads, num_gpus=crew.gpus, max_restarts=0)
    actor = kind.remote(name, plan, str(Path.cwd()))
    return Worker(name, actor, actor.look.remote())


def _first_heard(hired: list[Worker]) -> Worker:
    """The next worker that has something to say, or died; it comes last in the next round."""
    import ray

    awaited = [worker.awaited for worker in hired]
    while not (ready := ray.wait(awaited, num_returns=1, timeout=0, fetch_local=False)[0]):
        time.sleep(LOOK_SECONDS)
    worker = next(worker for worker in hired if worker.awaited is ready[0])
    hired.remove(worker)
    hired.append(worker)
    return worker


def _listen(
    worker: Worker, works: Iterator[ClipWork], plan: Plan, crew: Crew, hired: list[Worker]
) -> Generator[Report, None, None]:
    """What a worker has to say. It gets its next work, or goes when there is none; a dead one is replaced."""
    import ray

    try:
        report = _heard(worker, plan)
    except ray.exceptions.RayError as error:
        yield from _replace(worker, error, plan, crew)
        return
    if isinstance(report, Labelled):  # it goes on while the coordinator writes this down
        _give(worker, works, hired)
    if report is not None:
        yield report
    if report is None or isinstance(report, Failed):  # a failed clip may be its own next one
        _give(worker, works, hired)


def _heard(worker: Worker, plan: Plan) -> Report | None:
    """The next report of a worker, None once it has looked about. Raises BadInput when it cannot work where it is."""
    import ray

    try:
        told: Report | Seen = ray.get(worker.awaited if worker.work is None else next(worker.awaited))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DecafError):
            raise error.cause from None
        raise
    if isinstance(told, Seen):
        check_seen(told, plan)
        worker.node = told.node
        return None
    worker.deaths = 0
    return told


def check_seen(seen: Seen, plan: Plan) -> None:
    """Raises BadInput for a node where this run cannot be."""
    if seen.version != __version__:
        rule = "install the same on all nodes"
        raise BadInput(f"{seen.node} has decaf-gui {seen.version}, this machine {__version__}: {rule}.")
    if not seen.folder:
        rule = "it must lie, as the clips, on storage that all nodes have"
        raise BadInput(f"{seen.node} does not see {plan.out}: {rule}.")


def _give(worker: Worker, works: Iterator[ClipWork], hired: list[Worker]) -> None:
    """The next work for a worker; without one it goes."""
    import ray

    worker.work = next(works, None)
    if worker.work is None:
        hired.remove(worker)
        ray.kill(worker.actor)
    else:
        worker.awaited = worker.actor.label.remote(worker.work)


def _replace(worker: Worker, error: Exception, plan: Plan, crew: Crew) -> Iterator[Report]:
    """A fresh actor for one that died, and the failure of its clip. Raises DecafError when none comes to work."""
    import ray

    log.warning("worker %s on %s: %s", worker.name, worker.node, error)
    if worker.deaths + 1 == DEATHS:
        raise DecafError(f"Workers cannot start on the Ray cluster: {_line(error)}")
    ray.kill(worker.actor)  # also one that only cannot be reached: two must not work on one clip
    failed, node = worker.work, worker.node
    fresh = _hired(worker.name, crew, plan)
    worker.actor, worker.awaited, worker.work, worker.deaths = fresh.actor, fresh.awaited, None, worker.deaths + 1
    if failed is not None:
        why = "out of memory" if isinstance(error, ray.exceptions.OutOfMemoryError) else "its process ended"
        yield Failed(failed.clip, worker.name, f"Worker {worker.name} on {node} died: {why}.", again=True)


def _line(error: Exception) -> str:
    """The last line of what an error says, which with Ray is its core."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__).strip()
