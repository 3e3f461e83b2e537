"""Results come back into the timeline, and are taken away again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .plate import Plate
from .session import VIDEO, Problem, Session
from .text import number, pattern_of, slash

BIN = "Faceplate"
PATCH, OVER = "FaceplatePatch", "FaceplateOver"


def _import_pictures(session: Session, pattern: str, plate: Plate) -> tuple[Any, int]:
    """The rendered pictures in the Media Pool, once, and the number of the first one as Resolve counts."""
    root, before = session.pool.GetRootFolder(), session.pool.GetCurrentFolder()
    named = [folder for folder in root.GetSubFolderList() or [] if folder.GetName() == BIN]
    folder = named[0] if named else session.pool.AddSubFolder(root, BIN)
    for old in list(folder.GetClipList() or []):  # rendered again, maybe longer
        if slash(pattern_of(old.GetClipProperty("File Path") or "")) == slash(pattern):
            session.pool.DeleteClips([old])
    session.pool.SetCurrentFolder(folder)
    found = session.pool.ImportMedia([{"FilePath": pattern, "StartIndex": plate.low, "EndIndex": plate.high}])
    if before:
        session.pool.SetCurrentFolder(before)
    if not found:
        remedy = "Look whether the files are there, and whether this edition may read that folder"
        raise Problem(f"Resolve cannot open {pattern}", remedy)
    found[0].SetClipProperty("FPS", f"{plate.rate:g}")
    first = number(found[0].GetClipProperty("Start"))
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


PLACES: dict[str, Callable[[Session, Plate, dict[str, Any]], None]] = {
    "above": _put_above,
    "take": _put_take,
    "comp": _put_comp,
}
