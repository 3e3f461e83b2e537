"""A host's session with Faceplate's engine: ask for jobs, follow and cancel them, show consent, verify results.

Standard library only, and nothing waits: hosts load this file, with `client.py` beside it, into their own Python.
A host adds menus, its own nodes or clips, and a place for results; docs/new-host.md shows a whole one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from .client import Client

T = TypeVar("T")
Steps = Generator[None, None, T]  # work in short steps: it yields where it would wait
Job = dict[str, Any]  # as the engine describes it
Listener = Callable[[Job], object]
Ask = tuple[str, dict[str, Any]]  # a kind of job and its request

LOST = "lost"  # the state of a job whose engine has gone: it goes on when there is one again
ACTIVE = ("queued", "running", LOST)
FORBIDDEN = 10  # exit status of a job that consent forbids
NOT_INTACT = 11  # status in a result of the job `credentials`: changed, or stripped of what was signed
_EVERY, _AT_FIRST = 0.1, 0.01  # seconds between two calls of `pump`; a job that has just begun may be a preview
_AT_ONCE = {"preview": 1.0}  # seconds for which the engine may hold back its answer: these jobs are that short
_SHOWN = 20  # jobs
_PAUSE = 3.0  # seconds after which a use that was not allowed is asked again


@cache
def _api() -> Any:
    """The client, imported when it is first needed: HTTP takes a twentieth of a second, which a host's start must not wait for."""
    from . import client

    return client


@dataclass(frozen=True, slots=True)
class EngineState:
    """How the engine stands, for a panel. jobs: those that this session asked for, newest first. message, remedy: the last error."""

    engine: Literal["unknown", "running", "stopped", "other version", "refused"] = "unknown"
    version: str = ""
    page: str = ""
    message: str = ""
    remedy: str = ""
    jobs: tuple[Job, ...] = ()


@dataclass(slots=True)
class Ticket:
    """A job that was asked for. id: the engine's, None until it has answered."""

    kind: str
    id: str | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        """Ask for its end; its listeners hear when it has come."""
        self.cancelled = True


