"""`faceplate jobs`: list, show, cancel, retry, logs."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from host_bridge.cli.options import Flag, Json
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import clock
from host_bridge.client import ENDED, connect
from nodes.errors import UsageError

jobs = App(name="jobs", help_format="plaintext")
JobId = Annotated[str, Parameter(help="The job's id, as `faceplate jobs list` has it.")]
State = Literal["queued", "running", "finished", "failed", "cancelled"]


@jobs.command(name="list")
def list_(*, state: State | None = None, limit: int = 20, json: Json = False) -> None:
    """List jobs, newest first.

    Args:
        state: Only those in this state.
        limit: At most so many, up to 1000.
    """
    if not 1 <= limit <= 1000:
        raise UsageError(f"--limit {limit}: must be 1 to 1000")
    page = connect().list(state, limit)
    if json:
        print_json({"schema": "faceplate.jobs/1", **page})
        return
    rows = ((job["id"], job["kind"], job["title"], job["state"], _how_far(job)) for job in page["jobs"])
    print_table(("id", "kind", "what", "state", ""), rows)
    if page["more"]:
        print(f"There are more; --limit {min(limit * 10, 1000)} shows them.")


@jobs.command
def show(id: JobId, /, *, json: Json = False) -> None:
    """Show one job."""
    _print(connect().show(id), json)


@jobs.command
def cancel(id: JobId, /, *, json: Json = False) -> None:
    """End a job that waits or runs."""
    client = connect()
    client.cancel(id)
    _print(client.wait(id, 10), json)


@jobs.command
def retry(id: JobId, /, *, json: Json = False) -> None:
    """Queue a job again that has failed or was cancelled; a training goes on from its last checkpoint."""
    _print(connect().retry(id), json)


@jobs.command
def logs(id: JobId, /, *, follow: Flag = False, json: Json = False) -> None:
    """Print what a job has printed.

    Args:
        follow: Go on until the job has ended.
    """
    client, text, start = connect(), [], 0
    while True:
        # The state first, so that all output before the end is read.
        ended = client.show(id)["state"] in ENDED
        part, start = client.log(id, start)
        if json:
            text.append(part)
        else:
            sys.stdout.write(part)
            sys.stdout.flush()
        if not part:
            if ended or not follow:
                break
            time.sleep(0.2)
    if json:
        print_json({"schema": "faceplate.log/1", "id": id, "text": "".join(text)})


def _print(job: dict[str, Any], json: bool) -> None:
    if json:
        print_json({"schema": "faceplate.job/1", **job})
        return
    print(f"{job['id']}  {job['kind']}  {job['title']}")
    print(f"{job['state']}{_how_far(job, ', ')}; priority {job['priority']}, attempt {job['attempt']}, {job['device']}")
    for line in job["messages"]:
        print(line)
    if job["error"]:
        print(job["error"]["message"])
        if remedy := job["error"].get("remedy"):
            print(remedy)


def _how_far(job: dict[str, Any], lead: str = "") -> str:
    """Describe a job's state: progress, duration, or error."""
    state = ""
    if job["state"] == "running" and job["metrics"]:
        of = f" of {job['metrics']['of']}" if job["metrics"].get("of") else ""
        state = f"step {job['metrics'].get('step')}{of}"
    elif job["state"] == "running" and job["progress"]:
        now = job["progress"]
        state = f"{now['stage']} {now['done']}" + (f" of {now['total']}" if now["total"] else "")
        state += f", {clock(now['left'])} left" if now.get("left") is not None else ""
    elif job["state"] == "failed" and job["error"] and not lead:
        state = str(job["error"]["message"])
    elif job["started"] and job["ended"]:
        state = f"in {clock(max(job['ended'] - job['started'], 0))}"
    return lead + state if state else ""
