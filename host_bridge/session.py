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
Steps = Generator[None, None, T]  # work in short steps: yields instead of waiting
Job = dict[str, Any]  # as the engine describes it
Listener = Callable[[Job], object]
Action = dict[str, Any]  # a remedy as a button: `name` and `arguments`, see docs/engine.md
Ask = tuple[str, dict[str, Any]]  # a kind of job and its request

LOST = "lost"  # state of a job whose engine is gone: it goes on with the next one
ACTIVE = ("queued", "running", LOST)
FORBIDDEN = 10  # exit status of a job that consent forbids
NOT_INTACT = 11  # status in a result of the job `credentials`: changed, or stripped of its signature
_EVERY, _AT_FIRST = 0.1, 0.01  # seconds between two calls of `pump`; a job that has just begun may be a preview
_LOOK = 0.5  # seconds between two looks for the engine
_AT_ONCE = {"preview": 1.0}  # seconds that the engine may hold its answer, for short jobs
_SHOWN = 20  # jobs
START: Action = {"name": "start_engine", "arguments": {}}
NO_PYTHON = "where Faceplate is installed is not known"
_PAUSE = 3.0  # seconds between two questions about a use that is not allowed


@cache
def _api() -> Any:
    """Return the client, imported on first use: importing HTTP takes 50 ms, too long for a host's start."""
    from . import client

    return client


@dataclass(frozen=True, slots=True)
class EngineState:
    """State of the engine, for a panel. python: its interpreter; jobs: those of this session, newest first. message, remedy, action: its last error."""

    engine: Literal["unknown", "running", "stopped", "other version", "refused"] = "unknown"
    version: str = ""
    python: str = ""
    page: str = ""
    message: str = ""
    remedy: str = ""
    action: Action | None = None
    jobs: tuple[Job, ...] = ()


@dataclass(slots=True)
class Ticket:
    """A submitted job. id: the engine's, None until it has answered. step: number of jobs of its chain that are done."""

    kind: str
    id: str | None = None
    step: int = 0
    cancelled: bool = False

    def cancel(self) -> None:
        """Request its end; its listeners are called when it has ended."""
        self.cancelled = True


