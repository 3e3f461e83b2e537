"""File formats that edits are written in, with their abilities; and the losses of each."""

from __future__ import annotations

import json
import logging
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import opentimelineio as otio

from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.read.places import Places
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.shots.shot import Shot
from host_bridge.timeline.write.diff import diff
from host_bridge.timeline.write.edl import edl_of, reduce_to_edl
from host_bridge.timeline.write.fcp7 import fcp7_of
from host_bridge.timeline.write.fcpxml import fcpxml_of
from host_bridge.timeline.write.tree import (
    DEFAULT_KEY,
    NAME,
    Node,
    clips,
    document_of,
    free_name,
    references,
    schema,
    text_of,
)
from host_bridge.timeline.write.writer import cannot_hold
from nodes.credentials.binding import sidecars
from nodes.errors import FaceplateError, MissingDependencyError, OutputError, writing
from nodes.files import beside, flush, whole_file
from nodes.footage.formats import EMBEDS
from nodes.progress import Progress, quiet, stage

_log = logging.getLogger(__name__)
_CONTENT, _VERSION, _MEDIA = "content.otio", "version.txt", "media"  # names in a bundle
_NUMBER = re.compile(r" \d+( '.*?')?(?= ›|$)")


@dataclass(frozen=True, slots=True)
class WrittenFormat:
    """A file format and its abilities.

    everything: holds the document itself. media: holds its media too. write: makes the bytes of a timeline whose media `places` finds, for a file name;
    None with everything, and for AAF, which OpenTimelineIO's adapter writes. reduce: removes what the format cannot hold. lengths: holds lengths of missing media.
    """

    everything: bool = False
    media: bool = False
    write: Callable[[Any, Places, str], bytes] | None = None
    reduce: Callable[[Any], Any] = lambda timeline: timeline
    lengths: bool = True


FORMATS = {
    ".otio": WrittenFormat(everything=True),
    ".otioz": WrittenFormat(everything=True, media=True),
    ".otiod": WrittenFormat(everything=True, media=True),
    ".aaf": WrittenFormat(),
    ".edl": WrittenFormat(write=edl_of, reduce=reduce_to_edl, lengths=False),
    ".fcpxml": WrittenFormat(write=fcpxml_of),
    ".xml": WrittenFormat(write=fcp7_of),
}


def format_of(target: Path) -> WrittenFormat:
    """Return the format for a file's suffix. Raises OutputError for an unsupported one."""
    if target.suffix.lower() not in FORMATS:
        raise OutputError("is not in a format that can be written", file=target, remedy=f"{', '.join(FORMATS)} are")
    return FORMATS[target.suffix.lower()]


def write_document(
    target: Path, document: Node, places: Places, progress: Progress = quiet, older: str | None = None
) -> tuple[list[str], list[str]]:
    """Write a document; return what its format cannot hold, and its missing media.

    places: of its media. older: version of OpenTimelineIO that will read an .otio. A lossy format is read back before
    the file takes its name. Raises OutputError if a shot would show other frames or the format cannot hold something essential, and
    MissingDependencyError without an adapter.
    """
    format = format_of(target)
    if format.media:
        bundle = Bundle(document, places)
        _write_bundle(target, bundle, progress)
        return [], [f"{url}: is not there, and not in the bundle" for url in bundle.missing]
    with whole_file(target) as temporary:
        if format.everything:
            temporary.write_text(text_of(document) if older is None else _for_otio(document, older), "utf-8")
            return [], []
        timeline = otio.adapters.read_from_string(text_of(document), "otio_json")
        try:
            if format.write is None:
                _write_aaf(temporary, timeline)
                written = read_edit(temporary)
            else:
                timeline = format.reduce(_as_shown(timeline))
                temporary.write_bytes(format.write(timeline, places, target.stem))
                written = read_edit(temporary, media_roots=places.roots)
                _check_frames(Edit(target, "", timeline, places), written, missing_too=format.lengths)
        except (OutputError, MissingDependencyError) as e:
            raise type(e)(e.what, file=target, remedy=e.remedy) from e
        except FaceplateError as e:
            raise OutputError(f"cannot hold this edit: {e.what}", file=target, remedy="Write .otio, which does") from e
    return _lost(document, document_of(written)), []


