"""Export of an edit: the results of a run are put into it, and it is written as a file.

A result goes into a media reference of its clip, or into a clip on a track above. Item for item such a track has the lengths of the track below: gaps
for items without a result, clips with the shot's own source range and effects for the others, and the transitions that touch one. So the results
follow the track's clips through retimes, reverses, freezes, moves and dissolves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.cast_edit import check_rate
from host_bridge.timeline.consent import permitted_origins
from host_bridge.timeline.document import ExportResult, LeftShot, ShotRecord, TimelineRun, default_folder, load
from host_bridge.timeline.origin import ShotOrigin
from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.read.places import media_root
from host_bridge.timeline.settings import ExportSettings, Mode
from host_bridge.timeline.shots.cast import people_named
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.write.formats import format_of, write_document
from host_bridge.timeline.write.media import Kind, ResultMedia, result_media
from host_bridge.timeline.write.profiles import PROFILES, Profile, adapt
from host_bridge.timeline.write.tree import (
    CLIP,
    DEFAULT_KEY,
    EXPORT,
    MEDIA,
    NAME,
    TRACK,
    BlockCast,
    BlockCredentials,
    BlockMedia,
    BlockModel,
    ClipBlock,
    ExportBlock,
    Node,
    active_reference,
    at,
    copied,
    document_of,
    free_name,
    mark,
    node_of,
    schema,
    text_of,
    time_range,
    written_rate,
)
from nodes.consent.provenance import Role
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.errors import FaceplateError, OutputError
from nodes.footage.rates import snap_rate
from nodes.progress import Progress, quiet

MediaOf = Callable[[ShotRecord, Kind], ResultMedia]
_RUN = "faceplate timeline run"
_PLACE = re.compile(r"%0(\d+)d")


def export(
    path: Path,
    settings: ExportSettings,
    run_folder: Path | None = None,
    *,
    media_roots: Sequence[str] = (),
    rate: Fraction | None = None,
    consent: ConsentParameters = DEFAULT_CONSENT,
    progress: Progress = quiet,
) -> ExportResult:
    """Make the media of results and write the edit with them. Raises FaceplateError.

    run_folder: by default beside the edit. rate: of an EDL's run, in frames per second; by default from the run. consent: names the records.
    """
    path, target = path.expanduser().absolute(), settings.target(path)
    _check_target(path, target, settings)
    out = (run_folder or default_folder(path)).expanduser().absolute()
    run = load(out)
    roots = [media_root(text) for text in media_roots]
    edit = read_edit(path, media_roots=roots, unpacked=out / "bundle", rate=rate or run.edit.rate)
    check_rate(run.edit.rate or sequence_rate(edit.timeline), rate, path)
    done = export_edit(
        edit,
        run,
        settings.mode,
        PROFILES[settings.profile],
        lambda shot, kind: result_media(shot, out, kind, settings.choice, progress).hashed,
        made=permitted_origins(run, out, target, consent),
        to=None if format_of(target).media else target.parent,
    )
    lost, missing = write_document(target, done.document, edit.places, progress, settings.for_otio)
    return ExportResult(
        file=target,
        mode=settings.mode,
        profile=settings.profile,
        media=settings.choice,
        shots=done.shots,
        left=[LeftShot(id=id, why=why) for id, why in done.left],
        notes=[*edit.notes, *done.notes, *missing],
        lost=lost,
        results=[media.path for media in done.media],
    )


def _check_target(edit: Path, target: Path, settings: ExportSettings) -> None:
    what = remedy = ""
    format = format_of(target)
    if target == edit:
        what, remedy = "is the edit itself", "Choose another name with --out"
    elif settings.bundle and not format.media:
        what, remedy = "is no bundle", "Give --out as .otioz or .otiod"
    elif settings.for_otio is not None and (format.media or not format.everything):
        what, remedy = "is no .otio, which alone has versions", "Leave --for-otio out"
    elif settings.profile == "resolve" and settings.mode != "layer" and settings.media == "written":
        what = "Resolve reads no FFV1, in which a swap writes its movie"
        remedy = "Leave --media out, or choose prores4444, dnxhr, h264 or sequence"
    if what:
        raise OutputError(what, file=target, remedy=remedy)


def export_edit(
    edit: Edit,
    run: TimelineRun,
    mode: Mode,
    profile: Profile,
    media_of: MediaOf,
    *,
    to: Path | None = None,
    made: Mapping[str, ShotOrigin] | None = None,
) -> Exported:
    """Put the finished shots of a run into the edit's document; see `ExportSettings` for the modes. Raises FaceplateError.

    media_of: returns a result's media, made if necessary. to: folder of the document. made: origins of results, by the shots' ids.
    An alternative is a second media reference, or, for hosts without these, a disabled clip above.
    """
    if run.edit.digest != edit.digest:
        raise OutputError("has changed since it was run", file=edit.path, remedy=f"Run it again: {_RUN}")
    done = [shot for shot in run.shots if shot.state == "done"]
    if not done:
        raise OutputError("has no finished shots", file=edit.path, remedy=f"Run it first: {_RUN}")
    document = document_of(edit)
    moves = to is not None and to.absolute() != edit.places.folder
    adapted, notes = adapt(document, profile, edit.places.folder if moves else None)
    exported = Exported(edit, document, mode, profile, media_of, made or {}, people_named(edit.timeline), notes=notes)
    exported.left = [
        (s.id, s.error.message if s.error else f"is {s.state}") for s in run.shots if s.cast and s.state != "done"
    ]
    if mode == "layer" or (mode == "versions" and not profile.takes):
        # The last track first: a track inserted above it moves none of the remaining ones.
        ordered = sorted(done, key=lambda shot: shot.where, reverse=True)
        for place, shots in groupby(ordered, key=lambda shot: shot.where[:-1]):
            exported.lay_above(place, list(shots))
    else:
        for shot in done:
            exported.put_into_clip(shot)
    exported.shots.sort()
    about = ExportBlock(mode=mode, profile=profile.name, edit=edit.path.name, digest=edit.digest, adapted=adapted)
    mark(document, EXPORT, about.model_dump(mode="json"))
    try:
        otio.adapters.read_from_string(text_of(document), "otio_json")
    except (ValueError, otio.exceptions.OTIOError) as e:
        raise FaceplateError(f"the document that was made cannot be read ({e})", remedy="Please report this") from e
    return exported


@dataclass
class Exported:
    """A document with results put in. made: origins of shots, by id. names: of performers in the edit itself; no others go into it.

    shots: ids of those in it. left: id and reason of the others. media: new ones in it.
    """

    edit: Edit
    document: Node
    mode: Mode
    profile: Profile
    media_of: MediaOf
    made: Mapping[str, ShotOrigin]
    names: frozenset[str]
    shots: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    media: list[ResultMedia] = field(default_factory=list)

    def put_into_clip(self, shot: ShotRecord) -> None:
        """Give the shot's clip its result as a media reference."""
        clip = self._clip(shot)
        reference, about = self._result(shot, clip)
        show, default_only = self.mode == "swap", self.profile.default_only
        _add_reference(clip, reference, about, show=show, default_only=default_only)

    def lay_above(self, place: tuple[int, ...], shots: list[ShotRecord]) -> None:
        """Put a track with the results of the shots of one track above it."""
        track, stack = at(self.document, place), at(self.document, place[:-1])
        alone = schema(track) == "Stack"  # clips that lie in a stack without a track
        if not alone and schema(stack) != "Stack":
            why = "lies in a track within a track, above which there is no room; use --as swap"
            self.left += [(shot.id, why) for shot in shots]
            return
        row: Any = self.edit.timeline.tracks
        for index in place:
            row = row[index]
        results: dict[int, Node] = {}
        for shot in shots:
            clip, index = self._clip(shot), shot.where[-1]
            reference, about = self._result(shot, clip)
            shown = clip.get("source_range") or node_of(row[index].trimmed_range())
            enabled = self.mode == "layer" and clip.get("enabled", True)
            results[index] = _result_clip(clip, shown, reference["name"], reference, enabled=enabled)
            mark(results[index], CLIP, about)
        by: Node = {"mode": self.mode}
        if alone:
            for i in sorted(results, reverse=True):
                one = {"children": [None], "metadata": results[i]["metadata"]}
                name = f"{results[i]['name']} Faceplate"
                track["children"].insert(i + 1, _layer_above(one, [None], {0: results[i]}, name, by))
            return
        durations = [None if isinstance(c, otio.schema.Transition) else c.duration() for c in row]
        name = f"{track.get('name') or f'Video {place[-1] + 1}'} Faceplate"
        stack["children"].insert(place[-1] + 1, _layer_above(track, durations, results, name, by))

    def _clip(self, shot: ShotRecord) -> Node:
        try:
            clip = at(self.document, shot.where)
        except (KeyError, IndexError, TypeError):
            clip = {}
        if schema(clip) != "Clip":
            what = f"shot {shot.id}: there is no clip at {'.'.join(map(str, shot.where))}"
            raise OutputError(what, remedy=f"Run the timeline again: {_RUN}")
        return clip

    def _result(self, shot: ShotRecord, clip: Node) -> tuple[Node, Node]:
        """Return a reference to a result's media, and the clip's block of ids, hashes, and only names that the edit itself has."""
        media = self.media_of(shot, "patch" if self.mode == "layer" else "composite")
        self.shots.append(shot.id)
        self.media.append(media)
        origin = self.made.get(shot.id)
        ids: Mapping[tuple[Role, str], str] = origin.ids if origin else {}

        def called(role: Role, name: str) -> str | None:
            return name if name in self.names else ids.get((role, name))

        about = ClipBlock(
            shot=shot.id,
            mode=self.mode,
            span=shot.span,
            cast=tuple(
                BlockCast(target=called("target", c.target), source=called("source", c.source), tracks=c.tracks)
                for c in shot.cast
            ),
            media=BlockMedia(kind=media.kind, sha256=media.sha256),
        )
        if origin is not None:
            about.provenance = origin.provenance
            about.credentials = BlockCredentials(signed=origin.certificate is not None, by=origin.certificate)
            about.models = tuple(BlockModel(sha256=m.sha256, digest=m.digest) for m in origin.models)
        reference = _reference_to(media, active_reference(clip), self.profile)
        return reference, about.model_dump(mode="json", exclude={"key"})


