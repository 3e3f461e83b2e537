"""A Resolve for tests: a project with a media pool and timelines, that does what its documentation and its users say of it.

Indices count from 1, None comes where Resolve gives None, what overlaps is dropped, a marker needs a free frame. Files are looked up on disk.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import opentimelineio as otio

from nodes.footage.footage import open_footage
from tests.support.resolve_api import Handle

CANNOT_OPEN = {".mkv", ".exrs", ".txt"}
COLOURS = {"Orange", "Apricot", "Yellow", "Lime", "Olive", "Green", "Teal", "Navy", "Blue", "Purple", "Violet", "Pink"}
MARKERS = {"Blue", "Cyan", "Green", "Yellow", "Red", "Pink", "Purple", "Fuchsia", "Rose", "Lavender", "Sky", "Mint"}
MARKERS |= {"Lemon", "Sand", "Cocoa", "Cream"}


@dataclass
class Host:
    """end_counts: whether endFrame is the last frame, or the one after it; users say both."""

    prefs_file: Path | None = None
    end_counts: bool = True
    calls: list[tuple[str, str]] = field(default_factory=list)
    ids: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.resolve = Resolve(self)

    @property
    def project(self) -> Project:
        return self.resolve.manager.project

    @property
    def timeline(self) -> Timeline:
        return self.project.current

    @property
    def pool(self) -> MediaPool:
        return self.project.pool

    def handle(self) -> Any:
        return Handle(self.resolve)

    def media(self, path: Path, folder: Folder | None = None) -> MediaPoolItem:
        """Footage in the pool."""
        item = MediaPoolItem(self, path)
        (folder or self.pool.root).clips.append(item)
        return item

    def clip(self, media: MediaPoolItem, start: int, first: int, count: int, track: int = 1) -> TimelineItem:
        """A clip of the current timeline: at a frame of it, `count` frames from the media's `first` (counted from 0) on."""
        item = TimelineItem(self, media, self.timeline.start + start, count, media.start + first)
        self.timeline.tracks[track - 1].append(item)
        return item

    def notes(self) -> list[str]:
        return [marker["note"] for marker in self.timeline.markers.values()]


class Resolve:
    def __init__(self, host: Host) -> None:
        self.host, self.manager, self.fusion = host, ProjectManager(host), Fusion(host)

    def GetProjectManager(self) -> Any:
        return self.manager

    def Fusion(self) -> Any:
        return self.fusion

    def GetVersionString(self) -> str:
        return "21.1.0.17"

    def GetProductName(self) -> str:
        return "DaVinci Resolve"

    def GetCurrentPage(self) -> str:
        return "edit"


class ProjectManager:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.project = Project(host)

    def GetCurrentProject(self) -> Any:
        return self.project


class Project:
    def __init__(self, host: Host) -> None:
        self.host, self.pool = host, MediaPool(host)
        self.timelines = [Timeline(host, "Edit 1")]
        self.current: Timeline = self.timelines[0]

    def GetName(self) -> str:
        return "My film"

    def GetMediaPool(self) -> Any:
        return self.pool

    def GetCurrentTimeline(self) -> Any:
        return self.current

    def SetCurrentTimeline(self, timeline: Timeline) -> bool:
        self.current = timeline
        return True


class Folder:
    def __init__(self, host: Host, name: str) -> None:
        self.host, self.name = host, name
        self.clips: list[MediaPoolItem] = []
        self.folders: list[Folder] = []

    def GetName(self) -> str:
        return self.name

    def GetSubFolderList(self) -> list[Any]:
        return list(self.folders)

    def GetClipList(self) -> list[Any]:
        return list(self.clips)


