"""Media of results: files of the swap if suitable, else converted from them, with the plate's frame numbers and timecode.

Converted media lie in the run's folder under `media`, each beside a note of its inputs. With unchanged inputs it is not made again, and
an interrupted sequence is continued.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from host_bridge.timeline.document import ShotRecord
from host_bridge.timeline.origin import media_sha256
from host_bridge.timeline.settings import MediaChoice
from nodes.cache import digest_footage, key_of
from nodes.credentials.sign import sign_derived
from nodes.errors import OutputError
from nodes.files import whole_file
from nodes.footage.codecs import check_delivery
from nodes.footage.footage import Footage, open_beside
from nodes.footage.formats import CODECS, IMAGES, Delivery
from nodes.footage.frame import Frame
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.numbering import has_place, numbered
from nodes.footage.patch_files import read_patch
from nodes.footage.probe import timecode_at
from nodes.footage.rates import timecode_of
from nodes.footage.sequence import write_frame
from nodes.parts import frame_file
from nodes.progress import Progress, stage
from nodes.shot.layers import straight, write_overlay
from nodes.shot_document import load_shot
from nodes.text import counted
from nodes.types import Float, Patch

Kind = Literal["composite", "patch"]
Alpha = Literal["straight", "premultiplied"]
FOLDER = "media"
_CODECS: dict[str, Delivery] = {"prores4444": "prores4444", "dnxhr": "dnxhr", "h264": "avc"}
_ALPHA_STEPS = 1023  # the alpha that goes into ProRes has 10 bits
_VERSION = 3  # raised when the converted media change


@dataclass(frozen=True, slots=True)
class ResultMedia:
    """A file, or a sequence as name.%04d.exr. start: number of its first frame in the edit's count, in media frames.

    number: of the first file of a sequence. alpha: relation of colour to alpha, None without alpha.
    sha256: see `media_sha256`, None until it is computed.
    """

    path: Path
    kind: Kind
    rate: Fraction
    start: int
    frames: int
    number: int | None = None
    alpha: Alpha | None = None
    sha256: str | None = None

    @property
    def hashed(self) -> ResultMedia:
        """The same media with their SHA-256, which reads all of them. Raises FootageError."""
        frames = [numbered(self.path, self.number + i) for i in range(self.frames)] if self.number is not None else None
        return replace(self, sha256=media_sha256(frames or self.path))


def result_media(shot: ShotRecord, out: Path, kind: Kind, choice: MediaChoice, progress: Progress) -> ResultMedia:
    """Return the media of a shot's result, made if necessary. out: the run's folder. Raises OutputError, FootageError, SchemaError."""
    return _ShotResult(shot, out, kind).media(choice, progress)


class _ShotResult:
    """One result of a shot: its composite, or its patch.

    composite: the movie, or the pattern of images where the plate is a sequence. plate: at its own depth; first: the position of the result's first
    frame in it.
    """

    def __init__(self, shot: ShotRecord, out: Path, kind: Kind) -> None:
        assert shot.folder is not None
        self.shot, self.out, self.kind, self.folder = shot, out, kind, out / shot.folder
        self.rate, self.start = shot.media.rate, shot.media.start + shot.span[0]
        self.frames = shot.span[1] - shot.span[0] + 1
        self.document = document = load_shot(self.folder)
        self.number, plate = document.range.first, document.plate
        self.images_in = has_place(plate.path.name) or plate.path.suffix.lower() in (*IMAGES, "")
        self.layer, self.is_float = plate.layer, plate.colour == "scene_linear"
        self._check(document.range.last - self.number + 1, self.folder)
        images = sorted((self.folder / "composite").glob("composite.*")) if self.images_in else []
        self.images = images[0].with_name(f"composite.%04d{images[0].suffix}") if images else None
        self.composite = self.images or self.folder / "composite.mkv"
        self.plate, self.first = self.folder / "plate.mkv", 0
        if self.images_in and shot.media.path is not None:
            self.plate, self.first = shot.media.path, shot.span[0]

    def media(self, choice: MediaChoice, progress: Progress) -> ResultMedia:
        """Return the result as the chosen media."""
        if choice not in ("written", "sequence"):
            return self._movie(_CODECS[choice], progress)
        if choice == "sequence" or self.number < 0:  # programs disagree on file names of negative frames
            return self._sequence(progress)
        if self.kind == "patch":
            return self._media(self.folder / "patch" / "patch.%04d.exr", self.number, "premultiplied")
        return self._media(self.composite, self.number if self.images else None)

    def _media(self, path: Path, number: int | None = None, alpha: Alpha | None = None) -> ResultMedia:
        return ResultMedia(path, self.kind, self.rate, self.start, self.frames, number, alpha)

    def _sequence(self, progress: Progress) -> ResultMedia:
        first, images = max(self.start, 0), None if self.kind == "patch" else self.images
        if images is not None and self.number == first:
            return self._media(images, first)
        digits = max(4, len(str(first + self.frames - 1)))
        float_plate = self.kind == "patch" and self.is_float
        suffix = images.suffix if images else ".exr" if float_plate else ".png"
        pattern = self.out / FOLDER / f"{self.shot.id}.{self.kind}" / f"{self.shot.id}.%0{digits}d{suffix}"

        def make() -> None:
            paths = [numbered(pattern, first + i) for i in range(self.frames)]
            begin = next((i for i, path in enumerate(paths) if not path.is_file()), self.frames)
            tell = stage(progress, f"{self.shot.id} {self.kind}", self.frames)
            for i in self._write_pictures(begin, paths) if begin < self.frames else ():
                tell(i + 1)
            sign_derived(paths, self.kind, self.document)

        _make_once(pattern.with_name("made.json"), self._key("sequence", pattern.name, first), pattern, make)
        alpha: Alpha | None = None if self.kind == "composite" else "premultiplied" if float_plate else "straight"
        return self._media(pattern, first, alpha)

    def _write_pictures(self, begin: int, paths: Sequence[Path]) -> Iterator[int]:
        """Write the file of each frame from `begin` on, and yield its index."""
        if self.kind == "patch":
            with open_beside(self.plate, rate=self.rate, layer=self.layer) as plate:
                for i, frame, patch in self._overlaid(plate, begin):
                    write_overlay(paths[i], frame, patch)
                    yield i
        elif self.images:
            for i in range(begin, self.frames):
                _link(numbered(self.images, self.number + i), paths[i])
                yield i
        else:
            with open_beside(self.composite, layer=self.layer) as footage:
                self._check(footage.info.frames, footage.info.path)
                for frame in footage.frames(begin):
                    write_frame(paths[frame.index], frame, self.rate)
                    yield frame.index

    def _overlaid(self, plate: Footage, begin: int = 0) -> Iterator[tuple[int, Frame, Patch]]:
        """Yield the plate's frames with their patches, from `begin` on."""
        for i, frame in enumerate(plate.frames(self.first + begin, self.first + self.frames - 1), begin):
            yield i, frame, read_patch(frame_file(self.folder, "patch", self.number + i))

    def _movie(self, codec: Delivery, progress: Progress) -> ResultMedia:
        is_patch = self.kind == "patch"
        if is_patch and CODECS[codec].alpha is None:
            check_delivery(codec, *CODECS[codec].least, alpha=True)
        path = self.out / FOLDER / f"{self.shot.id}.{self.kind}.{codec}.mov"
        # The timecode of the result's first frame: from the plate if it has one, else from the document.
        plate = None if self.images_in else self.shot.media.path
        own = plate and timecode_at(plate, self.shot.span[0], self.rate)
        label = own or timecode_of(self.start, self.rate)

        def make() -> None:
            tell = stage(progress, f"{self.shot.id} {codec}", self.frames)
            source = self.plate if is_patch else self.composite
            with open_beside(source, rate=self.rate, layer=self.layer) as footage:
                info = replace(footage.info, rate=self.rate)
                check_delivery(codec, info.width, info.height, alpha=is_patch)
                with MovieWriter(path, info, codec, timecode=label) as writer:
                    for i, picture in self._drawn(footage):
                        writer.write(picture)
                        tell(i + 1)
            sign_derived(path, self.kind, self.document)

        _make_once(path.with_suffix(".json"), self._key(codec, label, str(self.rate)), path, make)
        with open_beside(self.composite, layer=self.layer) as composite:
            transparent = is_patch or (composite.info.has_alpha and CODECS[codec].alpha is not None)
        return self._media(path, None, "straight" if transparent else None)

    def _drawn(self, footage: Footage) -> Iterator[tuple[int, Frame | Float]]:
        if self.kind == "patch":
            yield from ((i, straight(frame, patch, _ALPHA_STEPS)) for i, frame, patch in self._overlaid(footage))
        else:
            self._check(footage.info.frames, footage.info.path)
            yield from ((frame.index, frame) for frame in footage.frames())

    def _check(self, frames: int, file: Path) -> None:
        if frames != self.frames:
            what = f"holds {counted(frames, 'frame')} where the shot {self.shot.id} has {self.frames}"
            raise OutputError(what, file=file, remedy="Run the timeline again")

    def _key(self, *how: object) -> str:
        patches = self.folder / "patch" / "patch.%04d.exr"
        sources = [self.plate, patches] if self.kind == "patch" else [self.composite]
        return key_of(made=_VERSION, of=[digest_footage(path) for path in sources], how=how)


def _make_once(note: Path, key: str, path: Path, make: Callable[[], None]) -> None:
    """Make a file or a sequence unless it exists from the same inputs; files from other inputs are removed first."""

    def write(*, done: bool) -> None:
        with whole_file(note) as temporary:
            temporary.write_text(json.dumps({"schema": "faceplate.made/1", "key": key, "done": done}) + "\n", "utf-8")

    before: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        before = dict(json.loads(note.read_text("utf-8")))
    sequence = has_place(path.name)
    if before.get("key") != key:
        if sequence and path.parent.is_dir():
            shutil.rmtree(path.parent)
        write(done=False)
    elif before.get("done") and not sequence and path.is_file():
        return
    make()
    write(done=True)


def _link(source: Path, path: Path) -> None:
    """Hard-link a file; copy it where the disk cannot."""
    with whole_file(path, sync=False) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