def _write_aaf(path: Path, timeline: Any) -> None:
    if "AAF" not in otio.adapters.available_adapter_names():
        remedy = "Install it: pip install 'faceplate[timeline]'"
        raise MissingDependencyError("the adapter for .aaf is not installed", remedy=remedy)
    try:
        # Our media have no ids in Avid's projects.
        otio.adapters.write_to_file(timeline, str(path), adapter_name="AAF", use_empty_mob_ids=True)
    except OSError:
        raise
    except Exception as e:  # an adapter may raise anything
        _log.exception("the adapter AAF failed")
        raise cannot_hold(f"cannot hold this edit: {' '.join(f'{e}'.split())[:300] or type(e).__name__}") from e


def _for_otio(document: Node, label: str) -> str:
    """Return the document for an older OpenTimelineIO, such as 0.14.0; a clip then keeps only its active media reference.

    Raises OutputError for an unknown version.
    """
    try:
        versions = otio.versioning.fetch_map("OTIO_CORE", label)
    except KeyError as e:
        versions_map = otio.versioning.full_map()  # held in a variable: its items die with it
        names = ", ".join(sorted(versions_map["OTIO_CORE"]))
        raise OutputError(f"'{label}' is no version of OpenTimelineIO", remedy=f"Choose one of {names}") from e
    timeline = otio.adapters.read_from_string(json.dumps(document), "otio_json")
    return str(otio.adapters.write_to_string(timeline, "otio_json", target_schema_versions=versions)) + "\n"


# --- losses ---


def _lost(document: Node, written: Node) -> list[str]:
    """List what is missing or changed in a written document, counted by kind."""
    document = deepcopy(document)
    for track in clips(document["tracks"], "Track"):
        (track.get("metadata") or {}).pop(NAME, None)  # our tracks are kept, but without their block
    losses = Counter((c.kind, _NUMBER.sub("", c.path)) for c in diff(document, written) if c.kind != "added")
    return [f"{n} × {path} {'lost' if kind == 'removed' else 'changed'}" for (kind, path), n in losses.most_common()]


def _as_shown(timeline: Any) -> Any:
    """Reduce a timeline, in place, to what other programs read: each clip's active media, missing ones by name, and no blocks on our tracks."""
    for clip in timeline.find_clips():
        reference = clip.media_reference
        if isinstance(reference, otio.schema.MissingReference) and (reference.name or clip.name):
            reference = otio.schema.ExternalReference(reference.name or clip.name, reference.available_range)
        clip.set_media_references({DEFAULT_KEY: reference.deepcopy()}, DEFAULT_KEY)
    for track in timeline.find_children(descended_from_type=otio.schema.Track):
        track.metadata.pop(NAME, None)
    return timeline


def _check_frames(before: Edit, after: Edit, *, missing_too: bool) -> None:
    """Raise OutputError unless each shot of one edit is in the other, at its place and with its frames. Titles and generators do not count.

    missing_too: whether the frames of missing media count.
    """

    def frames_of(shot: Shot) -> tuple[Any, ...]:
        frames = () if shot.media.path is None and not missing_too else tuple(shot.frames)
        return shot.record, shot.enabled, str(shot.media.path or ""), frames

    shots = [
        [(frames_of(shot), shot) for shot in find_shots(edit, results=True) if shot.media.path or shot.media.url]
        for edit in (after, before)
    ]
    has, had = (Counter(key for key, _ in edit) for edit in shots)
    if differences := sorted((had - has) + (has - had)):
        shot = dict(shots[0] + shots[1])[differences[0]]
        first, last = shot.record[0], sum(shot.record) - 1
        raise cannot_hold(f"cannot hold shot '{shot.name}' (frames {first} to {last} of the edit) to the frame")


# --- bundles ---


