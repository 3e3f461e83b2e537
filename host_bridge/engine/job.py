"""A job and its public state: progress, metrics, error and result."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from nodes.errors import Action, FaceplateError

State = Literal["queued", "running", "finished", "failed", "cancelled"]
ACTIVE: Final[tuple[State, ...]] = ("queued", "running")
LOG, PREVIEW, PICTURES = "log.txt", "preview.png", "pictures"  # in a job's folder


class NotFound(FaceplateError):
    """A job that does not exist, or no longer."""

    exit_status = 2


class Conflict(FaceplateError):
    """An action that a job's state does not allow, or a queue that another engine owns."""

    exit_status = 2


class JobProgress(BaseModel):
    """Progress of a stage. rate: units a second; left: seconds."""

    stage: str
    done: int
    total: int | None = None
    rate: float | None = None
    left: float | None = None


class JobMetrics(BaseModel):
    """Progress of a training. of: its number of steps, if limited; loss: null where it is not a number."""

    step: int
    of: int | None
    seconds: float | None
    rate: float | None
    left: float | None
    loss: float | None
    losses: dict[str, float | None]


class JobError(BaseModel):
    """Reason and remedy of a failed job. action: the remedy as a button; exit_status: that of the command line, 10 where consent forbids it."""

    message: str
    remedy: str | None = None
    action: Action | None = None
    exit_status: int


class Job(BaseModel):
    """One piece of work.

    Internal to the engine: `seq` orders jobs by submission, independent of the clock. `lane`: "device", or the
    name of a warm kind. `cancelling`: its user has cancelled it. `again`: its next run continues the last one.
    `kills`: number of times its process was killed since submission or retry. `outputs`: size and time of its files when it finished.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    title: str
    request: dict[str, Any]
    key: str = Field(exclude=True)
    lane: str = Field(exclude=True)
    device: str
    priority: int = 0
    state: State = "queued"
    attempt: int = 1
    created: float = Field(0.0, description="Seconds since 1970.")
    started: float | None = None
    ended: float | None = None
    progress: JobProgress | None = None
    metrics: JobMetrics | None = None
    curve: list[tuple[float, float]] = Field([], description="Step and loss, at most 200; only of a single job.")
    preview: int | None = Field(None, description="Address of the latest picture.")
    pictures: list[str] = []
    error: JobError | None = None
    result: dict[str, Any] | None = None
    messages: list[str] = []
    outputs: dict[str, Any] | None = Field(None, exclude=True)
    cancelling: bool = Field(False, exclude=True)
    again: bool = Field(False, exclude=True)
    kills: int = Field(0, exclude=True)
    seq: int = Field(0, exclude=True)

    @property
    def active(self) -> bool:
        """True if it waits or runs."""
        return self.state in ACTIVE

    def changed(self, **fields: Any) -> Job:
        """Copy the job with some fields changed."""
        return Job.model_validate({**vars(self), **fields})

    @field_serializer("preview")
    def _address(self, number: int | None) -> str | None:
        return None if number is None else f"/v1/jobs/{self.id}/preview?v={number}"
