"""Faceplate in DaVinci Resolve Studio: what the menu scripts do, as lua/library.lua and lua/place.lua do it, with the engine spoken to directly."""

from __future__ import annotations

import re
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.client import Client, EngineError, connect

VIDEO, NOTE, BIN = "video", "faceplate-note", "Faceplate"
PATCH, OVER = "FaceplatePatch", "FaceplateOver"
_OURS = ("/overlay/overlay.", "/composite/composite.")
_SEQUENCE = re.compile(r"\[(\d+)-\d+\]")


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
        super().__init__(f"{what.rstrip('.')}. {remedy.rstrip('.')}.")


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
        self.rate = _number(self.timeline.GetSetting("timelineFrameRate")) or 24.0
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
        path = _slash(path)
        return path.startswith(_slash(self.config.results)) and any(part in path for part in _OURS)

    def training(self, source: str, plate: str) -> str:
        """The folder of the training for this pair of clips."""
        pair = f"{file_name(Path(_slash(source)).stem)}-on-{file_name(Path(_slash(plate)).stem)}"
        return f"{self.config.results}/{file_name(self.project.GetName())}/training/{pair}"


@dataclass(frozen=True)
class Plate:
    """What a clip shows, by Faceplate's frame numbers: those of the files, or counted from 0. first: shown first; low..high: rendered."""

    item: Any
    name: str
    path: str
    rate: float
    count: int
    first: int
    low: int
    high: int
    start: int
    duration: int

    @property
    def pattern(self) -> str:
        """The footage as Faceplate opens it."""
        return pattern_of(self.path)


def shown(session: Session, item: Any) -> Plate:
    """Read a clip. Raises Problem for what has no footage, or another speed."""
    name, pool_item = item.GetName(), item.GetMediaPoolItem()
    path = pool_item.GetClipProperty("File Path") if pool_item else ""
    if not path:
        remedy = "Titles, generators and compound clips go by Export timeline to Faceplate"
        raise Problem(f"{name}: has no footage of its own", remedy)
    start, frames = int(_number(pool_item.GetClipProperty("Start")) or 0), _number(pool_item.GetClipProperty("Frames"))
    rate = _number(pool_item.GetClipProperty("FPS")) or session.rate
    duration = item.GetDuration(False)
    count = max(_round(duration * rate / session.rate), 1)
    first, last = item.GetSourceStartFrame() - start, item.GetSourceEndFrame() - start
    if last < first or abs(last - first - count) > 1:
        raise Problem(f"{name}: its speed was changed", "Use Export timeline to Faceplate, which follows speed changes")
    numbered = start if _SEQUENCE.search(path) else 0
    low, high = max(first - session.config.handles, 0), first + count - 1 + session.config.handles
    if frames:
        high = min(high, int(frames) - 1)
    low, high, first = numbered + low, numbered + high, numbered + first
    return Plate(item, name, path, rate, count, first, low, high, item.GetStart(False), duration)


def replace(resolve: Any, config: Config, place: str) -> None:
    """Replace the face in the chosen clips; place: above, take or comp. Started again it fetches what was done meanwhile."""
    _run(resolve, config, lambda session: _replace(session, place))


def undo(resolve: Any, config: Config) -> None:
    """Take back what `replace` has put in for the chosen clips. Rendered files stay."""

    def work(session: Session) -> None:
        gone = sum(take_away(session, item) for item in session.chosen())
        session.say(f"{gone} results were taken back" if gone else "there was nothing to take back")

    _run(resolve, config, work)


def train(resolve: Any, config: Config) -> None:
    """Gather both performers' faces, and train a model. Started again it goes on with what is done."""
    _run(resolve, config, _train)


def export(resolve: Any, config: Config) -> None:
    """Give the whole timeline to Faceplate, with who is put in; Resolve writes it as OpenTimelineIO."""

    def work(session: Session) -> None:
        base = _edit(session)
        path = f"{base}.otio"
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not session.timeline.Export(path, resolve.EXPORT_OTIO, resolve.EXPORT_NONE):
            remedy = f"Export it by hand, File > Export > Timeline as OTIO, into {config.folder}"
            raise Problem(f"Resolve could not write {path}", remedy)
        export = {"profile": "resolve", "out": f"{base}.faceplate.otio"}
        request: dict[str, Any] = {"edit": path, "out": f"{base}.faceplate", "export": export}
        request |= {"run": {"method": config.method}, "train": {"minutes": config.minutes}}
        try:
            sources = session.sources(set())
        except Problem:  # then markers in the timeline say it
            sources = []
        if sources:
            name = Path(_slash(sources[0])).stem
            request |= {"performers": {name: sources}, "source": name}
        session.engine.submit("timeline", request)
        session.say(
            "the timeline was given to Faceplate. When Faceplate monitor says it is done, Import result timeline"
        )

    _run(resolve, config, work)