class Session:
    """One host's session. A host with a loop of its own calls `pump` by a timer; a script calls what says that it waits.

    python: names the interpreter of Faceplate's environment, None where that is not known. version: the host's own, refused by an engine of another;
    empty for any. wake: is called when `pump` is needed again. redraw: when what is shown has changed.
    """

    def __init__(
        self,
        python: Callable[[], str | None],
        version: str = "",
        *,
        wake: Callable[[], object] = lambda: None,
        redraw: Callable[[], object] = lambda: None,
    ) -> None:
        self._python, self.version, self._wake, self._redraw = python, version, wake, redraw
        self._tasks: list[Callable[[], bool]] = []
        self._begun = 0.0  # when the latest was begun
        self._tickets: list[Ticket] = []
        self.state = EngineState()

    # ---- steps

    def run(self, steps: Steps[T], on_end: Callable[[T], object] = lambda _: None) -> None:
        """Do the first step now, and the others in `pump`. on_end: is given what they come to, never before this has returned."""
        self._begun = time.monotonic()
        ended: list[T] = []

        def step() -> bool:
            try:
                next(steps)
            except StopIteration as end:
                ended.append(end.value)
            return bool(ended)

        def task() -> bool:
            if ended or step():
                on_end(ended[0])
                return True
            return False

        step()
        self._tasks.append(task)
        self._wake()

    def pump(self) -> float | None:
        """Go on with all that is under way. Returns the seconds until the next call, None if nothing is left."""
        for task in list(self._tasks):
            self._tasks.remove(task)
            if task():
                self._redraw()
            else:
                self._tasks.append(task)
        if not self._tasks:
            return None
        return _AT_FIRST if time.monotonic() < self._begun + 1 else _EVERY

    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._tasks)

    def close(self) -> None:
        """Forget all that is under way; the engine and its jobs go on."""
        self._tasks.clear()
        self._tickets.clear()
        self.state = EngineState()

    # ---- the engine

    def start(self, on_end: Callable[[], object] = lambda: None) -> None:
        """Start the engine unless it runs; `state` says what came of it."""

        def steps() -> Steps[None]:
            with suppress(_api().EngineError):
                yield from self._started()

        self.run(steps(), lambda _: on_end())

    def refresh(self) -> None:
        """Look whether the engine runs; `state` says what was found."""
        self.run(self._looked())

    def look(self) -> Client | None:
        """The engine that runs, or None, and `state` why. This waits."""
        return waited(self._looked())

    def engine(self) -> Client:
        """The engine, started if there is none. This waits. Raises EngineError."""
        return waited(self._started())

    def _looked(self) -> Steps[Client | None]:
        client, self.state = yield from self._find()
        return client

    def _find(self) -> Steps[tuple[Client | None, EngineState]]:
        """The engine that runs, or None; and the state to note."""
        address, unknown = None, replace(self.state, version="", page="", message="", remedy="")
        try:
            address = _api().read_address(_api().state_folder())
            if address is None:
                raise _api().EngineGone("the engine is not running")
            client = _api().Client(address)
            status = yield from client.steps("GET", "/v1/status")
        except _api().EngineGone:
            stopped = "the engine is not running", "Press Start Engine"
            return None, replace(unknown, engine="stopped", message=stopped[0], remedy=stopped[1])
        except _api().EngineError as e:
            message, remedy = e.message, e.remedy or ""
            if e.status in (401, 403) and address is not None:
                message = "the engine does not know the token that lies in its file"
                remedy = f"End its process, {address.pid}, and press Start Engine"
            return None, replace(unknown, engine="refused", message=message, remedy=remedy)
        here = replace(unknown, engine="running", version=str(status["version"]), page=client.page)
        if self.version and here.version != self.version:
            message = f"the engine is Faceplate {here.version}, this extension {self.version}"
            remedy = "Install the extension again with install/blender.py, or stop the engine and press Start Engine"
            return None, replace(here, engine="other version", message=message, remedy=remedy)
        return client, here

    def _started(self) -> Steps[Client]:
        """The engine, started if there is none. Raises EngineError, which `state` holds too."""
        error, python = _api().EngineError, self._python()
        if client := (yield from self._looked()):
            return client
        try:
            if self.state.engine != "stopped":
                raise error(self.state.message, remedy=self.state.remedy)
            if python is None:
                raise error(
                    "the engine is not running, and where Faceplate is installed is not known",
                    remedy="Name its Python in the extension's preferences, or set FACEPLATE_PYTHON",
                )
            yield from _api().start(_api().state_folder(), python=python)
            if client := (yield from self._looked()):
                return client
            raise error(self.state.message, remedy=self.state.remedy)
        except error as e:
            self._note_error(e.message, e.remedy)
            raise

    # ---- jobs

    def submit(
        self,
        kind: str,
        request: dict[str, Any],
        *,
        then: Sequence[Ask] = (),
        on_change: Listener = lambda job: None,
        on_end: Listener = lambda job: None,
    ) -> Ticket:
        """Ask for a job, and return at once. The engine is started if there is none; while it is gone, the job waits for it.

        then: jobs that follow, each when the one before has finished. on_end: is given the last; one that the engine refuses is `failed`, its
        `error` with a message and a remedy, without an id.
        """
        ticket = Ticket(kind)
        self._tickets.append(ticket)

        def steps() -> Steps[Job]:
            job = yield from self._follow(ticket, request, on_change)
            for next_kind, next_request in then:
                if job["state"] != "finished":
                    break
                ticket.kind, ticket.id = next_kind, None
                job = yield from self._follow(ticket, next_request, on_change)
            return job

        def ended(job: Job) -> None:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
            if error := job.get("error"):
                self._note_error(error["message"], error.get("remedy"))
            on_end(job)

        self.run(steps(), ended)
        return ticket

    def ask(self, kind: str, request: dict[str, Any], on_end: Listener) -> None:
        """Ask an engine that runs something short, unseen by panels. Without an engine the job is a failed one, whose `error` says so."""

        def steps() -> Steps[Job]:
            yield  # a panel that asks while it is drawn must not wait
            try:
                client, state = yield from self._find()
                if client is None:
                    return _failed(kind, _api().EngineError(state.message, remedy=state.remedy))
                job: Job = yield from client.steps("POST", "/v1/jobs?wait=5", {"kind": kind, "request": request})
                while job["state"] not in _api().ENDED:
                    yield
                    job = yield from client.steps("GET", f"/v1/jobs/{job['id']}")
                return job
            except _api().EngineError as e:
                return _failed(kind, e)

        self.run(steps(), on_end)

    def do(self, kind: str, request: dict[str, Any], seconds: float | None = None) -> Job:
        """Ask for a job and wait until it has ended, or the time is over: for scripts. Raises EngineError."""
        client = self.engine()
        return client.wait(client.submit(kind, request)["id"], seconds)

    def tickets(self) -> tuple[Ticket, ...]:
        """The jobs that are under way, oldest first."""
        return tuple(self._tickets)

    def _follow(self, ticket: Ticket, request: dict[str, Any], on_change: Listener) -> Steps[Job]:
        """Ask for a job, and stay with it to its end, through the engine's too."""
        job: Job | None = None
        client: Client | None = None
        asked_to_end, rest = False, 0.02
        while True:
            try:
                if client is None:  # the first time it is started; what was lost later is the user's to start
                    client = yield from (self._started() if job is None else self._looked())
                if client is None:
                    if job is not None and ticket.cancelled:
                        return {**job, "state": "cancelled"}
                    yield from _pause(0.5, ticket)
                    continue
                last = job
                if job is None:
                    body = {"kind": ticket.kind, "request": request}
                    job = yield from client.steps("POST", f"/v1/jobs?wait={_AT_ONCE.get(ticket.kind, 0):g}", body)
                else:
                    job = yield from client.steps("GET", f"/v1/jobs/{job['id']}")
                ticket.id = job["id"]
                if ticket.cancelled and not asked_to_end and job["state"] not in _api().ENDED:
                    job, asked_to_end = (yield from client.steps("POST", f"/v1/jobs/{job['id']}/cancel")), True
            except _api().EngineGone:
                client = None
                if job is not None:
                    job = {**job, "state": LOST}
                    self._changed(job, on_change)
                yield
                continue
            except _api().EngineError as e:
                if e.status in (401, 403) and job is not None:
                    client = None
                    continue
                return _failed(ticket.kind, e)
            if job != last:
                rest = 0.02
                self._changed(job, on_change)
            if job["state"] in _api().ENDED:
                return job
            yield from _pause(rest, ticket if not asked_to_end else None)
            rest = min(rest * 1.5, 0.2)

    def _changed(self, job: Job, on_change: Listener) -> None:
        jobs = (job, *(known for known in self.state.jobs if known["id"] != job["id"]))
        self.state = replace(self.state, jobs=jobs[:_SHOWN])
        on_change(job)
        self._redraw()

    def _note_error(self, message: str, remedy: str | None) -> None:
        self.state = replace(self.state, message=message, remedy=remedy or "")


