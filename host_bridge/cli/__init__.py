"""The command line, `faceplate`: one file a command under `commands`, options generated from `nodes.definitions`.

It parses, calls, shows progress and prints; `nodes` computes.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `faceplate` with `arguments` (by default those of the process) and return its exit status; see docs/cli.md."""
    from host_bridge.cli.app import run

    return run(arguments)