class MediaPool:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.root = self.current = Folder(host, "Master")
        self.selected: list[MediaPoolItem] = []

    def GetRootFolder(self) -> Any:
        return self.root

    def GetCurrentFolder(self) -> Any:
        return self.current

    def SetCurrentFolder(self, folder: Folder) -> bool:
        self.current = folder
        return True

    def AddSubFolder(self, folder: Folder, name: str) -> Any:
        made = Folder(self.host, name)
        folder.folders.append(made)
        self.current = made
        return made

    def GetSelectedClips(self) -> list[Any]:
        return list(self.selected)

    def DeleteClips(self, clips: list[MediaPoolItem]) -> bool:
        for folder in (self.root, *self.root.folders):
            folder.clips = [clip for clip in folder.clips if clip not in clips]
        return True

    def ImportMedia(self, items: list[Any]) -> list[Any]:
        made = []
        for item in items:
            told = item if isinstance(item, dict) else {"FilePath": item}
            assert set(told) in ({"FilePath"}, {"FilePath", "StartIndex", "EndIndex"}), told
            span = range(told["StartIndex"], told["EndIndex"] + 1) if "StartIndex" in told else None
            files = [told["FilePath"] % n for n in span] if span else [told["FilePath"]]
            if all(map(Path.is_file, map(Path, files))) and Path(files[0]).suffix not in CANNOT_OPEN:
                made.append(MediaPoolItem(self.host, Path(told["FilePath"]), span))
        self.current.clips += made
        return made

    def AppendToTimeline(self, clips: list[Any]) -> list[Any]:
        made: list[Any] = []
        for info in clips:
            known = {"mediaPoolItem", "startFrame", "endFrame", "mediaType", "trackIndex", "recordFrame"}
            assert set(info) <= known and info["mediaType"] == 1, info
            media, timeline = info["mediaPoolItem"], self.host.timeline
            source = info["endFrame"] - info["startFrame"] + (1 if self.host.end_counts else 0)
            count = round(source / media.rate * timeline.rate)
            item = TimelineItem(self.host, media, info["recordFrame"], count, info["startFrame"])
            inside = media.start <= info["startFrame"] and info["startFrame"] + source <= media.start + media.frames
            track = timeline.tracks[info["trackIndex"] - 1] if info["trackIndex"] <= len(timeline.tracks) else None
            if track is None or not inside or any(item.overlaps(other) for other in track):
                made.append(None)
                continue
            track.append(item)
            made.append(item)
        return made

    def CreateEmptyTimeline(self, name: str) -> Any:
        project = self.host.project
        if any(t.name == name for t in project.timelines):
            return None
        project.timelines.append(Timeline(self.host, name))
        project.current = project.timelines[-1]
        return project.current

    def DeleteTimelines(self, timelines: list[Timeline]) -> bool:
        project = self.host.project
        assert project.current not in timelines
        project.timelines = [t for t in project.timelines if t not in timelines]
        return True

    def ImportTimelineFromFile(self, path: str, options: dict[str, Any] | None = None) -> Any:
        name = (options or {}).get("timelineName", Path(path).stem)
        project = self.host.project
        try:
            document = otio.adapters.read_from_file(path)
        except (OSError, otio.exceptions.OTIOError, ValueError):
            return None
        if any(t.name == name for t in project.timelines):
            return None
        made = Timeline(self.host, name)
        made.document = document
        project.timelines.append(made)
        return made


class MediaPoolItem:
    """Footage: a movie, whose frames count from 0, or a sequence, whose frames count as its files do."""

    def __init__(self, host: Host, path: Path, span: range | None = None) -> None:
        self.host, self.id = host, f"media-{next(host.ids)}"
        with open_footage(path) as footage:
            info = footage.info
        self.start, self.frames, self.rate = info.first, info.frames, float(info.rate)
        self.path = str(path)
        if span is not None or "%" in path.name:
            self.start, self.frames = (span.start, len(span)) if span else (info.first, info.frames)
            last = self.start + self.frames - 1
            digits = re.search(r"%0(\d)d", path.name)
            assert digits
            numbers = f"[{self.start:0{digits[1]}d}-{last:0{digits[1]}d}]"
            self.path = str(path.with_name(path.name.replace(digits[0], numbers)))
            self.rate = host.timeline.rate if span else float(info.rate)

    def GetName(self) -> str:
        return Path(self.path).name

    def GetClipProperty(self, name: str | None = None) -> Any:
        told = {"File Path": self.path, "FPS": self.rate, "Frames": str(self.frames), "Start": str(self.start)}
        return told if not name else told.get(name, "")

    def SetClipProperty(self, name: str, value: Any) -> bool:
        assert name == "FPS"
        self.rate = float(value)
        return True


