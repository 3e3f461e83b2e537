"""Put the results of a run into its edit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import opentimelineio as otio

from host_bridge.timeline.document import ShotRecord, TimelineRun
from host_bridge.timeline.made import Made
from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.shots.said import names_said
from host_bridge.timeline.write.layer import layer_above, result_clip
from host_bridge.timeline.write.profiles import Profile, adapt
from host_bridge.timeline.write.references import Kind, ResultMedia, add_reference, reference_to
from host_bridge.timeline.write.tree import CLIP, EXPORT, Node, active_reference, at, document_of, mark, schema, text_of
from nodes.consent.provenance import KEY, Role
from nodes.errors import FaceplateError, OutputError

Mode = Literal["swap", "layer", "versions"]
MediaOf = Callable[[ShotRecord, Kind], ResultMedia]


@dataclass
class Exported:
    """A document with results. shots: ids of those that are in it. left: id and why, of those that are not. media: what is new in it.

    made: by what, by shots' ids. names: of people, that the edit itself says; no others go into it.
    """

    document: Node
    shots: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    media: list[ResultMedia] = field(default_factory=list)
    made: Mapping[str, Made] = field(default_factory=dict)
    names: frozenset[str] = frozenset()


def export_edit(
    edit: Edit,
    run: TimelineRun,
    mode: Mode,
    profile: Profile,
    media_of: MediaOf,
    *,
    to: Path | None = None,
    made: Mapping[str, Made] | None = None,
) -> Exported:
    """Put the finished shots of a run into the edit's document. media_of: gives a result's media, made if need be. to: the folder it goes to.
    made: by what each result was made, by the shots' ids.

    swap: the clip shows the result, and keeps the plate. layer: tracks above hold patches. versions: the clip keeps showing the plate, and the result
    is an alternative: a second media reference, or, where the host has no word for that, a disabled clip above. Raises FaceplateError.
    """
    if run.edit.digest != edit.digest:
        raise OutputError("has changed since it was run", file=edit.path, remedy="Run it again: faceplate timeline run")
    done = [shot for shot in run.shots if shot.state == "done"]
    if not done:
        raise OutputError("has no finished shots", file=edit.path, remedy="Run it first: faceplate timeline run")
    document = document_of(edit)
    moves = to is not None and to.absolute() != edit.places.folder
    adapted, notes = adapt(document, profile, edit.places.folder if moves else None)
    found = Exported(document, notes=notes, made=made or {}, names=names_said(edit.timeline))
    found.left = [
        (s.id, s.error.message if s.error else f"is {s.state}") for s in run.shots if s.cast and s.state != "done"
    ]
    layered = mode == "layer" or (mode == "versions" and not profile.takes)
    kind: Kind = "patch" if mode == "layer" else "composite"
    if layered:
        for place, shots in _by_track(done):
            _lay_above(edit, found, place, shots, mode, profile, kind, media_of)
    else:
        for shot in done:
            clip = _clip_of(document, shot)
            media = media_of(shot, kind)
            reference = reference_to(media, active_reference(clip), profile)
            show = mode == "swap"
            add_reference(
                clip,
                reference,
                _about(found, shot, mode, media),
                show=show,
                default_only=profile.default_only,
            )
            found.shots.append(shot.id)
            found.media.append(media)
    found.shots.sort()
    about = {"mode": mode, "profile": profile.name, "edit": edit.path.name, "digest": edit.digest, "adapted": adapted}
    mark(document, EXPORT, about)
    _check(document)
    return found


def _about(found: Exported, shot: ShotRecord, mode: Mode, media: ResultMedia) -> Node:
    """What the clip's block says of its result: ids and hashes, and of names only those that the edit itself says."""
    told: Node = {"shot": shot.id, "mode": mode, "span": list(shot.span)}
    made = found.made.get(shot.id)
    ids: Mapping[tuple[Role, str], str] = made.ids if made else {}

    def called(role: Role, name: str) -> str | None:
        return name if name in found.names else ids.get((role, name))

    told["cast"] = [
        {"target": called("target", c.target), "source": called("source", c.source), "tracks": list(c.tracks)}
        for c in shot.cast
    ]
    if media.sha256 is not None:
        told["media"] = {"kind": media.kind, "sha256": media.sha256}
    if made is not None:
        models = [{"sha256": m.sha256, "digest": m.digest} for m in made.models]
        told |= {KEY: made.provenance.document(), "models": models, "credentials": dict(made.signed)}
    return told


def _clip_of(document: Node, shot: ShotRecord) -> Node:
    try:
        clip = at(document, shot.where)
    except (KeyError, IndexError, TypeError):
        clip = {}
    if schema(clip) != "Clip":
        raise OutputError(
            f"shot {shot.id}: there is no clip at {'.'.join(map(str, shot.where))}",
            remedy="Run the timeline again: faceplate timeline run",
        )
    return clip


def _by_track(shots: list[ShotRecord]) -> list[tuple[tuple[int, ...], list[ShotRecord]]]:
    """Shots by the track that they are on, the last first: a track put in above one moves none that is still to come."""
    ordered = sorted(shots, key=lambda s: s.where, reverse=True)
    return [(place, list(group)) for place, group in groupby(ordered, key=lambda s: s.where[:-1])]


def _lay_above(
    edit: Edit,
    found: Exported,
    place: tuple[int, ...],
    shots: list[ShotRecord],
    mode: Mode,
    profile: Profile,
    kind: Kind,
    media_of: MediaOf,
) -> None:
    """Put a track with the results of the shots of one track above it."""
    document = found.document
    track, stack = at(document, place), at(document, place[:-1])
    inside = _object(edit.timeline.tracks, place)
    alone = schema(track) == "Stack"  # clips that lie in a stack without a track
    if not alone and schema(stack) != "Stack":
        found.left += [
            (s.id, "lies in a track within a track, above which there is no room; use --as swap") for s in shots
        ]
        return
    results: dict[int, Node] = {}
    for shot in shots:
        clip = _clip_of(document, shot)
        media = media_of(shot, kind)
        length = json.loads(otio.core.serialize_json_to_string(inside[shot.where[-1]].trimmed_range()))
        result = result_clip(
            clip,
            clip.get("source_range") or length,
            media.path.name,
            reference_to(media, active_reference(clip), profile),
            enabled=mode == "layer" and clip.get("enabled", True),
        )
        mark(result, CLIP, _about(found, shot, mode, media))
        results[shot.where[-1]] = result
        found.shots.append(shot.id)
        found.media.append(media)
    about: Node = {"mode": mode}
    if alone:
        for i in sorted(results, reverse=True):
            one = {"children": [None], "metadata": results[i]["metadata"]}
            name = f"{results[i]['name']} Faceplate"
            track["children"].insert(i + 1, layer_above(one, [None], {0: results[i]}, name, about))
        return
    durations = [None if isinstance(c, otio.schema.Transition) else _time(c.duration()) for c in inside]
    name = f"{track.get('name') or f'Video {place[-1] + 1}'} Faceplate"
    stack["children"].insert(place[-1] + 1, layer_above(track, durations, results, name, about))


def _object(top: Any, place: tuple[int, ...]) -> Any:
    for index in place:
        top = top[index]
    return top


def _time(time: otio.opentime.RationalTime) -> Node:
    return {"rate": time.rate, "value": time.value}


def _check(document: Node) -> None:
    """See that OpenTimelineIO reads what we made."""
    try:
        otio.adapters.read_from_string(text_of(document), "otio_json")
    except (ValueError, otio.exceptions.OTIOError) as e:
        raise FaceplateError(f"the document that was made cannot be read ({e})", remedy="Please report this") from e