class Session:
    """One host's session. A host with an event loop calls `pump` by a timer; a script calls the methods that wait.

    python: returns the interpreter of Faceplate's environment, or None. version: the host extension's; engines of other versions are refused;
    empty for any. wake: called when `pump` is needed again. redraw: called when the state has changed.
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
        self._last_begin = 0.0  # when the latest was begun
        self._tickets: list[Ticket] = []
        self._next_look = math.inf  # when `watch` looks for the engine again
        self._seen: object = None  # the address of the engine that it found
        self.state = EngineState()

    # ---- steps

    def run(self, steps: Steps[T], on_end: Callable[[T], object] = lambda _: None) -> None:
        """Do the first step now, and the others in `pump`. on_end: gets their result, never before this has returned."""
        self._last_begin = time.monotonic()
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
        """Advance all tasks. Returns the seconds until the next call, None if nothing is left."""
        for task in list(self._tasks):
            self._tasks.remove(task)
            if task():
                self._redraw()
            else:
                self._tasks.append(task)
        if time.monotonic() >= self._next_look:
            self._look_again()
        if not self._tasks:
            return _LOOK if self._next_look < math.inf else None
        return _AT_FIRST if time.monotonic() < self._last_begin + 1 else _EVERY

    def busy(self) -> bool:
        """Return True while tasks are under way."""
        return bool(self._tasks)

    def close(self) -> None:
        """Forget all tasks; the engine and its jobs go on."""
        self._tasks.clear()
        self._tickets.clear()
        self._next_look, self.state = math.inf, EngineState()

    # ---- the engine

    def watch(self) -> None:
        """Keep `state` up to date from now on, within a second: for a panel that is drawn. It costs a look at a file, twice a second."""
        if self._next_look == math.inf:
            self._next_look, self._seen = 0.0, None
            self._wake()

    def _look_again(self) -> None:
        self._next_look = time.monotonic() + _LOOK
        try:
            address = _api().living_address(_api().state_folder())
        except _api().EngineError as e:
            address = str(e)
        if address != self._seen or self.state.engine == "unknown":
            self._seen = address
            self.refresh()

    def start(self, on_end: Callable[[], object] = lambda: None) -> None:
        """Start the engine unless it runs, and update `state`."""

        def steps() -> Steps[None]:
            with suppress(_api().EngineError):
                yield from self._ensure_engine()

        self.run(steps(), lambda _: on_end())

    def command(self, words: Sequence[str], on_end: Callable[[int, str], object]) -> None:
        """Run a command of `faceplate` that ends soon. on_end: gets its exit status and output, or the reason for which it did not run."""

        def steps() -> Steps[tuple[int, str]]:
            python = self._python()
            if python is None:
                return 1, NO_PYTHON
            end: tuple[int, str] = yield from _api().command(_api().state_folder(), python, *words)
            return end

        self.run(steps(), lambda end: on_end(*end))

    def note(self, error: Mapping[str, Any]) -> None:
        """Show an error in `state`: its message, remedy and action."""
        message, remedy = str(error["message"]), str(error.get("remedy") or "")
        self.state = replace(self.state, message=message, remedy=remedy, action=error.get("action"))

    def stop(self, on_end: Callable[[], object] = lambda: None) -> None:
        """Stop the engine, and update `state`. Its running jobs are queued again at its next start."""

        def steps() -> Steps[None]:
            api = _api()
            address = api.read_address(api.state_folder())
            try:
                if address is not None:
                    yield from api.Client(address).steps("POST", "/v1/stop")
                    while api.living_address(api.state_folder()) == address:
                        yield from _pause(0.1, None)
                yield from self._look_for_engine()
            except api.EngineError as e:
                self.note(_why(e))

        self.run(steps(), lambda _: on_end())

    def refresh(self) -> None:
        """Look for the engine, and update `state`."""
        self.run(self._look_for_engine())

    def look(self) -> Client | None:
        """Look for the engine; returns it, or None, and updates `state`. This waits."""
        return waited(self._look_for_engine())

    def engine(self) -> Client:
        """Return the engine, started if needed. This waits. Raises EngineError."""
        return waited(self._ensure_engine())

    def _look_for_engine(self) -> Steps[Client | None]:
        client, self.state = yield from self._find()
        return client

    def _find(self) -> Steps[tuple[Client | None, EngineState]]:
        """Find the running engine, or None; returns it with the new state."""
        address, unknown = None, replace(self.state, version="", python="", page="", message="", remedy="", action=None)
        try:
            address = _api().read_address(_api().state_folder())
            if address is None:
                raise _api().EngineGone("the engine is not running")
            client = _api().Client(address)
            status = yield from client.steps("GET", "/v1/status")
        except _api().EngineGone:
            message, remedy = "the engine is not running", "Press Start Engine"
            return None, replace(unknown, engine="stopped", message=message, remedy=remedy, action=START)
        except _api().EngineError as e:
            message, remedy = e.message, e.remedy or ""
            if e.status in (401, 403) and address is not None:
                message = "the engine does not know the token that lies in its file"
                remedy = f"End its process, {address.pid}, and press Start Engine"
            return None, replace(unknown, engine="refused", message=message, remedy=remedy, action=e.action)
        found = {"version": str(status["version"]), "python": str(status.get("python", "")), "page": client.page}
        state = replace(unknown, engine="running", **found)
        if self.version and state.version != self.version:
            message = f"the engine is Faceplate {state.version}, this extension {self.version}"
            remedy = "Install the extension again with install/blender.py, or stop the engine and press Start Engine"
            return None, replace(state, engine="other version", message=message, remedy=remedy)
        return client, state

    def _ensure_engine(self) -> Steps[Client]:
        """Return the engine, started if needed. Raises EngineError, which `state` holds too."""
        error, python = _api().EngineError, self._python()
        if client := (yield from self._look_for_engine()):
            return client
        try:
            if self.state.engine != "stopped":
                raise error(self.state.message, remedy=self.state.remedy, action=self.state.action)
            if python is None:
                raise error(
                    f"the engine is not running, and {NO_PYTHON}",
                    remedy="Choose the folder into which Faceplate was installed, or set FACEPLATE_PYTHON",
                    action={"name": "open_preferences", "arguments": {}},
                )
            yield from _api().start(_api().state_folder(), python=python)
            if client := (yield from self._look_for_engine()):
                return client
            raise error(self.state.message, remedy=self.state.remedy, action=self.state.action)
        except error as e:
            self.note(_why(e))
            raise

    # ---- jobs

    def submit(
        self,
        kind: str,
        request: dict[str, Any],
        *,
        then: Sequence[Ask] = (),
        known: str | None = None,
        on_change: Listener = lambda job: None,
        on_end: Listener = lambda job: None,
    ) -> Ticket:
        """Submit a job, and return at once. The engine is started if needed; while it is gone, the job waits for it.

        then: jobs that follow, each after the one before. known: id of this job if it was submitted earlier: it is followed, and no
        engine is started. on_end: gets the last; one that the engine refuses is `failed`, its `error` with a message and a remedy, without an id.
        """
        ticket = Ticket(kind, known)
        self._tickets.append(ticket)

        def steps() -> Steps[Job]:
            job = yield from self._follow(ticket, request, on_change)
            for next_kind, next_request in then:
                if job["state"] != "finished":
                    break
                ticket.kind, ticket.id, ticket.step = next_kind, None, ticket.step + 1
                job = yield from self._follow(ticket, next_request, on_change)
            return job

        def ended(job: Job) -> None:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
            on_end(job)

        self.run(steps(), ended)
        return ticket

    def ask(self, kind: str, request: dict[str, Any], on_end: Listener) -> None:
        """Run a short job in a running engine, hidden from panels. Without an engine the job is `failed`, with an `error`."""

        def steps() -> Steps[Job]:
            yield  # a panel that asks while it is drawn must not wait
            try:
                client, state = yield from self._find()
                if client is None:
                    return _failed(kind, _api().EngineError(state.message, remedy=state.remedy, action=state.action))
                job: Job = yield from client.steps("POST", "/v1/jobs?wait=5", {"kind": kind, "request": request})
                while job["state"] not in _api().ENDED:
                    yield
                    job = yield from client.steps("GET", f"/v1/jobs/{job['id']}")
                return job
            except _api().EngineError as e:
                return _failed(kind, e)

        self.run(steps(), on_end)

    def do(self, kind: str, request: dict[str, Any], seconds: float | None = None) -> Job:
        """Submit a job and wait until it has ended, or the time is over: for scripts. Raises EngineError."""
        client = self.engine()
        return client.wait(client.submit(kind, request)["id"], seconds)

    def tickets(self) -> tuple[Ticket, ...]:
        """List the jobs under way, oldest first."""
        return tuple(self._tickets)

    def _follow(self, ticket: Ticket, request: dict[str, Any], on_change: Listener) -> Steps[Job]:
        """Submit a job, and follow it to its end, across restarts of the engine."""
        job: Job | None = {"id": ticket.id, "kind": ticket.kind, "state": LOST} if ticket.id else None
        client: Client | None = None
        asked_to_end, rest = False, 0.02
        while True:
            try:
                if client is None:  # started only the first time; later the user restarts it
                    client = yield from (self._ensure_engine() if job is None else self._look_for_engine())
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
                    self._update(job, on_change)
                yield
                continue
            except _api().EngineError as e:
                if e.status in (401, 403) and job is not None:
                    client = None
                    continue
                return _failed(ticket.kind, e)
            if job != last:
                rest = 0.02
                self._update(job, on_change)
            if job["state"] in _api().ENDED:
                return job
            yield from _pause(rest, ticket if not asked_to_end else None)
            rest = min(rest * 1.5, 0.2)

    def _update(self, job: Job, on_change: Listener) -> None:
        jobs = (job, *(other for other in self.state.jobs if other["id"] != job["id"]))
        self.state = replace(self.state, jobs=jobs[:_SHOWN])
        on_change(job)
        self._redraw()


def waited(steps: Steps[T]) -> T:
    """Do all steps, and wait: for scripts."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        time.sleep(0.005)