class Timeline:
    def __init__(self, host: Host, name: str, rate: float = 25.0, tracks: int = 1) -> None:
        self.host, self.name, self.rate, self.start = host, name, rate, int(3600 * rate)
        self.tracks: list[list[TimelineItem]] = [[] for _ in range(tracks)]
        self.locked: set[int] = set()
        self.markers: dict[int, dict[str, Any]] = {}
        self.playhead: TimelineItem | None = None
        self.document: Any = None

    def GetName(self) -> str:
        return self.name

    def GetSetting(self, name: str) -> Any:
        return {"timelineFrameRate": f"{self.rate:g}"}.get(name, "")

    def GetStartFrame(self) -> int:
        return self.start

    def GetTrackCount(self, kind: str) -> int:
        return len(self.tracks) if kind == "video" else 0

    def GetItemListInTrack(self, kind: str, index: int) -> list[Any]:
        assert kind == "video" and 1 <= index <= len(self.tracks)
        return sorted(self.tracks[index - 1], key=lambda item: item.begin)

    def GetIsTrackLocked(self, kind: str, index: int) -> bool:
        return index in self.locked

    def AddTrack(self, kind: str, options: Any) -> bool:
        index = options.get("index", 0) if isinstance(options, dict) else 0
        self.tracks.insert(index - 1 if 1 <= index <= len(self.tracks) else len(self.tracks), [])
        return True

    def GetCurrentVideoItem(self) -> Any:
        return self.playhead

    def DeleteClips(self, items: list[TimelineItem], ripple: bool = False) -> bool:
        assert not ripple
        self.tracks = [[item for item in track if item not in items] for track in self.tracks]
        return True

    def AddMarker(self, frame: float, color: str, name: str, note: str, duration: float, data: str = "") -> bool:
        if frame in self.markers or color not in MARKERS:
            return False
        told = {"color": color, "name": name, "note": note, "duration": duration, "customData": data}
        self.markers[int(frame)] = told
        return True

    def GetMarkers(self) -> dict[float, dict[str, Any]]:
        return {float(frame): dict(marker) for frame, marker in self.markers.items()}

    def DeleteMarkerByCustomData(self, data: str) -> bool:
        found = [frame for frame, marker in self.markers.items() if marker["customData"] == data]
        for frame in found[:1]:
            del self.markers[frame]
        return bool(found)

    def Export(self, path: str, kind: Any, subtype: Any) -> bool:
        if (kind, subtype) != ("export_otio", "export_none") or not Path(path).parent.is_dir():
            return False
        track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
        at = self.start
        for item in self.GetItemListInTrack("video", 1):
            if item.begin > at:
                track.append(otio.schema.Gap(duration=otio.opentime.RationalTime(item.begin - at, self.rate)))
            time, media = otio.opentime.RationalTime, item.media
            spans = [
                otio.opentime.TimeRange(time(first, self.rate), time(count, self.rate))
                for first, count in ((item.source, item.count), (media.start, media.frames))
            ]
            reference = otio.schema.ExternalReference(media.path, spans[1])
            track.append(otio.schema.Clip(Path(media.path).name, reference, spans[0]))
            at = item.begin + item.count
        made = otio.schema.Timeline(self.name, global_start_time=otio.opentime.RationalTime(self.start, self.rate))
        made.tracks.append(track)
        made.metadata["Resolve_OTIO"] = {"Resolve OTIO Meta Version": "1.0"}
        otio.adapters.write_to_file(made, path)
        return True


