"""`faceplate timeline`: an edit in, its shots replaced, and the edit out again. A file a command."""

from __future__ import annotations

from cyclopts import App

timeline = App(name="timeline", help_format="plaintext")
_HERE = "host_bridge.cli.commands.timeline"
timeline.command(
    f"{_HERE}.plan:plan", name="plan", help="List the shots of an edit, their cast, and what a run would do."
)
timeline.command(f"{_HERE}.run:run", name="run", help="Train and swap the shots of an edit.")
timeline.command(f"{_HERE}.export:export", name="export", help="Put the results of a run into the edit.")
timeline.command(f"{_HERE}.diff:diff", name="diff", help="List what differs between two edits.")
timeline.command(
    f"{_HERE}.report:report", name="report", help="Say for legal who was replaced by whom, by which consents."
)
