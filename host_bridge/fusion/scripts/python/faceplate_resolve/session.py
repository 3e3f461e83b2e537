"""What is open in Resolve, and which of it is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.client import Client, connect, sentence

from .text import file_name, number, pattern_of, slash

VIDEO, NOTE = "video", "faceplate-note"
OURS = ("/overlay/overlay.", "/composite/composite.")


@dataclass(frozen=True)
class Config:
    """As `host_bridge.fusion.menu.Config`, which is written into each script."""

    folder: str
    results: str
    python: str
    version: str
    colour: str
    handles: int
    minutes: int
    method: str
    wait: int


class Problem(Exception):
    """Something that the user can mend: what, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{sentence(what)} {sentence(remedy)}")


class Session:
    """The open project and timeline. Raises Problem."""

    def __init__(self, resolve: Any, config: Config) -> None:
        if resolve is None:
            raise Problem("this script runs in DaVinci Resolve", "Start it from Workspace > Scripts")
        self.resolve, self.config = resolve, config
        self.timeline: Any = None
        self.project = resolve.GetProjectManager().GetCurrentProject()
        if self.project is None:
            raise Problem("no project is open", "Open one")
        self.pool = self.project.GetMediaPool()
        self.timeline = self.project.GetCurrentTimeline()
        if self.timeline is None:
            raise Problem("no timeline is open", "Open one on the Edit page")
        self.rate = number(self.timeline.GetSetting("timelineFrameRate")) or 24.0
        self._engine: Client | None = None

    @property
    def engine(self) -> Client:
        """The engine, started if there is none. Raises EngineError."""
        self._engine = self._engine or connect(python=self.config.python)
        return self._engine

    def say(self, text: str) -> None:
        """Show it on the console, and as one marker at the head of the timeline."""
        print(f"Faceplate: {text}")
        self.timeline.DeleteMarkerByCustomData(NOTE)
        for frame in range(21):  # one of them is free
            if self.timeline.AddMarker(frame, "Sand", "Faceplate", text, 1, NOTE):
                return

    def items(self, track: int) -> list[Any]:
        """The clips of a video track."""
        return list(self.timeline.GetItemListInTrack(VIDEO, track) or [])

    def tracks(self, above: int = 0) -> range:
        """The numbers of the video tracks above one."""
        return range(above + 1, self.timeline.GetTrackCount(VIDEO) + 1)

    def chosen(self) -> list[Any]:
        """The clips that are meant: those of one colour, else the one at the playhead; Resolve tells no script which are selected."""
        colour = self.config.colour
        found = [item for track in self.tracks() for item in self.items(track) if item.GetClipColor() == colour]
        playhead = None if found else self.timeline.GetCurrentVideoItem()
        if not found and playhead is None:
            raise Problem("no clip is chosen", f"Give clips the colour {colour}, or put the playhead on one")
        return found or [playhead]

    def sources(self, taken: set[str]) -> list[str]:
        """The source performer's footage: what is selected in the Media Pool, without the plates."""
        paths = [item.GetClipProperty("File Path") for item in self.pool.GetSelectedClips() or []]
        found = [pattern_of(path) for path in paths if path and path not in taken]
        if not found:
            what = "Select the footage of the performer whose face is put in, in the Media Pool"
            raise Problem("no source is chosen", what)
        return found

    def is_ours(self, path: str) -> bool:
        """Whether a file is one of Faceplate's results."""
        path = slash(path)
        return path.startswith(slash(self.config.results)) and any(part in path for part in OURS)

    def training(self, source: str, plate: str) -> str:
        """The folder of the training for this pair of clips."""
        pair = f"{file_name(Path(slash(source)).stem)}-on-{file_name(Path(slash(plate)).stem)}"
        return f"{self.config.results}/{file_name(self.project.GetName())}/training/{pair}"