class Bundle:
    """A copy of a document for hand-over, with references to media beside it. places: finds the document's media.

    The bundle holds the files of all media references, alternatives too; all images of a sequence; and the Content Credentials
    beside them. References to missing media stay unchanged and are listed. Files of equal names are renamed.

    files: names in the bundle and their sources. missing: media of the document that do not exist.
    """

    def __init__(self, document: Node, places: Places) -> None:
        self.document, self.files = deepcopy(document), dict[str, Path]()
        self._places, self._names, self._missing = places, dict[Path, str](), dict[str, None]()
        for clip in clips(self.document["tracks"]):
            for _, reference in references(clip):
                if schema(reference) == "ExternalReference":
                    self._take_file(reference)
                elif schema(reference) == "ImageSequenceReference":
                    self._take_images(reference)
        self.missing = list(self._missing)

    def _take_file(self, reference: Node) -> None:
        """Take a file, and its Content Credentials if they lie beside it, under the name where readers look for them."""
        url = reference.get("target_url") or ""
        file, _ = self._places.find(url)
        if file is None or not file.is_file():
            self._missing |= {url: None} if url else {}
            return
        if file not in self._names:
            name = Path(_MEDIA, self._name(file, file.name))
            self.files[name.as_posix()] = file
            sidecar = next((place for place in sidecars(file) if place.is_file()), None)
            if file.suffix.lower() not in EMBEDS and sidecar:
                other, usual = (place.as_posix() for place in sidecars(name))
                self.files[other if usual in self.files else usual] = sidecar
        reference["target_url"] = f"{_MEDIA}/{quote(self._names[file])}"

    def _take_images(self, reference: Node) -> None:
        """Take all images of a sequence into a folder, and their Content Credentials; none where one is missing."""
        base, prefix, files = reference.get("target_url_base") or "", reference.get("name_prefix", ""), []
        for name in _image_names(reference):
            file, _ = self._places.find(f"{base}{name}")
            if file is None:
                self._missing[f"{base}{name}"] = None
                return
            files.append((name, file))
        if not files:
            return
        folder = files[0][1].parent / prefix
        name = self._names.get(folder) or self._name(folder, prefix.strip("._- ") or "images")
        manifests = [(place.name, place) for place in sidecars([files[0][1]]) if place.is_file()]
        self.files |= {f"{_MEDIA}/{name}/{own}": file for own, file in [*files, *manifests]}
        reference["target_url_base"] = f"{_MEDIA}/{quote(name)}/"

    def _name(self, path: Path, name: str) -> str:
        self._names[path] = free_name(name, self._names.values())
        return self._names[path]


def _write_bundle(path: Path, bundle: Bundle, progress: Progress) -> None:
    """Write an `.otioz` or `.otiod`, whole or not at all; raises OutputError."""
    tell = stage(progress, "bundle", len(bundle.files))
    with writing(path):
        temporary = beside(path)
        try:
            if path.suffix.lower() == ".otiod":
                _write_folder(temporary, bundle, tell)
                if path.exists():
                    remedy = "Choose another name with --out, or remove it"
                    raise OutputError("is there already", file=path, remedy=remedy)
            else:
                _write_archive(temporary, bundle, tell)
                flush(temporary)
            temporary.replace(path)
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)


def _image_names(reference: Node) -> Iterator[str]:
    start, step = int(reference.get("start_frame", 1)), int(reference.get("frame_step", 1))
    available = reference.get("available_range")
    for i in range(0, round(available["duration"]["value"]) if available else 0, max(step, 1)):
        number = str(start + i).zfill(int(reference.get("frame_zero_padding", 0)))
        yield f"{reference.get('name_prefix', '')}{number}{reference.get('name_suffix', '')}"


def _write_folder(path: Path, bundle: Bundle, tell: Callable[[int], None]) -> None:
    (path / _MEDIA).mkdir(parents=True)
    (path / _CONTENT).write_text(text_of(bundle.document), "utf-8")
    for done, (name, file) in enumerate(bundle.files.items(), 1):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, path / name)
        tell(done)


def _write_archive(path: Path, bundle: Bundle, tell: Callable[[int], None]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(_CONTENT, text_of(bundle.document), zipfile.ZIP_DEFLATED)
        archive.writestr(_VERSION, "1.0.0")
        for done, (name, file) in enumerate(bundle.files.items(), 1):
            archive.write(file, name)
            tell(done)
