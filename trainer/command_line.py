"""The commands of trainer's packages: how they show progress, and how they end."""

from __future__ import annotations

import sys
import time

from cyclopts import App

from nodes.errors import FaceplateError


class ProgressLine:
    """A line that shows how far the work is, and how long the rest will take."""

    def __init__(self) -> None:
        self.stage, self.start, self.first = "", time.monotonic(), 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that so many of a stage's items are done."""
        if stage != self.stage:
            self.stage, self.start, self.first = stage, time.monotonic(), done
        rest = ""
        if total and done > self.first:
            seconds = (time.monotonic() - self.start) / (done - self.first) * (total - done)
            rest = f", {seconds / 60:.0f} min left" if seconds > 90 else f", {seconds:.0f} s left"
        print(f"{stage}: {done} of {total}{rest}", file=sys.stderr, flush=True)


def run(app: App) -> int:
    """Run the command of the process and return its exit status."""
    try:
        app()
    except FaceplateError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return 0