def waited(steps: Steps[T]) -> T:
    """Do all steps, and wait: for scripts."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        time.sleep(0.005)


def _pause(seconds: float, ticket: Ticket | None) -> Steps[None]:
    """Nothing for this long, or until a job is cancelled."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (ticket and ticket.cancelled):
        yield


def _failed(kind: str, error: Any) -> Job:
    """A job that the engine has refused, or was not there to take."""
    why = {"message": error.message, "remedy": error.remedy or ""}
    return {"id": None, "kind": kind, "title": "", "state": "failed", "error": why, "result": None}


def progress_of(job: Job) -> tuple[float, str]:
    """How far a job is, 0 to 1, and in words."""
    progress = job.get("progress") or {}
    if job["state"] == LOST:
        return 0.0, "The engine has gone: press Start Engine"
    if progress.get("total"):
        return progress["done"] / progress["total"], f"{progress['stage']} {progress['done']} of {progress['total']}"
    return 0.0, f"{job['kind']}: waiting" if job["state"] == "queued" else str(job["kind"])


# ---- the nodes' definitions


def parameters_of(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The parameters of a node as `faceplate nodes --json` defines it: name → JSON Schema, references resolved, `open` where null will do."""
    schema, fields = node["parameters"], {}
    for name, field in schema["properties"].items():
        kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
        refs = [schema["$defs"][each["$ref"].rpartition("/")[2]] for each in (field, *kinds) if "$ref" in each]
        more = {key: value for each in (*kinds, *refs) for key, value in each.items() if key != "description"}
        fields[name] = {**field, **more, "open": bool(kinds)}
    return fields


# ---- consent, in the engine's words


def consent_request(
    plate: str, source: str | None, near: Path | str, swap: Mapping[str, Any], *, train: bool = False
) -> dict[str, Any]:
    """The request of the job `performers`: whether a shot may be made, or a model be trained.

    near: where results go. swap: those of Swap's parameters on which it depends, with the traits `consent` or `per_shot`.
    """
    request = {"plate": plate, "near": str(near), "swap": dict(swap), "train": train}
    return request | ({"source": source} if source else {})


def forbidden(job: Job) -> bool:
    """Whether a job has failed for want of consent."""
    return (job.get("error") or {}).get("exit_status") == FORBIDDEN


def consent_sentences(
    job: Job, *, brief: bool = False
) -> Iterator[tuple[Literal["yes", "no", "unknown", "note"], str]]:
    """What a job `performers` says, a sentence each. brief: only who, until when and why not, not what to do about it."""
    answer, error = job.get("result"), job.get("error") or {}
    if not answer:
        text = ". ".join(filter(None, ("Consent: " + error.get("message", "not known"), error.get("remedy") or "")))
        yield ("no" if forbidden(job) else "unknown"), text
        return
    roles = answer["target"], answer["source"]
    if not answer["allowed"] and all(role["allowed"] for role in roles):  # the model forbids it
        yield "no", answer["said"]
        return
    said = {(role["why"] if brief and role["why"] else role["said"]): role["allowed"] for role in roles}
    for text, allowed in said.items():
        yield ("yes" if allowed else "no"), text
    if not answer.get("model_known", True):
        yield "note", "The model does not say whom it was trained on; results are marked so"


def consent_summary(answers: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[bool, str]:
    """Whether all of several clips may be made, and in words who may or may not, each sentence once. answers: (clip, result of `performers`)."""
    names: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
    for name, answer in answers:
        names[answer["allowed"]].setdefault(answer["said"], []).append(name)
    allowed = not names[False]
    return allowed, ". ".join(f"{', '.join(clips)}: {text}" for text, clips in names[allowed].items())


@dataclass(slots=True)
class ConsentAnswer:
    """When it was asked last, and the job that answered, None until one has."""

    asked: float = -math.inf
    job: Job | None = None

    @property
    def allowed(self) -> bool:
        """Whether the faces may be used so."""
        return bool(self.job and (self.job["result"] or {}).get("allowed"))

    def take(self, job: Job) -> None:
        """Note what was answered."""
        self.job = job


class ConsentMonitor:
    """Answers about consent for what a host shows: asked when it is looked at, and again as long as the use is not allowed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.answers: dict[str, ConsentAnswer] = {}

    def look(self, request: dict[str, Any]) -> ConsentAnswer:
        """The answer to a request of the job `performers`, as far as it is known."""
        answer = self.answers.setdefault(json.dumps(request, sort_keys=True), ConsentAnswer())
        if not answer.allowed and time.monotonic() - answer.asked > _PAUSE:
            answer.asked = time.monotonic()
            self._session.ask("performers", request, answer.take)
        return answer

    def again(self) -> None:
        """Ask all that is looked at anew."""
        self.answers.clear()

    def ended(self, job: Job) -> None:
        """Ask all anew where a job was refused."""
        if forbidden(job):
            self.again()


# ---- training


def training_jobs(
    out: Path,
    clips: Mapping[str, Sequence[tuple[str, str | None]]],
    swap: Mapping[str, Any],
    minutes: float,
    *,
    detect: Mapping[str, Any] | None = None,
    rate: str | None = None,
    model: str = "model",
) -> list[Ask]:
    """The jobs of a training, for `submit`: a faceset each of the source and of the target, then the model. What was trained before goes on.

    clips: footage by role, `source` and `target`, each with its frames `A-B`, None for all. swap: Swap's parameters, which name the performers.
    rate: of image sequences. model: the model's folder in `out`, beside those of the facesets.
    """
    by = {"consent": {name: swap[name] for name in ("project", "production") if swap.get(name)}}
    named = {role: swap.get(f"{role}_performer") for role in ("source", "target")}
    # A faceset is called after its performer where one is named, else after its footage; two must not be called alike.
    called = {role: named[role] or Path(clips[role][0][0].replace("\\", "/")).name.partition(".")[0] for role in named}
    if called["source"] == called["target"]:
        called = {role: f"{name} ({role})" for role, name in called.items()}
    jobs: list[Ask] = []
    for role, name in called.items():
        request: dict[str, Any] = {"clips": [path for path, _ in clips[role]], "performer": name, **by}
        request |= {"out": str(out / role), "detect": dict(detect or {})}
        if any(frames for _, frames in clips[role]):
            request["ranges"] = [frames for _, frames in clips[role]]
        request |= {"rate": rate} if rate else {}
        request |= {"named": named[role]} if named[role] else {}
        jobs.append(("faceset", request))
    request = {"facesets": [str(out / role) for role in called], "out": str(out / model), "train": {"minutes": minutes}}
    resume = any((out / model / "checkpoints").glob("step-*.json"))
    return [*jobs, ("train", {**request, "resume": resume, **by})]


# ---- verification


def verdict(job: Job) -> tuple[bool, str]:
    """Whether a job `credentials` found a change, and what it says."""
    result = job["result"]
    return result["status"] == NOT_INTACT, str(result["said"])
