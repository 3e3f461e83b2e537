"""Placing of results in the timeline, and their removal."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .timeline import VIDEO, MenuProblem, Timeline, media_path, number, pattern_of, slash

BIN = "Faceplate"
PATCH, OVER = "FaceplatePatch", "FaceplateOver"


def clip_of(item: Any, spans: dict[str, Any]) -> SimpleNamespace:
    """A clip that gets a result: its item, and its name, begin and duration in the timeline, with its frames as the engine counts them.

    first, low, high: frames of its footage, shown first, and rendered; count: of those shown; rate: its own.
    """
    return SimpleNamespace(**spans, item=item, begin=item.GetStart(False), duration=item.GetDuration(False))


def _import_pictures(timeline: Timeline, pattern: str, clip: Any) -> tuple[Any, int]:
    """The rendered pictures in the Media Pool, once, and the number of the first one as Resolve counts."""
    root, before = timeline.pool.GetRootFolder(), timeline.pool.GetCurrentFolder()
    bins = [folder for folder in root.GetSubFolderList() or [] if folder.GetName() == BIN]
    folder = bins[0] if bins else timeline.pool.AddSubFolder(root, BIN)
    for old in list(folder.GetClipList() or []):  # rendered again, maybe longer
        if slash(pattern_of(old.GetClipProperty("File Path") or "")) == slash(pattern):
            timeline.pool.DeleteClips([old])
    timeline.pool.SetCurrentFolder(folder)
    imported = timeline.pool.ImportMedia([{"FilePath": pattern, "StartIndex": clip.low, "EndIndex": clip.high}])
    if before:
        timeline.pool.SetCurrentFolder(before)
    if not imported:
        remedy = "Look whether the files are there, and whether this edition may read that folder"
        raise MenuProblem(f"Resolve cannot open {pattern}", remedy)
    imported[0].SetClipProperty("FPS", f"{clip.rate:g}")
    first = number(imported[0].GetClipProperty("Start"))
    return imported[0], clip.low if first is None else int(first)


def _track(timeline: Timeline, item: Any, name: str) -> int:
    for track in timeline.tracks():
        if any(other.GetUniqueId() == item.GetUniqueId() for other in timeline.items(track)):
            return track
    raise MenuProblem(f"{name}: is not in the timeline any more", "Choose it again")


def _overlaps(item: Any, start: int, duration: int) -> bool:
    begin = item.GetStart(False)
    return bool(begin < start + duration and begin + item.GetDuration(False) > start)


def _remove_above(timeline: Timeline, item: Any) -> int:
    """Remove results of an earlier run above a clip."""
    start, duration = item.GetStart(False), item.GetDuration(False)
    old = [
        other
        for track in timeline.tracks(above=_track(timeline, item, item.GetName()))
        for other in timeline.items(track)
        if timeline.is_ours(media_path(other)) and other.GetStart(False) >= start and _overlaps(other, start, duration)
    ]
    if old:
        timeline.current.DeleteClips(old, False)
    return len(old)


def _free_track(timeline: Timeline, clip: Any) -> int:
    """Return the lowest free track above, adding a track if all are in use."""
    for track in timeline.tracks(above=_track(timeline, clip.item, clip.name)):
        occupied = any(_overlaps(item, clip.begin, clip.duration) for item in timeline.items(track))
        if not occupied and not timeline.current.GetIsTrackLocked(VIDEO, track):
            return track
    timeline.current.AddTrack(VIDEO, {"index": timeline.current.GetTrackCount(VIDEO) + 1})
    return int(timeline.current.GetTrackCount(VIDEO))


def _put_above(timeline: Timeline, clip: Any, result: dict[str, Any]) -> None:
    """Lay the overlay above. Users disagree whether the end of a range counts: so look how long the clip is, and try the other."""
    pictures, start = _import_pictures(timeline, result["overlay"], clip)
    _remove_above(timeline, clip.item)
    first, track = start + clip.first - clip.low, _free_track(timeline, clip)
    for last in (first + clip.count - 1, first + clip.count):
        info = {
            "mediaPoolItem": pictures,
            "startFrame": first,
            "endFrame": last,
            "mediaType": 1,
            "trackIndex": track,
            "recordFrame": clip.begin,
        }
        made = [item for item in timeline.pool.AppendToTimeline([info]) or [] if item]
        if made and made[0].GetDuration(False) == clip.duration:
            return
        if made:
            timeline.current.DeleteClips(made, False)
    raise MenuProblem(
        f"{clip.name}: Resolve did not take the result", f"It is in the bin {BIN}: lay it over the clip by hand"
    )


def _put_take(timeline: Timeline, clip: Any, result: dict[str, Any]) -> None:
    pictures, start = _import_pictures(timeline, result["frames"], clip)
    first = start + clip.first - clip.low
    if not clip.item.AddTake(pictures, first, first + clip.count - 1):
        remedy = "Use Replace face in selected clips, which lays it above"
        raise MenuProblem(f"{clip.name}: Resolve did not add the take", remedy)
    clip.item.SelectTakeByIndex(clip.item.GetTakesCount())


def _our_comps(item: Any) -> list[str]:
    names = item.GetFusionCompNameList() or []
    comps = ((name, item.GetFusionCompByIndex(index)) for index, name in enumerate(names, 1))
    return [name for name, comp in comps if comp and comp.FindTool(PATCH)]


def _put_comp(timeline: Timeline, clip: Any, result: dict[str, Any]) -> None:
    """MediaIn > Merge > MediaOut, with the pictures in front. One step to undo."""
    for name in _our_comps(clip.item):
        clip.item.DeleteFusionCompByName(name)
    comp = clip.item.AddFusionComp()
    if comp is None:
        remedy = "Use Replace face in selected clips"
        raise MenuProblem(f"{clip.name}: Resolve made no Fusion composition", remedy)
    comp.StartUndo("Faceplate: replace face")
    comp.Lock()
    attributes = comp.GetAttrs()
    begin = attributes.get("COMPN_RenderStart", attributes.get("COMPN_GlobalStart", 0)) - (clip.first - clip.low)
    pictures, merge = comp.AddTool("Loader", -32768, -32768), comp.AddTool("Merge", -32768, -32768)
    pictures.SetAttrs({"TOOLS_Name": PATCH})
    merge.SetAttrs({"TOOLS_Name": OVER})
    pictures.SetInput("Clip", result["overlay"] % clip.low)
    pictures.SetInput("GlobalOut", begin + clip.high - clip.low)
    pictures.SetInput("GlobalIn", begin)
    merge.ConnectInput("Background", comp.FindTool("MediaIn1"))
    merge.ConnectInput("Foreground", pictures)
    comp.FindTool("MediaOut1").ConnectInput("Input", merge)
    comp.Unlock()
    pictures.SetInput("PostMultiplyByAlpha", 1)  # straight alpha; a value set while locked may never render
    comp.EndUndo()


def take_away(timeline: Timeline, item: Any) -> int:
    """Remove all results from a clip. Returns their number."""
    count = _remove_above(timeline, item)
    count += sum(bool(item.DeleteFusionCompByName(name)) for name in _our_comps(item))
    for index in range(item.GetTakesCount(), 0, -1):
        take = item.GetTakeByIndex(index)
        path = take["mediaPoolItem"].GetClipProperty("File Path") if take and take.get("mediaPoolItem") else ""
        if path and timeline.is_ours(path):
            item.SelectTakeByIndex(1)
            count += bool(item.DeleteTakeByIndex(index))
    return count


PLACES: dict[str, Callable[[Timeline, Any, dict[str, Any]], None]] = {
    "above": _put_above,
    "take": _put_take,
    "comp": _put_comp,
}