class TimelineItem:
    def __init__(self, host: Host, media: MediaPoolItem | None, begin: int, count: int, source: int) -> None:
        self.host, self.media, self.begin, self.count, self.source = host, media, begin, count, source
        self.id, self.colour = f"item-{next(host.ids)}", ""
        self.comps: dict[str, FusionComp] = {}
        self.markers: dict[float, dict[str, Any]] = {}
        self.takes: list[dict[str, Any]] = []
        self.take, self.speed = 0, 1.0

    def overlaps(self, other: TimelineItem) -> bool:
        return self.begin < other.begin + other.count and other.begin < self.begin + self.count

    def GetName(self) -> str:
        return Path(self.media.path).name if self.media else "Text"

    def GetUniqueId(self) -> str:
        return self.id

    def GetMarkers(self) -> dict[float, dict[str, Any]]:
        return self.markers

    def GetClipColor(self) -> str:
        return self.colour

    def GetMediaPoolItem(self) -> Any:
        return self.takes[self.take - 1]["mediaPoolItem"] if self.take else self.media

    def GetStart(self, subframes: bool) -> int:
        return self.begin

    def GetDuration(self, subframes: bool) -> int:
        return self.count

    def GetLeftOffset(self, subframes: bool) -> int:
        return self.source - (self.media.start if self.media else 0)

    def GetSourceStartFrame(self) -> int:
        return self.source

    def GetSourceEndFrame(self) -> int:
        assert self.media
        return self.source + round(self.count * self.speed * self.media.rate / self.host.timeline.rate) - 1

    # takes

    def AddTake(self, media: MediaPoolItem, first: int | None = None, last: int | None = None) -> bool:
        if first is not None and not media.start <= first <= (last or first) < media.start + media.frames:
            return False
        if not self.takes:
            self.takes.append({"mediaPoolItem": self.media, "startFrame": self.source, "endFrame": 0})
            self.take = 1
        self.takes.append({"mediaPoolItem": media, "startFrame": first, "endFrame": last})
        return True

    def GetTakesCount(self) -> int:
        return len(self.takes)

    def GetTakeByIndex(self, index: int) -> Any:
        return self.takes[index - 1] if 1 <= index <= len(self.takes) else None

    def SelectTakeByIndex(self, index: int) -> bool:
        self.take = index if 1 <= index <= len(self.takes) else self.take
        return self.take == index

    def DeleteTakeByIndex(self, index: int) -> bool:
        if not 1 <= index <= len(self.takes) or index == self.take:
            return False
        del self.takes[index - 1]
        return True

    # compositions

    def GetFusionCompCount(self) -> int:
        return len(self.comps)

    def GetFusionCompNameList(self) -> list[str]:
        return list(self.comps)

    def GetFusionCompByIndex(self, index: int) -> Any:
        return list(self.comps.values())[index - 1] if 1 <= index <= len(self.comps) else None

    def AddFusionComp(self) -> Any:
        name = next(f"Composition {n}" for n in itertools.count(1) if f"Composition {n}" not in self.comps)
        self.comps[name] = FusionComp(self.host, self.count)
        return self.comps[name]

    def DeleteFusionCompByName(self, name: str) -> bool:
        return self.comps.pop(name, None) is not None