def _pause(seconds: float, ticket: Ticket | None) -> Steps[None]:
    """Yield for this long, or until a job is cancelled."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (ticket and ticket.cancelled):
        yield


def _failed(kind: str, error: Any) -> Job:
    """Make a failed job from an engine's refusal or absence."""
    return {"id": None, "kind": kind, "title": "", "state": "failed", "error": _why(error), "result": None}


def _why(error: Any) -> dict[str, Any]:
    return {"message": error.message, "remedy": error.remedy or "", "action": error.action}


def find_python(place: str) -> str:
    """Find the interpreter of a folder of Faceplate, or of its environment; a path of anything else is returned as it is."""
    return str(_api().find_python(place))


def split_command(remedy: str) -> tuple[str, str]:
    """Split a remedy into its words and the command that it ends with, which can be pasted; either may be empty."""
    words, command = _api().split_command(remedy)
    return words, command


_WORK = {  # what the first word of a stage, or a kind of job, does
    "align": "Aligning faces",
    "credentials": "Verifying",
    "crop": "Cropping faces",
    "detect": "Finding faces",
    "export_cut": "Writing the edit",
    "faceset": "Gathering faces",
    "import_cut": "Reading the edit",
    "look": "Reading the source",
    "mask": "Drawing mattes",
    "preview": "Making the preview",
    "report": "Measuring the result",
    "swap": "Replacing the face",
    "train": "Training",
    "whole": "Writing frames",
    "overlay": "Writing frames",
}
_STAGES = {  # the first words of a job's stages, in order
    "align": ("detect", "crop"),
    "faceset": ("detect", "crop"),
    "mask": ("detect", "mask"),
    "preview": ("detect", "look", "preview"),
    "swap": ("detect", "look", "swap", "report", "whole"),
}


