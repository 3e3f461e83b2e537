"""An engine without a server: `python -m tests.support.engine_program FOLDER` runs the queue in FOLDER, told and answering by lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from host_bridge.engine.queue import Queue
from host_bridge.engine.supervisor import Supervisor
from nodes.errors import FaceplateError
from tests.support.engine_kinds import KINDS


async def main() -> None:
    folder = Path(sys.argv[1])
    supervisor = Supervisor(Queue(folder / "jobs.sqlite"), folder, kinds=KINDS, module="tests.support.engine_kinds")
    await supervisor.start()
    say(pid=os.getpid())
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = json.loads(line)
        try:
            say(**await answer(supervisor, **told))
        except (FaceplateError, ValueError, KeyError) as e:
            say(error=str(e), type=type(e).__name__)
        if told["do"] == "stop":
            return


async def answer(supervisor: Supervisor, do: str, **told: Any) -> dict[str, Any]:
    match do:
        case "submit":
            request = KINDS[told["kind"]].request.model_validate(told["request"])
            job, created = await supervisor.submit(told["kind"], request, told.get("priority"))
            return {**job.model_dump(mode="json", exclude={"curve"}), "new": created}
        case "show":
            job = supervisor.queue.find(told["id"])
            return {} if job is None else job.model_dump(mode="json")
        case "wait":
            return (await supervisor.wait(told["id"], told["seconds"])).model_dump(mode="json")
        case "cancel":
            return (await supervisor.cancel(told["id"])).model_dump(mode="json", exclude={"curve"})
        case "retry":
            return (await supervisor.retry(told["id"])).model_dump(mode="json", exclude={"curve"})
        case "list":
            begin = time.perf_counter()
            jobs = [job.model_dump(mode="json", exclude={"curve"}) for job in supervisor.queue.list(limit=10_000)]
            return {"jobs": jobs, "busy": supervisor.busy, "took": time.perf_counter() - begin}
        case "trouble":
            return {"trouble": supervisor.trouble}
        case _:
            await supervisor.stop()
            supervisor.queue.close()
            return {}


def say(**told: Any) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except FaceplateError as e:
        say(error=str(e), type=type(e).__name__)