class FusionComp:
    """Tools by name; a value that is set while it is locked is noted as such. Undo: what is between StartUndo and EndUndo is a step."""

    def __init__(self, host: Host, frames: int) -> None:
        self.host, self.frames, self.locked = host, frames, 0
        self.tools = {name: Tool(self, name, name[:-1]) for name in ("MediaIn1", "MediaOut1")}
        self.tools["MediaOut1"].inputs["Input"] = self.tools["MediaIn1"]
        self.undo: list[str] = []
        self.open: list[str] = []

    def AddTool(self, id: str, x: float | None = None, y: float | None = None) -> Any:
        if id not in ("Loader", "Merge", "Background", "MatteControl") and not id.startswith("Fuse."):
            return None
        name = next(f"{id}{n}" for n in itertools.count(1) if f"{id}{n}" not in self.tools)
        self.tools[name] = Tool(self, name, id)
        return self.tools[name]

    def FindTool(self, name: str) -> Any:
        return next((tool for tool in self.tools.values() if tool.name == name), None)

    def GetToolList(self, selected: bool | None = None, type: str | None = None) -> Any:
        return dict(enumerate((t for t in self.tools.values() if type in (None, t.kind)), 1))

    def Lock(self) -> None:
        self.locked += 1

    def Unlock(self) -> None:
        assert self.locked
        self.locked -= 1

    def StartUndo(self, name: str) -> None:
        self.open.append(name)

    def EndUndo(self, keep: bool | None = None) -> None:
        self.undo.append(self.open.pop())

    def GetAttrs(self) -> dict[str, Any]:
        return {
            "COMPN_GlobalStart": 0,
            "COMPN_GlobalEnd": self.frames - 1,
            "COMPN_RenderStart": 0,
            "COMPN_RenderEnd": self.frames - 1,
        }


class Tool:
    def __init__(self, comp: FusionComp, name: str, kind: str) -> None:
        self.comp, self.host, self.name, self.kind = comp, comp.host, name, kind
        self.inputs: dict[str, Any] = {"GlobalIn": 0, "GlobalOut": 0} if kind == "Loader" else {}
        self.set_while_locked: set[str] = set()

    def SetInput(self, name: str, value: Any, time: float | None = None) -> None:
        if name == "GlobalIn":
            assert value <= self.inputs["GlobalOut"], "GlobalIn cannot pass GlobalOut"
        if name == "Clip":
            assert self.comp.locked, "a file dialog opens"
        if self.comp.locked:
            self.set_while_locked.add(name)
        self.inputs[name] = value

    def GetInput(self, name: str, time: float | None = None) -> Any:
        return self.inputs.get(name)

    def ConnectInput(self, name: str, tool: Tool) -> bool:
        assert isinstance(tool, Tool)
        self.inputs[name] = tool
        return True

    def GetAttrs(self) -> dict[str, Any]:
        return {"TOOLS_Name": self.name, "TOOLS_RegID": self.kind}

    def SetAttrs(self, told: dict[str, Any]) -> bool:
        self.name = told.get("TOOLS_Name", self.name)
        return True

    def Delete(self) -> bool:
        self.comp.tools = {name: tool for name, tool in self.comp.tools.items() if tool is not self}
        return True


class Fusion:
    """Preferences: a tree of tables, written as the Lua text that Fusion writes."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.tree: dict[str, Any] = {"Global": {"Locked": False}}

    def SetPrefs(self, name: str, value: Any = None) -> None:
        *path, last = name.split(".")
        node = self.tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value

    def GetPrefs(self, name: str | None = None) -> Any:
        node: Any = self.tree
        for part in name.split(".") if name else ():
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def SavePrefs(self, filename: str | None = None) -> None:
        path = Path(filename) if filename else self.host.prefs_file
        assert path is not None
        path.write_text(_as_lua(self.tree), "utf-8")

    def MapPath(self, path: str) -> str:
        return path.replace("Fuses:", "/resolve/Fusion/Fuses/")

    def GetVersion(self) -> float:
        return 21.1


def _as_lua(value: Any, indent: str = "") -> str:
    if isinstance(value, dict):
        return (
            "{\n"
            + "".join(f"{indent}\t{k} = {_as_lua(v, indent + chr(9))},\n" for k, v in value.items())
            + indent
            + "}"
        )
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