# --- where a result goes ---


def _reference_to(media: ResultMedia, plate_reference: Node | None, profile: Profile) -> Node:
    """Return a media reference to a result."""
    name, rate = media.path.name, written_rate(plate_reference, media.rate)
    about = {NAME: {"schema": MEDIA, "kind": media.kind} | ({"alpha": media.alpha} if media.alpha else {})}
    start = ((plate_reference or {}).get("available_range") or {}).get("start_time")
    # If the plate's media begin between two frames, the result's do so too.
    begin = exact(start["value"]) / snap_rate(start["rate"]) * media.rate if start else Fraction(0)
    available = time_range(media.start + float(begin - nearest(begin)), media.frames, rate)
    place = _PLACE.search(name)
    if media.number is None or place is None:
        reference = otio.schema.ExternalReference(profile.url(media.path), available, about)
    else:
        reference = otio.schema.ImageSequenceReference(
            target_url_base=profile.url(media.path.parent, folder=True),
            name_prefix=name[: place.start()],
            name_suffix=name[place.end() :],
            start_frame=media.number,
            rate=rate,
            frame_zero_padding=int(place[1]),
            available_range=available,
            metadata=about,
        )
    return node_of(reference) | {"name": name}


def _add_reference(clip: Node, reference: Node, about: Node, *, show: bool, default_only: bool) -> None:
    """Add a media reference to a clip, under the key `faceplate`.

    about: for the clip's block. show: make it the active one. default_only: the active reference keeps the usual key, and
    the plate's moves to the key `plate`.
    """
    undo: Node = {}
    if schema(clip) == "Clip" and "media_references" not in clip:
        undo["was"] = clip["OTIO_SCHEMA"]
        clip["OTIO_SCHEMA"] = "Clip.2"
        clip["media_references"] = {DEFAULT_KEY: clip.pop("media_reference", None)}
    references = clip["media_references"]
    active = clip.get("active_media_reference_key", DEFAULT_KEY)
    undo["was_active"] = active
    key = free_name(NAME, references)
    if show and default_only:
        undo["moved"] = free_name("plate", references)
        references[undo["moved"]] = references.pop(active)
        key = active
    references[key] = reference
    clip["active_media_reference_key"] = key if show else active
    mark(clip, CLIP, about | {"key": key} | undo)