def bring(resolve: Any, config: Config) -> None:
    """Bring the result of `export` into the project, as a timeline of its own."""

    def work(session: Session) -> None:
        name, path = session.timeline.GetName(), f"{_edit(session)}.faceplate.otio"
        if not Path(path).is_file():
            raise Problem(f"there is no result of {name} yet", "Faceplate monitor shows how it goes")
        for number in range(1, 51):  # None, and nothing else, says that the name is taken
            fresh = f"{name} Faceplate" + (f" {number}" if number > 1 else "")
            options = {"timelineName": fresh, "importSourceClips": True}
            if made := session.pool.ImportTimelineFromFile(path, options):
                session.project.SetCurrentTimeline(made)
                session.timeline = made
                session.say(f"the result is the timeline {fresh}")
                return
        raise Problem(f"Resolve did not import {path}", "Try File > Import > Timeline, which says why")

    _run(resolve, config, work)


def monitor(resolve: Any, config: Config) -> None:
    """Open the page that shows all jobs."""
    try:
        webbrowser.open(connect(python=config.python).page)
    except EngineError as e:
        print(f"Faceplate: {e}")


# ---- the work


def _run(resolve: Any, config: Config, work: Callable[[Session], None]) -> None:
    session: Session | None = None
    try:
        session = Session(resolve, config)
        work(session)
    except (Problem, EngineError) as e:
        if session is None:
            print(f"Faceplate: {e}")
        else:
            session.say(str(e))


def _replace(session: Session, place: str) -> None:
    plates: list[Plate] = []
    told: list[str] = []
    for item in session.chosen():
        try:
            plates.append(shown(session, item))
        except Problem as e:
            told.append(str(e))
    if not plates:
        raise Problem(" ".join(told).rstrip("."), "Choose other clips")
    source = session.sources({plate.path for plate in plates})[0]
    jobs = [session.engine.submit("swap", _request(session, plate, source, place)) for plate in plates]
    end, done = time.monotonic() + session.config.wait, 0
    for plate, asked in zip(plates, jobs, strict=True):
        job = session.engine.wait(asked["id"], max(end - time.monotonic(), 0))
        if job["state"] == "finished":
            try:
                _PLACES[place](session, plate, job["result"])
                done += 1
            except Problem as e:
                told.append(str(e))
        elif job["state"] == "failed":
            told.append(f"{plate.name}: {job['error']['message']}")
        else:
            told.append(f"{plate.name}: the engine is still at it. Start this script again later to fetch it")
    session.say(" ".join([f"{done} of {len(plates)} clips have their new face.", *told]))


def _request(session: Session, plate: Plate, source: str, place: str) -> dict[str, Any]:
    names = (session.project.GetName(), session.timeline.GetName(), f"{plate.name}-{plate.low}-{plate.high}")
    request: dict[str, Any] = {
        "plate": plate.pattern,
        "source": source,
        "range": f"{plate.low}-{plate.high}",
        "out": "/".join([session.config.results, *map(file_name, names)]),
        "overlay": place != "take",
        "frames": place == "take",
    }
    if plate.pattern != plate.path:
        request["rate"] = f"{plate.rate:g}"
    model = Path(session.training(source, plate.path), "model", "model.onnx")
    if model.is_file():
        request["settings"] = {"swap": {"model": str(model)}}
    return request


