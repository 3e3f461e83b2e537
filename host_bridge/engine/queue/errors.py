"""What can be wrong with a request to the queue."""

from __future__ import annotations

from nodes.errors import FaceplateError


class NotFound(FaceplateError):
    """A job that there is not, or no longer."""

    exit_status = 2


class Conflict(FaceplateError):
    """Something that cannot be done to a job as it stands, or to a queue that another engine owns."""

    exit_status = 2


def no_job(id: str) -> NotFound:
    """The error for an identifier that names no job."""
    return NotFound(f"there is no job '{id}'", remedy="List what there is with faceplate jobs list")