def progress_of(job: Job) -> tuple[float, str]:
    """Return the progress of a job, 0 to 1, and a sentence that says what is done and how long that takes still."""
    progress = job.get("progress") or {}
    stage = str(progress.get("stage") or job["kind"]).partition(" ")[0]
    text = _WORK.get(stage) or _WORK.get(job["kind"], "Working")
    if job["state"] == LOST:
        return 0.0, "The engine is gone: press Start Engine"
    if job["state"] == "queued":
        return 0.0, f"{text}: waiting for other work"
    metrics = job.get("metrics") or {}
    left = progress.get("left") or metrics.get("left")
    text += f", {_duration(left)} left" if left else ""
    if metrics.get("seconds") and left is not None:  # of a training, which time limits
        return metrics["seconds"] / (metrics["seconds"] + left), text
    share = progress["done"] / progress["total"] if progress.get("total") else 0.0
    stages = _STAGES.get(job["kind"], (stage,))
    return (stages.index(stage) + share) / len(stages) if progress.get("stage") and stage in stages else 0.0, text


def _duration(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"


# ---- the nodes' definitions


def parameters_of(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of a node as `faceplate nodes --json` defines it: name → JSON Schema, references resolved, `open` if null is valid."""
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
    """Make the request of the job `performers`: may a shot be made, or a model be trained?

    near: where results go. swap: Swap's parameters with the traits `consent` or `per_shot`.
    """
    request = {"plate": plate, "near": str(near), "swap": dict(swap), "train": train}
    return request | ({"source": source} if source else {})


def forbidden(job: Job) -> bool:
    """Return True if a job has failed for want of consent."""
    return (job.get("error") or {}).get("exit_status") == FORBIDDEN


def consent_sentences(
    job: Job, *, brief: bool = False
) -> Iterator[tuple[Literal["yes", "no", "unknown", "note"], str]]:
    """Yield the sentences of a job `performers`, without remedies. brief: only who, until when and why not."""
    answer, error = job.get("result"), job.get("error") or {}
    if not answer:
        text = "Consent: " + str(error.get("message", "not known")).rstrip(".")
        yield ("no" if forbidden(job) else "unknown"), text
        return
    roles = answer["target"], answer["source"]
    if not answer["allowed"] and all(role["allowed"] for role in roles):  # the model forbids it
        yield "no", answer["said"].partition(". ")[0] if brief else answer["said"]
        return
    for text, allowed in {_sentence(role, brief): role["allowed"] for role in roles}.items():
        yield ("yes" if allowed else "no"), text
    if not answer.get("model_known", True):
        yield "note", "The model does not say whom it was trained on; results are marked so"


def _sentence(role: Mapping[str, Any], brief: bool) -> str:
    if brief and role["why"]:
        return str(role["why"])
    return str(role["said"]).removesuffix(f". {role.get('remedy') or ''}")


def consent_remedies(job: Job) -> list[tuple[Action | None, str]]:
    """List the remedies of a job `performers`, each once: as a button, and in words that may end with a command."""
    answer = job.get("result")
    roles = [answer[role] for role in ("target", "source")] if answer else [job.get("error") or {}]
    remedies: list[tuple[Action | None, str]] = []
    for role in roles:
        remedy = role.get("action"), role.get("remedy") or ""
        if any(remedy) and remedy not in remedies:
            remedies.append(remedy)
    return remedies


def consent_summary(answers: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[bool, str]:
    """Summarise several clips: True if all are allowed, and each sentence once. answers: (clip, result of `performers`)."""
    names: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
    for name, answer in answers:
        names[answer["allowed"]].setdefault(answer["said"], []).append(name)
    allowed = not names[False]
    return allowed, ". ".join(f"{', '.join(clips)}: {text}" for text, clips in names[allowed].items())


@dataclass(slots=True)
class ConsentAnswer:
    """Time of the last question, and the job that answered, None until one has."""

    asked: float = -math.inf
    job: Job | None = None

    @property
    def allowed(self) -> bool:
        """True if the faces may be used so."""
        return bool(self.job and (self.job["result"] or {}).get("allowed"))

    def take(self, job: Job) -> None:
        """Note the answer."""
        self.job = job


class ConsentMonitor:
    """Answers about consent for what a host shows: requested on first look, and again while the use is not allowed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.answers: dict[str, ConsentAnswer] = {}

    def look(self, request: dict[str, Any]) -> ConsentAnswer:
        """Return the latest answer to a request of the job `performers`, and ask again if due."""
        answer = self.answers.setdefault(json.dumps(request, sort_keys=True), ConsentAnswer())
        if not answer.allowed and time.monotonic() - answer.asked > _PAUSE:
            answer.asked = time.monotonic()
            self._session.ask("performers", request, answer.take)
        return answer

    def again(self) -> None:
        """Forget all answers, to ask anew."""
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
    """Make the jobs of a training, for `submit`: a faceset of the source and of the target, then the model, resumed if possible.

    clips: footage by role, `source` and `target`, each with its frames `A-B`, None for all. swap: Swap's parameters, which name the performers.
    rate: of image sequences. model: the model's folder in `out`, beside those of the facesets.
    """
    by = {"consent": {name: swap[name] for name in ("project", "production") if swap.get(name)}}
    given = {role: swap.get(f"{role}_performer") for role in ("source", "target")}
    # A faceset is called after its performer where one is named, else after its footage; two must not be called alike.
    names = {role: given[role] or Path(clips[role][0][0].replace("\\", "/")).name.partition(".")[0] for role in given}
    if names["source"] == names["target"]:
        names = {role: f"{name} ({role})" for role, name in names.items()}
    jobs: list[Ask] = []
    for role, name in names.items():
        request: dict[str, Any] = {"clips": [path for path, _ in clips[role]], "performer": name, **by}
        request |= {"out": str(out / role), "detect": dict(detect or {})}
        if any(frames for _, frames in clips[role]):
            request["ranges"] = [frames for _, frames in clips[role]]
        request |= {"rate": rate} if rate else {}
        request |= {"named": given[role]} if given[role] else {}
        jobs.append(("faceset", request))
    request = {"facesets": [str(out / role) for role in names], "out": str(out / model), "train": {"minutes": minutes}}
    resume = any((out / model / "checkpoints").glob("step-*.json"))
    return [*jobs, ("train", {**request, "resume": resume, **by})]


# ---- verification


def verdict(job: Job) -> tuple[bool, str]:
    """Return True if a job `credentials` found a change, and its summary."""
    result = job["result"]
    return result["status"] == NOT_INTACT, str(result["said"])
