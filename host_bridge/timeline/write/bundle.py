"""Bundles for hand-over: `.otioz`, a zip that is not compressed, and `.otiod`, a folder. Both hold the document and its media.

Every media reference that leads to a file here takes it along, alternatives too; of a sequence all images; and the Content Credentials that
lie beside them. What is missing stays as it was written, and is told. Two files of one name get names that tell them apart.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import count
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


class Bundle:
    """A copy of a document that leads to media beside it. places: finds what the document names.

    files: names in the bundle, and what they are copied from. missing: what the document names and is not there.
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
        """Take a file, and the Content Credentials beside one whose kind carries none, under the name by which they are found there."""
        url = reference.get("target_url") or ""
        file, _ = self._places.find(url)
        if file is None or not file.is_file():
            self._missing |= {url: None} if url else {}
            return
        if file not in self._names:
            name = Path(MEDIA, self._name(file, file.name))
            self.files[name.as_posix()] = file
            sidecar = next((place for place in sidecars(file) if place.is_file()), None)
            if file.suffix.lower() not in EMBEDS and sidecar:
                other, usual = (place.as_posix() for place in sidecars(name))
                self.files[other if usual in self.files else usual] = sidecar
        reference["target_url"] = f"{MEDIA}/{quote(self._names[file])}"

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
        self.files |= {f"{MEDIA}/{name}/{own}": file for own, file in [*files, *manifests]}
        reference["target_url_base"] = f"{MEDIA}/{quote(name)}/"

    def _name(self, path: Path, name: str) -> str:
        self._names[path] = free_name(name, set(self._names.values()))
        return self._names[path]


def write_bundle(path: Path, bundle: Bundle, progress: Progress) -> None:
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
    there = reference.get("available_range")
    for i in range(0, round(there["duration"]["value"]) if there else 0, max(step, 1)):
        number = str(start + i).zfill(int(reference.get("frame_zero_padding", 0)))
        yield f"{reference.get('name_prefix', '')}{number}{reference.get('name_suffix', '')}"


def free_name(name: str, taken: set[str]) -> str:
    """A file's name that no other file has, whatever the case."""
    low, path = {t.lower() for t in taken}, Path(name)
    numbered = (f"{path.stem}-{i}{path.suffix}" for i in count(2))
    return name if name.lower() not in low else next(n for n in numbered if n.lower() not in low)


def _write_folder(path: Path, bundle: Bundle, tell: Callable[[int], None]) -> None:
    (path / MEDIA).mkdir(parents=True)
    (path / CONTENT).write_text(text_of(bundle.document), "utf-8")
    for done, (name, file) in enumerate(bundle.files.items(), 1):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, path / name)
        tell(done)


def _write_archive(path: Path, bundle: Bundle, tell: Callable[[int], None]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(CONTENT, text_of(bundle.document), zipfile.ZIP_DEFLATED)
        archive.writestr(VERSION, "1.0.0")
        for done, (name, file) in enumerate(bundle.files.items(), 1):
            archive.write(file, name)
            tell(done)
