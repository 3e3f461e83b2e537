"""The media of a clip: the file of its media reference, its rate, start timecode and length.

One image may stand for its sequence, and a result of Faceplate stands for its plate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.document import NAME, ShotRecord, TimelineRun, load
from host_bridge.timeline.read.model import REMEDY, block_of, nearest, seconds, start_of
from host_bridge.timeline.read.places import Header, Places, begin_of, read_header
from host_bridge.timeline.shots.shot import Media
from nodes.errors import FaceplateError, FootageError, SchemaError
from nodes.footage.formats import IMAGES, image_format
from nodes.footage.rates import frames_per_day, snap_rate

OURS, MEDIA = "faceplate", "faceplate.media/1"
_NUMBER = re.compile(r"(\d+)(?=\.[^.]+$)")
_OURS = re.compile(r"(V\d+(?:-\d+)?(?:\.V\d+(?:-\d+)?)*)\.(composite|patch)(?:\.(?:prores4444|dnxhr|avc)\.mov|/|\\|$)")
_LEVELS = 4  # from a result up to the folder of its run


@dataclass(frozen=True, slots=True)
class ClipMedia:
    """A clip's media. origin: its begin in the document's count, in seconds. length: in seconds; None if unknown.

    patch: whether it is a patch of ours, without a plate.
    """

    media: Media
    origin: Fraction
    length: Fraction | None
    notes: tuple[str, ...] = ()
    patch: bool = False


def media_of(clip: Any, places: Places, rate: Fraction, *, results: bool = False) -> ClipMedia:
    """Find the media of a clip: its active media reference, or another if that is missing.

    rate: of the sequence, for media without one. results: return results of Faceplate as they are; by default their plate is
    returned, or missing media if the plate is unknown.
    """
    references = dict(clip.media_references())
    active = clip.active_media_reference_key
    keys = [key for key in dict.fromkeys((active, "DEFAULT_MEDIA", *sorted(references))) if key in references]
    result_keys = {key for key in keys if key == OURS or block_of(references[key], OURS).get("schema") == MEDIA}
    keys = [key for key in keys if results or key not in result_keys] or list(references)
    missing: list[ClipMedia] = []
    for key in keys:
        source = _look(clip, key, references[key], places, rate)
        if not results and (result := _result_behind(source.media)) is not None:
            source = _plate_of(source, *result)
        if source.media.path is not None or source.patch:
            if key != active and missing:
                why = missing[0].notes[-1].removeprefix("media ") if missing[0].notes else "is missing"
                source = replace(source, notes=(*source.notes, f"the active media '{active}' {why}; '{key}' is used"))
            return source
        missing.append(source)
    nothing = ClipMedia(Media("", None, rate, 0, None), Fraction(0), None, ("media has no reference",))
    return missing[0] if missing else nothing


def _look(clip: Any, key: str, reference: Any, places: Places, rate: Fraction) -> ClipMedia:
    """Find the media of one reference of a clip."""
    url = url_of_reference(reference)
    name = "" if url or not isinstance(reference, otio.schema.MissingReference) else reference.name or clip.name
    path, note = places.find(url, name) if url or name else (None, "is not named")
    notes = [f"media {note}"] if note else []
    what = f"the media of clip '{clip.name}'"
    available = reference.available_range
    stated = began = length = None
    if available is not None:
        began, length = seconds(available.start_time, what), seconds(available.duration, what)
        stated = snap_rate(available.duration.rate)
        if length < 0:
            raise SchemaError(f"{what} is {float(length):g} s long", remedy=REMEDY)
    ahead = 0
    if path is not None and isinstance(reference, otio.schema.ExternalReference):
        path, ahead, note = _sequence_behind(path, available, clip.source_range)
        notes += [note] if note else []
    header = None
    if path is not None:
        try:
            header = read_header(path)
        except FootageError as e:
            notes.append(f"media cannot be used: {e}")
    used = start_of(clip)
    if header is None:
        media_rate = stated or rate
        began = used if began is None else began  # the begin of missing media is unknown
        frames = None if length is None else nearest(length * media_rate)
        media = Media(url, None, media_rate, nearest(began * media_rate), frames, key)
        return ClipMedia(media, began, length, tuple(notes))
    media_rate, note = _rate(header, stated, length, rate)
    notes += [note] if note else []
    day = frames_per_day(media_rate, drop=header.drop)
    if began is None:
        began = Fraction(header.start or 0)
        if header.start is not None and clip.source_range is not None:
            began = begin_of(used * media_rate, began, Fraction(header.frames), day)
        began /= media_rate
    elif length and clip.source_range is not None:
        days = (began, began - day / media_rate, began + day / media_rate)
        began = next((begin for begin in days if begin <= used < begin + length), began)
    start = nearest(began * media_rate)
    if isinstance(reference, otio.schema.ImageSequenceReference) and header.start is not None:
        ahead = reference.start_frame - header.start
        if reference.frame_step != 1:
            notes.append(f"media: every {reference.frame_step}th image is named; all are taken")
    # Files before the document's first one shift position 0.
    media = Media(url, path, media_rate, start - ahead, header.frames, key)
    length = header.frames / media_rate if length is None else length
    return ClipMedia(media, began - ahead / media_rate, length, tuple(notes))


def url_of_reference(reference: Any) -> str:
    """Return the URL of a media reference, of a sequence as name.%04d.exr; empty if it has none."""
    if isinstance(reference, otio.schema.ImageSequenceReference):
        base = reference.target_url_base
        slash = "" if not base or base.endswith(("/", "\\")) else "\\" if "\\" in base and "/" not in base else "/"
        digits = reference.frame_zero_padding
        place = f"%0{digits}d" if digits else "%d"
        return f"{base}{slash}{reference.name_prefix}{place}{reference.name_suffix}"
    return str(getattr(reference, "target_url", None) or "")


def _rate(header: Header, stated: Fraction | None, length: Fraction | None, rate: Fraction) -> tuple[Fraction, str]:
    """Return a file's own rate, or the document's if the editor plays the same frames at that one; and a note."""
    if header.rate is None or stated is None or stated == header.rate or length is None or header.still:
        return header.rate or stated or rate, ""
    same_frames = abs(length * stated - header.frames)
    same_time = abs(length - header.frames / header.rate) * header.rate
    if same_frames < same_time and same_frames <= max(1, header.frames // 100):
        return (
            stated,
            f"media is played at {float(stated):.6g} frames per second; the file says {float(header.rate):.6g}",
        )
    return header.rate, ""


# --- sequences named by one of their files, as in Final Cut Pro 7 XML, AAF and older OTIO ---


def _sequence_behind(path: Path, available: Any, used: Any) -> tuple[Path, int, str]:
    """Return the pattern of the sequence that a file stands for, the number of its files before this one, and a note.

    A single image is returned unchanged. It stands for a sequence if the document's frame count matches the files,
    or its start matches the file's number. available, used: ranges of the media and of the clip, or None.
    """
    match = _NUMBER.search(path.name) if path.suffix.lower() in IMAGES else None
    if match is None:
        return path, 0, ""
    head, tail, digits = path.name[: match.start()], path.name[match.end() :], len(match[1])
    name = re.compile(re.escape(head) + rf"(\d{{{digits},}})" + re.escape(tail) + "$")
    numbered = [m[1] for entry in path.parent.iterdir() if (m := name.match(entry.name))]
    numbers = [int(text) for text in numbered if len(text) == digits or not text.startswith("0")]
    number, last = int(match[1]), max(numbers, default=0)
    count = last - number + 1
    if count < 2:
        return path, 0, ""
    pattern = f"{head}%0{digits}d{tail}"
    if available is None:
        frames, is_sequence = 1, used is not None and number > 0 and number <= used.start_time.value <= last
    else:
        frames, by_number = round(available.duration.value), number > 0 and available.start_time.value == number
        is_sequence = frames == count or (1 < frames <= count and (by_number or not image_format(path).still))
    if is_sequence:
        note = f"media is named by one image; its sequence of {count} is taken"
        return path.with_name(pattern), sum(n < number for n in numbers), note
    held = f"media is one image, held; {count - 1} more follow it: the sequence would be {pattern}"
    return path, 0, held if frames > 1 else ""


# --- results of Faceplate, recognised by their place in a run's folder, or else by their names ---


def _result_behind(media: Media) -> tuple[bool, ShotRecord | None] | None:
    """Return whether media are a patch of ours, and their shot in a run if known; None for footage."""
    path = media.path
    for folder in list(path.parents)[:_LEVELS] if path is not None else ():
        document = folder / NAME
        if path is not None and document.is_file() and (run := _run(document, document.stat().st_mtime_ns)) is not None:
            place = path.relative_to(folder)
            name = _OURS.search(place.as_posix()) if place.parts[0] == "media" else None  # by an export
            for shot in run.shots:
                if name is not None and name[1] == shot.id:
                    return name[2] == "patch", shot
                if shot.folder is not None and place != shot.folder and place.is_relative_to(shot.folder):
                    return place.relative_to(shot.folder).parts[0] == "patch", shot
    name = _OURS.search(str(path) if path is not None else media.url)
    return (name[2] == "patch", None) if name else None


@lru_cache(maxsize=16)
def _run(document: Path, _changed: int) -> TimelineRun | None:
    try:
        return load(document)
    except FaceplateError:
        return None


def _plate_of(result: ClipMedia, patch: bool, shot: ShotRecord | None) -> ClipMedia:
    """Return the plate of a result, in the document's count of the result."""
    media, name = result.media, (result.media.path or PurePosixPath(result.media.url)).name
    if patch or shot is None or shot.media.path is None:
        what = "patch" if patch else "result"
        note = f"media is a {what} of Faceplate ({name}), whose plate is not known here: it is left as it is"
        return ClipMedia(replace(media, path=None), result.origin, result.length, (note,), patch)
    plate, origin = shot.media, result.origin - shot.span[0] / media.rate
    media = replace(media, path=plate.path, start=nearest(origin * media.rate), frames=plate.frames)
    length = None if plate.frames is None else plate.frames / media.rate
    note = f"media is a result of Faceplate ({name}); its plate is taken: {plate.path}"
    return ClipMedia(media, origin, length, (*result.notes, note))
