"""What is open in Resolve, which of it is meant, and the engine that is asked about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from host_bridge.client import EngineError, sentence
from host_bridge.session import Session

VIDEO, NOTE = "video", "faceplate-note"
OURS = ("/overlay/overlay.", "/composite/composite.")
_SEQUENCE = re.compile(r"\[(\d+)-\d+\]")


@dataclass(frozen=True)
class Config:
    """What the scripts know of this machine, written into each by the installer.

    folder: the watched one; results: where pictures go; python: of Faceplate's environment; colour: of the clips that are meant; handles: frames
    more at either end; minutes: of a training; method: how the shots of a timeline are done; wait: seconds that a script waits for the engine.
    """

    folder: str
    results: str
    python: str
    version: str
    colour: str = "Purple"
    handles: int = 8
    minutes: int = 30
    method: str = "model"
    wait: int = 600


class MenuProblem(Exception):
    """Something that the user can mend: what, and what to do about it; without a remedy `what` says all of it."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{sentence(what)} {sentence(remedy)}" if remedy else what)


class Timeline:
    """The open project and timeline. Raises MenuProblem."""

    def __init__(self, resolve: Any, config: Config) -> None:
        if resolve is None:
            raise MenuProblem("this script runs in DaVinci Resolve", "Start it from Workspace > Scripts")
        self.resolve, self.config, self.session = resolve, config, Session(lambda: config.python)
        self.project = resolve.GetProjectManager().GetCurrentProject()
        if self.project is None:
            raise MenuProblem("no project is open", "Open one")
        self.pool = self.project.GetMediaPool()
        self.current = self.project.GetCurrentTimeline()
        if self.current is None:
            raise MenuProblem("no timeline is open", "Open one on the Edit page")

    def say(self, text: str) -> None:
        """Show it on the console, and as one marker at the head of the timeline."""
        print(f"Faceplate: {text}")
        self.current.DeleteMarkerByCustomData(NOTE)
        for frame in range(21):  # one of them is free
            if self.current.AddMarker(frame, "Sand", "Faceplate", text, 1, NOTE):
                return

    def items(self, track: int) -> list[Any]:
        """The clips of a video track."""
        return list(self.current.GetItemListInTrack(VIDEO, track) or [])

    def tracks(self, above: int = 0) -> range:
        """The numbers of the video tracks above one."""
        return range(above + 1, self.current.GetTrackCount(VIDEO) + 1)

    def all_items(self) -> list[Any]:
        """The clips of all video tracks."""
        return [item for track in self.tracks() for item in self.items(track)]

    def chosen(self) -> list[Any]:
        """The clips that are meant: those of one colour, else the one at the playhead; Resolve tells no script which are selected. Raises MenuProblem."""
        colour = self.config.colour
        items = [item for item in self.all_items() if item.GetClipColor() == colour]
        if not items and (playhead := self.current.GetCurrentVideoItem()) is None:
            raise MenuProblem("no clip is chosen", f"Give clips the colour {colour}, or put the playhead on one")
        return items or [playhead]

    def with_footage(self, items: Iterable[Any]) -> list[Any]:
        """Those with footage of their own, results left out."""
        return [item for item in items if (path := media_path(item)) and not self.is_ours(path)]

    def is_ours(self, path: str) -> bool:
        """Whether a file is one of Faceplate's results."""
        path = slash(path)
        return path.startswith(slash(self.config.results)) and any(part in path for part in OURS)

    @property
    def edit(self) -> str:
        """Where the timeline is written, without ending."""
        name = re.sub(r"[^0-9A-Za-z_-]+", "-", self.current.GetName()).strip("-")[:60] or "untitled"
        return f"{self.config.folder}/edits/{name}"

    def decide(self, action: str, items: list[Any]) -> dict[str, Any]:
        """Have the engine decide what is done with these clips, and say what it allows. Raises MenuProblem with what it refuses, EngineError."""
        sources = [item.GetClipProperty("File Path") for item in self.pool.GetSelectedClips() or []]
        request = {
            "action": action,
            "project": self.project.GetName(),
            "timeline": self.current.GetName(),
            "rate": number(self.current.GetSetting("timelineFrameRate")) or 24.0,
            "start": self.current.GetStartFrame(),
            "markers": _markers(self.current),
            "sources": [pattern_of(path) for path in sources if path],
            "clips": [_facts(item) for item in items],
            "edit": self.edit,
        }
        request |= {name: getattr(self.config, name) for name in ("results", "handles", "minutes", "method")}
        job = self.session.do("resolve", request, self.config.wait)
        if job["state"] == "failed":
            raise EngineError(job["error"]["message"], remedy=job["error"]["remedy"])
        if job["state"] != "finished":
            remedy = "Start this script again; Faceplate monitor shows more"
            raise MenuProblem("Faceplate has not said who may be used", remedy)
        if not job["result"]["allowed"]:
            raise MenuProblem(job["result"]["said"])
        if job["result"]["said"]:
            self.say(job["result"]["said"])
        return dict(job["result"])


def _facts(item: Any) -> dict[str, Any]:
    """A clip as the engine is told of it."""
    begin, duration, path = item.GetStart(False), item.GetDuration(False), media_path(item)
    facts = {"name": item.GetName(), "begin": begin, "duration": duration, "markers": _markers(item)}
    if not path:
        return facts
    start, frames, rate = (number(item.GetMediaPoolItem().GetClipProperty(name)) for name in ("Start", "Frames", "FPS"))
    facts |= {"path": pattern_of(path), "sequence": _SEQUENCE.search(path) is not None, "start": start or 0}
    return facts | {
        "frames": frames,
        "rate": rate,
        "first": item.GetSourceStartFrame(),
        "last": item.GetSourceEndFrame(),
    }


def _markers(owner: Any) -> list[dict[str, Any]]:
    return [
        {"frame": frame, **{name: marker[name] for name in ("duration", "name", "note") if marker.get(name)}}
        for frame, marker in (owner.GetMarkers() or {}).items()
        if marker.get("customData") != NOTE
    ]


def media_path(item: Any) -> str:
    """The file of a clip, as Resolve names it; empty without one."""
    media = item.GetMediaPoolItem()
    return (media.GetClipProperty("File Path") if media else "") or ""


def pattern_of(path: str) -> str:
    """`f_[0001-0100].dpx`, as Resolve names sequences, to `f_%04d.dpx`."""
    return _SEQUENCE.sub(lambda match: f"%0{len(match[1])}d", path)


def number(text: Any) -> float | None:
    """The number in a property, which may be text; None if there is none."""
    match = re.search(r"[\d.]+", str(text or ""))
    return float(match[0]) if match else None


def slash(path: str) -> str:
    """A path with slashes."""
    return path.replace("\\", "/")
