"""The process that runs jobs: told on stdin, telling on stdout. `python -m host_bridge.engine.child --kinds MODULE [--stay]`."""

from __future__ import annotations

import os
import sys

from host_bridge.engine.child.guard import die_with_engine, guard_group, read_lines

TERMINATED = 143


def main() -> int:
    """Run the job that comes, and exit as the command line would; with --stay run the next one as well, until stdin closes.

    A line of stdin is {"id", "kind", "request", "folder", "again", "log"}; a line of stdout is an event, as `events` has them. What jobs
    print goes to stderr, or to the file `log`. A job is ended by SIGTERM as by Ctrl-C, with everything tidied up.
    """
    die_with_engine()
    unguard = guard_group()
    # The events' pipe gets a number of its own, which nothing that the job starts will inherit.
    events = os.dup(1)
    os.dup2(2, 1)

    from queue import SimpleQueue

    lines: SimpleQueue[bytes] = SimpleQueue()
    read_lines(lines.put)

    from host_bridge.engine.child.runner import Runner

    try:
        runner = Runner(sys.argv[sys.argv.index("--kinds") + 1], events)
        while True:
            status = runner.run(lines.get())
            if "--stay" not in sys.argv or status == TERMINATED:
                return status
    except KeyboardInterrupt:
        return TERMINATED
    finally:
        unguard()


if __name__ == "__main__":
    sys.exit(main())
