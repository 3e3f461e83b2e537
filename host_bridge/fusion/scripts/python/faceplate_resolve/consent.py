"""Who is meant, as markers say it, and whether they may be used so: asked before anything is made or changed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .session import NOTE, Problem, Session

MOST_ASKED = 60  # as in Lua
_FORBIDDEN = 10  # the exit status of what consent forbids
_FACE = re.compile(r"\bFACE\b(?=[\s:]+\w+\s*=)", re.IGNORECASE)
_PAIR = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|“([^”]*)”|([^\s"'“”;]+))""")


@dataclass(frozen=True)
class Cast:
    """Who is replaced by whom, by names or ids; None where nobody says it."""

    target: str | None = None
    source: str | None = None
    tracks: tuple[int, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """As parameters of Swap."""
        said = {"target_performer": self.target, "source_performer": self.source}
        return {name: who for name, who in said.items() if who}


def face_notes(text: str) -> list[Cast]:
    """What `FACE target="Ann Lee" source=ben track=1` says, as docs/timeline.md has it; there may be several in a text."""
    starts = [found.start() for found in _FACE.finditer(text)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        pairs = _PAIR.finditer(text[start:end])
        told = {pair[1].lower(): next(value for value in pair.groups()[1:] if value is not None) for pair in pairs}
        tracks = tuple(map(int, re.findall(r"\d+", told.get("track") or told.get("tracks") or "")))
        found.append(Cast(told.get("target") or None, told.get("source") or None, tracks))
    return found


def said_by(markers: dict[float, dict[str, Any]] | None, span: tuple[int, int] | None = None) -> list[Cast]:
    """What markers say, those that touch the frames of `span`, first and last; all of them without it."""
    found = []
    for frame, marker in (markers or {}).items():
        end = frame + max(marker.get("duration") or 1, 1)
        if marker.get("customData") != NOTE and (span is None or (frame <= span[1] and end > span[0])):
            found += [cast for text in (marker.get("name"), marker.get("note")) for cast in face_notes(text or "")]
    return found


def casts_of(session: Session, item: Any) -> list[Cast]:
    """All that is said of a clip: by its own markers, else by those of the timeline that touch it."""
    start = item.GetStart(False) - session.timeline.GetStartFrame()
    around = (start, start + item.GetDuration(False) - 1)
    return said_by(item.GetMarkers()) or said_by(session.timeline.GetMarkers(), around)


def cast_of(session: Session, item: Any) -> Cast:
    """Who is replaced by whom in a clip, where only one may be. Raises Problem."""
    found = casts_of(session, item)
    if len(found) > 1:
        remedy = "Use Export timeline to Faceplate, which does several"
        raise Problem(f"{item.GetName()}: markers name more than one replacement", remedy)
    return found[0] if found else Cast()


def sources_named(session: Session) -> list[str]:
    """The sources whom markers anywhere in the timeline name; half a word says nothing of a timeline."""
    items = (item for track in session.tracks() for item in session.items(track))
    said = [*said_by(session.timeline.GetMarkers()), *(cast for item in items for cast in said_by(item.GetMarkers()))]
    return sorted({cast.source for cast in said if cast.target and cast.source})


def ask(session: Session, request: dict[str, Any]) -> dict[str, Any] | None:
    """Ask the job `performers`; None where footage cannot be read, which is told where it is used. Raises Problem, EngineError."""
    job = session.engine.wait(session.engine.submit("performers", request)["id"], session.config.wait)
    if job["state"] == "finished":
        return dict(job["result"])
    why = job["error"]
    if job["state"] != "failed":
        what, remedy = "Faceplate has not said who may be used", "Start this script again; Faceplate monitor shows more"
        raise Problem(what, remedy)
    if why["exit_status"] != _FORBIDDEN:
        return None
    return {"allowed": False, "said": " ".join(filter(None, [why["message"], why["remedy"]]))}


def need(session: Session, asked: list[tuple[str, dict[str, Any]]]) -> None:
    """Say who would be used by which consents; each by the name of a clip, with a request. Raises Problem with what is missing."""
    once = {json.dumps(request, sort_keys=True): (name, request) for name, request in asked}
    said: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
    for name, request in once.values():
        if told := ask(session, request):
            said[told["allowed"]].setdefault(told["said"], []).append(name)
    listed = {
        allowed: ". ".join(f"{', '.join(names)}: {text}" for text, names in told.items())
        for allowed, told in said.items()
    }
    if listed[False]:
        raise Problem(listed[False], "Nothing was changed")
    if listed[True]:
        session.say(listed[True])