def _result_clip(clip: Node, source_range: Node, name: str, reference: Node, *, enabled: bool) -> Node:
    """Return a clip that shows a result as `clip` shows its plate. source_range: the visible part."""
    return node_of(otio.schema.Clip(name)) | {
        "metadata": {"Resolve_OTIO": {}} if _is_resolves(clip) else {},
        "source_range": copied(source_range),
        "effects": copied(clip.get("effects") or []),
        "enabled": enabled,
        "media_references": {DEFAULT_KEY: reference},
    }


def _layer_above(track: Node, durations: Sequence[Any], results: Mapping[int, Node], name: str, about: Node) -> Node:
    """Return the track of results. durations: RationalTimes of the track's items, None for transitions. results: clips by index of the replaced items."""
    children: list[Node] = []
    for i, (child, duration) in enumerate(zip(track["children"], durations, strict=True)):
        if i in results:
            children.append(results[i])
        elif duration is not None:
            _pad(children, duration.value, duration.rate)
        elif i - 1 in results or i + 1 in results:
            children.append(copied(child))
    if not track.get("source_range"):
        # Keep a gap that a transition fades to.
        while children and schema(children[-1]) == "Gap" and schema(children[-2:][0]) != "Transition":
            children.pop()
    layer = node_of(otio.schema.Track(name, kind="Video")) | {
        "metadata": {"Resolve_OTIO": {"Locked": False}} if _is_resolves(track) else {},
        "source_range": copied(track.get("source_range")),
        "effects": copied(track.get("effects") or []),
        "enabled": track.get("enabled", True),
        "children": children,
    }
    mark(layer, TRACK, about)
    return layer


def _is_resolves(node: Node) -> bool:
    return "Resolve_OTIO" in (node.get("metadata") or {})


def _pad(children: list[Node], value: float, rate: float) -> None:
    """Append a gap, or lengthen the last one if both have the same rate."""
    if children and schema(children[-1]) == "Gap":
        last = children[-1]["source_range"]["duration"]
        if math.isclose(last["rate"], rate, rel_tol=1e-12):
            last["value"] += value
            return
    children.append(node_of(otio.schema.Gap(source_range=time_range(0, value, rate))))
