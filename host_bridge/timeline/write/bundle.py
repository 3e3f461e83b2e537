"""Bundles for hand-over: `.otioz`, a zip that is not compressed, and `.otiod`, a folder. Both hold the document and its media.

Every media reference that leads to a file here takes it along, alternatives too; of a sequence all images; and the Content Credentials that
lie beside them. What is missing stays as it was written, and is told. Two files of one name get names that tell them apart.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from host_bridge.timeline.read.places import Places
from host_bridge.timeline.write.tree import Node, clips, references, schema, text_of
from nodes.credentials.binding import sidecars
from nodes.errors import OutputError, writing
from nodes.files import beside, flush
from nodes.footage.formats import EMBEDS
from nodes.progress import Progress, stage

CONTENT, VERSION, MEDIA = "content.otio", "version.txt", "media"
SUFFIXES = (".otioz", ".otiod")


@dataclass
class Bundled:
    """What a bundle holds. files: names in it and what they are copied from. missing: what the document names and is not there."""

    document: Node
    files: dict[str, Path] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def gather(document: Node, places: Places) -> Bundled:
    """Lead a copy of the document to media beside it. places: finds what the document names."""
    found = Bundled(deepcopy(document))
    names: dict[Path, str] = {}
    for clip in clips(found.document["tracks"]):
        for _, reference in references(clip):
            if schema(reference) == "ExternalReference":
                _take_file(reference, places, found, names)
            elif schema(reference) == "ImageSequenceReference":
                _take_images(reference, places, found, names)
    found.missing = list(dict.fromkeys(found.missing))
    return found


def write_bundle(path: Path, bundled: Bundled, progress: Progress) -> None:
    """Write an `.otioz` or `.otiod`, whole or not at all; raises OutputError."""
    tell = stage(progress, "bundle", len(bundled.files))
    with writing(path):
        temporary = beside(path)
        try:
            if path.suffix.lower() == ".otiod":
                _write_folder(temporary, bundled, tell)
                if path.exists():
                    raise OutputError(
                        "is there already", file=path, remedy="Choose another name with --out, or remove it"
                    )
            else:
                _write_archive(temporary, bundled, tell)
                flush(temporary)
            temporary.replace(path)
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)


def _take_file(reference: Node, places: Places, found: Bundled, names: dict[Path, str]) -> None:
    url = reference.get("target_url") or ""
    file, _ = places.find(url)
    if file is None or not file.is_file():
        found.missing += [url] if url else []
        return
    if file not in names:
        names[file] = free_name(file.name, set(names.values()))
        found.files[f"{MEDIA}/{names[file]}"] = file
        _take_manifest(file, Path(MEDIA, names[file]), found)
    reference["target_url"] = f"{MEDIA}/{quote(names[file])}"


def _take_manifest(file: Path, name: Path, found: Bundled) -> None:
    """Take along what lies beside a file whose kind carries no manifest, under the name by which it is found there."""
    sidecar = next((place for place in sidecars(file) if place.is_file()), None)
    if file.suffix.lower() not in EMBEDS and sidecar:
        other, usual = (place.as_posix() for place in sidecars(name))
        found.files[other if usual in found.files else usual] = sidecar


def _take_images(reference: Node, places: Places, found: Bundled, names: dict[Path, str]) -> None:
    files = []
    for name in _image_names(reference):
        file, _ = places.find(f"{reference.get('target_url_base') or ''}{name}")
        if file is None:
            found.missing.append(f"{reference.get('target_url_base')}{name}")
            return
        files.append((name, file))
    if not files:
        return
    folder = files[0][1].parent / reference.get("name_prefix", "")
    if folder not in names:
        stem = str(reference.get("name_prefix") or "images").strip("._- ") or "images"
        names[folder] = free_name(stem, set(names.values()))
    for name, file in files:
        found.files[f"{MEDIA}/{names[folder]}/{name}"] = file
    for sidecar in sidecars([files[0][1]]):
        if sidecar.is_file():
            found.files[f"{MEDIA}/{names[folder]}/{sidecar.name}"] = sidecar
    reference["target_url_base"] = f"{MEDIA}/{quote(names[folder])}/"


def _image_names(reference: Node) -> Iterator[str]:
    there = reference.get("available_range")
    if not there:
        return
    start, step = int(reference.get("start_frame", 1)), int(reference.get("frame_step", 1))
    for i in range(0, round(there["duration"]["value"]), max(step, 1)):
        number = str(start + i).zfill(int(reference.get("frame_zero_padding", 0)))
        yield f"{reference.get('name_prefix', '')}{number}{reference.get('name_suffix', '')}"


def free_name(name: str, taken: set[str]) -> str:
    """A file's name that no other file has, whatever the case."""
    low = {t.lower() for t in taken}
    stem, dot, suffix = name.rpartition(".") if "." in name else (name, "", "")
    return next(
        n for n in (name, *(f"{stem}-{i}{dot}{suffix}" for i in range(2, len(low) + 3))) if n.lower() not in low
    )


def _write_folder(path: Path, bundled: Bundled, tell: Callable[[int], None]) -> None:
    (path / MEDIA).mkdir(parents=True)
    (path / CONTENT).write_text(text_of(bundled.document), "utf-8")
    for done, (name, file) in enumerate(bundled.files.items(), 1):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, path / name)
        tell(done)


def _write_archive(path: Path, bundled: Bundled, tell: Callable[[int], None]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(CONTENT, text_of(bundled.document), zipfile.ZIP_DEFLATED)
        archive.writestr(VERSION, "1.0.0")
        for done, (name, file) in enumerate(bundled.files.items(), 1):
            archive.write(file, name)
            tell(done)