def _train(session: Session) -> None:
    paths: dict[str, str] = {}
    for item in session.chosen():
        pool_item = item.GetMediaPoolItem()
        path = pool_item.GetClipProperty("File Path") if pool_item else ""
        if path and not session.is_ours(path):
            paths[path] = pattern_of(path)
    if not paths:
        remedy = "Choose clips of the performer whose face is replaced"
        raise Problem("no chosen clip has footage of its own", remedy)
    sources = session.sources(set(paths))
    out = session.training(sources[0], next(iter(paths)))
    sets = {"source": sources, "target": list(paths.values())}
    for name, clips in sets.items():
        asked = {"clips": clips, "performer": name, "out": f"{out}/{name}", "rate": f"{session.rate:g}"}
        job = session.engine.wait(session.engine.submit("faceset", asked)["id"], session.config.wait)
        if job["state"] == "failed":
            raise Problem(f"The {name}'s faces: {job['error']['message']}", "Look at Faceplate monitor")
        if job["state"] != "finished":
            raise Problem(f"The {name}'s faces are not ready yet", "Start this script again later")
    request = {
        "facesets": [f"{out}/{name}" for name in sets],
        "out": f"{out}/model",
        "train": {"minutes": session.config.minutes},
        "resume": Path(out, "model", "losses.csv").is_file(),
    }
    session.engine.submit("train", request)
    session.say(
        f"the training has begun, for {session.config.minutes} minutes. Faceplate monitor shows it. "
        "Replace face uses its model when it is done"
    )


def _edit(session: Session) -> str:
    """Where the timeline goes, without an ending."""
    return f"{session.config.folder}/edits/{file_name(session.timeline.GetName())}"


# ---- results come back into the timeline


def _import_pictures(session: Session, pattern: str, plate: Plate) -> tuple[Any, int]:
    """The rendered pictures in the Media Pool, once, and the number of the first one as Resolve counts."""
    root, before = session.pool.GetRootFolder(), session.pool.GetCurrentFolder()
    named = [folder for folder in root.GetSubFolderList() or [] if folder.GetName() == BIN]
    folder = named[0] if named else session.pool.AddSubFolder(root, BIN)
    for old in list(folder.GetClipList() or []):  # rendered again, maybe longer
        if _slash(pattern_of(old.GetClipProperty("File Path") or "")) == _slash(pattern):
            session.pool.DeleteClips([old])
    session.pool.SetCurrentFolder(folder)
    found = session.pool.ImportMedia([{"FilePath": pattern, "StartIndex": plate.low, "EndIndex": plate.high}])
    if before:
        session.pool.SetCurrentFolder(before)
    if not found:
        remedy = "Look whether the files are there, and whether this edition may read that folder"
        raise Problem(f"Resolve cannot open {pattern}", remedy)
    found[0].SetClipProperty("FPS", f"{plate.rate:g}")
    first = _number(found[0].GetClipProperty("Start"))
    return found[0], plate.low if first is None else int(first)


def _track(session: Session, item: Any, name: str) -> int:
    for track in session.tracks():
        if any(other.GetUniqueId() == item.GetUniqueId() for other in session.items(track)):
            return track
    raise Problem(f"{name}: is not in the timeline any more", "Choose it again")


def _overlaps(item: Any, start: int, duration: int) -> bool:
    begin = item.GetStart(False)
    return bool(begin < start + duration and begin + item.GetDuration(False) > start)


def _remove_above(session: Session, item: Any) -> int:
    """Take away what an earlier run has put above a clip."""
    start, duration, gone = item.GetStart(False), item.GetDuration(False), 0
    for track in session.tracks(above=_track(session, item, item.GetName())):
        old = []
        for other in session.items(track):
            pool_item = other.GetMediaPoolItem()
            path = pool_item.GetClipProperty("File Path") if pool_item else ""
            if path and session.is_ours(path) and other.GetStart(False) >= start and _overlaps(other, start, duration):
                old.append(other)
        if old:
            session.timeline.DeleteClips(old, False)
            gone += len(old)
    return gone


def _free_track(session: Session, plate: Plate) -> int:
    """The lowest track above with nothing in the way; a new one if there is none."""
    for track in session.tracks(above=_track(session, plate.item, plate.name)):
        taken = any(_overlaps(item, plate.start, plate.duration) for item in session.items(track))
        if not taken and not session.timeline.GetIsTrackLocked(VIDEO, track):
            return track
    session.timeline.AddTrack(VIDEO, {"index": session.timeline.GetTrackCount(VIDEO) + 1})
    return int(session.timeline.GetTrackCount(VIDEO))


