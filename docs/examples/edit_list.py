"""A host in plain Python: an edit is a JSON file, and a result becomes a layer above its clip. docs/new-host.md explains it.

    python edit_list.py EDIT.json who|replace|verify|undo

EDIT.json: {"folder": "/shots", "clips": [{"name": "shot 1", "file": "/a.mov", "first": 5, "last": 20, "source": "/anna.mov"}]}
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# A host ships client.py and session.py beside each other, in a package of its own; this one borrows Faceplate's.
from host_bridge.session import Job, Session, consent_request, consent_summary, progress_of, verdict


class EditList:
    """The host's own side: reading the edit, and writing a layer into it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._edit: dict[str, Any] = json.loads(file.read_text("utf-8"))
        self.folder, self.clips = Path(self._edit["folder"]), self._edit["clips"]

    def place(self, name: str, pattern: str | None) -> None:
        """Lay a sequence of pictures above a clip, found again by its name; None takes it away."""
        for clip in self.clips:
            if clip["name"] == name:
                clip["layers"] = [pattern] if pattern else []
        self._file.write_text(json.dumps(self._edit, indent=1), "utf-8")


def out_of(edit: EditList, clip: dict[str, Any]) -> Path:
    """The folder of a clip's results."""
    return edit.folder / str(clip["name"]).replace(" ", "-")


def who(session: Session, edit: EditList) -> bool:
    """Say whether the faces may be used so, in the engine's words; nothing is made."""
    answers = []
    for clip in edit.clips:
        request = consent_request(clip["file"], clip["source"], edit.folder, clip.get("swap", {}))
        job = session.do("performers", request)
        error = job["error"] or {}
        refused = {"allowed": False, "said": f"{error.get('message')}. {error.get('remedy') or ''}"}
        answers.append((clip["name"], job["result"] or refused))
    allowed, said = consent_summary(answers)
    print(said)
    return allowed


def replace(session: Session, edit: EditList) -> bool:
    """Have all clips rendered, and lay each result above its clip as soon as it is there."""
    if not who(session, edit):
        return False
    failed: list[str] = []

    def listener(clip: dict[str, Any]) -> Any:
        def ended(job: Job) -> None:
            if job["state"] == "finished":
                edit.place(clip["name"], job["result"]["overlay"])
            else:
                failed.append(f"{clip['name']}: {(job['error'] or {}).get('message', job['state'])}")

        return ended

    for clip in edit.clips:
        span, out = f"{clip['first']}-{clip['last']}", out_of(edit, clip)
        request = {"plate": clip["file"], "source": clip["source"], "range": span, "out": str(out), "overlay": True}
        request["settings"] = {"swap": clip.get("swap", {})}
        session.submit("swap", request, on_end=listener(clip), on_change=lambda job: print(progress_of(job)[1]))
    try:
        while session.busy():  # a host with a window calls `pump` by a timer instead
            time.sleep(session.pump() or 0)
    except KeyboardInterrupt:
        for ticket in session.tickets():
            ticket.cancel()
        while session.busy():
            time.sleep(session.pump() or 0)
    print("\n".join(failed) or f"{len(edit.clips)} clips have their new face")
    return not failed


def verify(session: Session, edit: EditList) -> bool:
    """Say whether the results are still what was signed."""
    changes = []
    for clip in (clip for clip in edit.clips if clip.get("layers")):
        changed, said = verdict(session.do("credentials", {"path": str(out_of(edit, clip))}))
        changes.append(changed)
        print(f"{clip['name']}: {said}")
    return not any(changes)


def undo(session: Session, edit: EditList) -> bool:
    """Take the layers away; rendered files stay."""
    for clip in edit.clips:
        edit.place(clip["name"], None)
    return True


if __name__ == "__main__":
    command = {each.__name__: each for each in (who, replace, verify, undo)}[sys.argv[2]]
    # The engine is started by the Python of Faceplate's environment.
    session = Session(lambda: os.environ.get("FACEPLATE_PYTHON") or sys.executable)
    sys.exit(0 if command(session, EditList(Path(sys.argv[1]))) else 1)