def _put_above(session: Session, plate: Plate, result: dict[str, Any]) -> None:
    """Lay the overlay above. Users disagree whether the end of a range counts: so look how long the clip is, and try the other."""
    pictures, start = _import_pictures(session, result["overlay"], plate)
    _remove_above(session, plate.item)
    first, track = start + plate.first - plate.low, _free_track(session, plate)
    for last in (first + plate.count - 1, first + plate.count):
        info = {
            "mediaPoolItem": pictures,
            "startFrame": first,
            "endFrame": last,
            "mediaType": 1,
            "trackIndex": track,
            "recordFrame": plate.start,
        }
        made = [item for item in session.pool.AppendToTimeline([info]) or [] if item]
        if made and made[0].GetDuration(False) == plate.duration:
            return
        if made:
            session.timeline.DeleteClips(made, False)
    raise Problem(
        f"{plate.name}: Resolve did not take the result", f"It is in the bin {BIN}: lay it over the clip by hand"
    )


def _put_take(session: Session, plate: Plate, result: dict[str, Any]) -> None:
    pictures, start = _import_pictures(session, result["frames"], plate)
    first = start + plate.first - plate.low
    if not plate.item.AddTake(pictures, first, first + plate.count - 1):
        remedy = "Use Replace face in selected clips, which lays it above"
        raise Problem(f"{plate.name}: Resolve did not add the take", remedy)
    plate.item.SelectTakeByIndex(plate.item.GetTakesCount())


def _our_comps(item: Any) -> list[str]:
    names = item.GetFusionCompNameList() or []
    comps = ((name, item.GetFusionCompByIndex(index)) for index, name in enumerate(names, 1))
    return [name for name, comp in comps if comp and comp.FindTool(PATCH)]


def _put_comp(session: Session, plate: Plate, result: dict[str, Any]) -> None:
    """MediaIn > Merge > MediaOut, with the pictures in front. One step to undo."""
    for name in _our_comps(plate.item):
        plate.item.DeleteFusionCompByName(name)
    comp = plate.item.AddFusionComp()
    if comp is None:
        remedy = "Use Replace face in selected clips"
        raise Problem(f"{plate.name}: Resolve made no Fusion composition", remedy)
    comp.StartUndo("Faceplate: replace face")
    comp.Lock()
    attributes = comp.GetAttrs()
    begin = attributes.get("COMPN_RenderStart", attributes.get("COMPN_GlobalStart", 0)) - (plate.first - plate.low)
    pictures, merge = comp.AddTool("Loader", -32768, -32768), comp.AddTool("Merge", -32768, -32768)
    pictures.SetAttrs({"TOOLS_Name": PATCH})
    merge.SetAttrs({"TOOLS_Name": OVER})
    pictures.SetInput("Clip", result["overlay"] % plate.low)
    pictures.SetInput("GlobalOut", begin + plate.high - plate.low)
    pictures.SetInput("GlobalIn", begin)
    merge.ConnectInput("Background", comp.FindTool("MediaIn1"))
    merge.ConnectInput("Foreground", pictures)
    comp.FindTool("MediaOut1").ConnectInput("Input", merge)
    comp.Unlock()
    pictures.SetInput("PostMultiplyByAlpha", 1)  # straight alpha; a value set while locked may never render
    comp.EndUndo()


def take_away(session: Session, item: Any) -> int:
    """Take back all that any of these has done to a clip. Returns how much it was."""
    gone = _remove_above(session, item)
    gone += sum(bool(item.DeleteFusionCompByName(name)) for name in _our_comps(item))
    for index in range(item.GetTakesCount(), 0, -1):
        take = item.GetTakeByIndex(index)
        path = take["mediaPoolItem"].GetClipProperty("File Path") if take and take.get("mediaPoolItem") else ""
        if path and session.is_ours(path):
            item.SelectTakeByIndex(1)
            gone += bool(item.DeleteTakeByIndex(index))
    return gone


_PLACES: dict[str, Callable[[Session, Plate, dict[str, Any]], None]] = {
    "above": _put_above,
    "take": _put_take,
    "comp": _put_comp,
}


# ---- text


def pattern_of(path: str) -> str:
    """`f_[0001-0100].dpx`, as Resolve names sequences, to `f_%04d.dpx`."""
    return _SEQUENCE.sub(lambda found: f"%0{len(found[1])}d", path)


def file_name(text: str) -> str:
    """A name that is fit for a file on every system."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", text).strip("-")[:60] or "untitled"


def _number(text: Any) -> float | None:
    found = re.search(r"[\d.]+", str(text or ""))
    return float(found[0]) if found else None


def _round(value: float) -> int:
    return int(value + 0.5)


def _slash(path: str) -> str:
    return path.replace("\\", "/")
