"""Footage: a clip of any kind, opened and read frame by frame."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from nodes.errors import FootageError
from nodes.footage.formats import IMAGES
from nodes.footage.frame import Frame
from nodes.footage.info import FootageInfo
from nodes.footage.movie import MovieReader
from nodes.footage.numbering import ImageSequence, find_sequence
from nodes.footage.probe import probe
from nodes.footage.sequence import SequenceReader, describe
from nodes.text import counted
from nodes.types import Int

_log = logging.getLogger(__name__)
_NEAR = 12
_DECODED = 8  # frames decoded for one of a sample, at most and on average
T = TypeVar("T")


def run_ahead(items: Generator[T, None, None], depth: int) -> Generator[T, None, None]:
    """Yield the items of a generator that is advanced on another thread, at most `depth` (>= 1) items early.

    An error of the generator is raised in the consumer, after the items before it. Closing the returned generator stops the thread
    and closes the given one.
    """
    box: Queue[Any] = Queue(max(1, depth))
    stopped, end, errors = Event(), object(), list[BaseException]()

    def fill() -> None:
        try:
            for item in items:
                box.put(item)
                if stopped.is_set():
                    return
        except BaseException as e:  # raised in the consumer, whatever it is
            _log.info("the thread has failed", exc_info=True)
            errors.append(e)
        finally:
            items.close()
            box.put(end)

    # No pool: Python waits for a pool's threads at exit, and a thread without a reader would wait for ever.
    thread = Thread(target=fill, name="faceplate-decode", daemon=True)
    thread.start()
    try:
        while (item := box.get()) is not end:
            yield item
        if errors:
            raise errors[0]
    finally:
        stopped.set()
        while thread.is_alive():
            with suppress(Empty):
                box.get(timeout=0.01)


class Reader(Protocol):
    """A reader of the frames of one kind of footage, in order."""

    def read(self, first: int, last: int) -> Generator[Frame, None, None]:
        """Yield the frames first..last."""

    def close(self) -> None:
        """Close the file."""


class Footage:
    """A clip. Frames are addressed by their position, 0 .. info.frames - 1. A context manager; safe to use from several threads."""

    def __init__(
        self, info: FootageInfo, reader: Callable[[], Reader], keys: Int | None = None, positions: Int | None = None
    ) -> None:
        """Take a clip. keys: positions from which decoding can begin, by default all. positions: of a sample's frames in its clip."""
        self.info, self.positions = info, positions
        self._open, self._keys = reader, keys
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._run: Generator[Frame, None, None] | None = None
        self._last: Frame | None = None

    def frames(
        self,
        first: int | None = None,
        last: int | None = None,
        *,
        ahead: int = 8,
        prepare: Callable[[Frame], object] | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames first..last (inclusive; by default all), decoding up to `ahead` frames early on another thread.

        prepare: is called with every frame on that thread, such as `Frame.rgb8`, whose result the frame keeps.

        Closing the iterator stops the thread. Raises FootageError for a range outside the clip and for a frame that cannot be
        read, when it is reached.
        """
        start = 0 if first is None else first
        end = self.info.frames - 1 if last is None else last
        self._check(start)
        self._check(end)
        if end < start:
            raise FootageError(f"has no frames {start}-{end}", file=self.info.path, remedy="Give the first frame first")
        return run_ahead(self._read_all(start, end, prepare), ahead)

    def frame(self, index: int) -> Frame:
        """Return one frame, exactly as reading the clip in order gives it; fast for the same, the next and near frames."""
        self._check(index)
        with self._lock:
            if self._last is not None and self._last.index == index:
                return self._last
            near = self._last is not None and 0 < index - self._last.index <= _NEAR
            try:
                if self._run is None or not near:
                    if self._reader is None:
                        self._reader = self._open()
                    if self._run is not None:
                        self._run.close()
                    self._run = self._reader.read(index, self.info.frames - 1)
                for frame in self._run:
                    if frame.index == index:
                        self._last = frame
                        return frame
            except BaseException:
                self._run = self._last = None
                raise
        raise FootageError("cannot be read", file=self.info.path, frame=index, remedy="Copy or export it again")

    def sampled(self, most: int, around: int | None = None) -> Footage:
        """Return a clip of at most this many frames of this one, spread over it but quick to decode; or itself, if it has no more.

        around: a frame that is added, with those beside it. The rate of the sample is the mean one of its frames.
        """
        info, every = self.info, np.arange(self.info.frames)
        if info.frames <= most:
            return self
        keys = every if self._keys is None else np.union1d(0, self._keys)
        keys = keys[np.unique(np.linspace(0, len(keys) - 1, most).round().astype(int))]
        past_key = every - keys[np.searchsorted(keys, every, "right") - 1]
        quick = every[past_key < _DECODED * most // len(keys)]
        positions = quick[np.linspace(0, len(quick) - 1, most).round().astype(int)]
        if around is not None:
            positions = np.union1d(positions, np.clip(np.arange(around - 1, around + 2), 0, info.frames - 1))
        rate = info.rate * len(positions) / info.frames
        info = replace(info, frames=len(positions), rate=rate, first=0)
        return Footage(info, lambda: _SampleReader(Footage(self.info, self._open), positions), positions=positions)

    def close(self) -> None:
        """Close the file; iterators that are running keep their own."""
        with self._lock:
            if self._run is not None:
                self._run.close()
            if self._reader is not None:
                self._reader.close()
            self._reader = self._run = self._last = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_all(
        self, first: int, last: int, prepare: Callable[[Frame], object] | None
    ) -> Generator[Frame, None, None]:
        reader = self._open()
        try:
            for frame in reader.read(first, last):
                if prepare is not None:
                    prepare(frame)
                yield frame
        finally:
            reader.close()

    def _check(self, index: int) -> None:
        if not 0 <= index < self.info.frames:
            raise FootageError(
                f"has {counted(self.info.frames, 'frame')}, 0-{self.info.frames - 1}; there is no frame {index}",
                file=self.info.path,
                remedy="Choose a range inside the clip",
            )


class _SampleReader:
    """Reader of some frames of a clip, which are numbered from 0."""

    def __init__(self, footage: Footage, positions: Int) -> None:
        self._footage, self._positions = footage, positions

    def read(self, first: int, last: int) -> Generator[Frame, None, None]:
        """Yield the sample's frames first..last."""
        for index in range(first, last + 1):
            frame = copy(self._footage.frame(int(self._positions[index])))
            frame.index = index
            yield frame

    def close(self) -> None:
        """Close the clip."""
        self._footage.close()


def open_footage(path: Path | str, *, rate: Fraction | None = None, layer: str | None = None) -> Footage:
    """Open a movie, a single image, a sequence (name.%04d.exr, name.####.png) or a folder that holds exactly one sequence.

    rate: frames per second of a sequence whose files lack it (24 without either); ignored for movies. layer: name of the
    picture's layer in EXR; by default the unnamed one or the beauty. Raises
    FootageError for footage that is missing, damaged or unusable, with a remedy.
    """
    path = Path(path)
    sequence = find_sequence(path)
    if sequence is None and path.suffix.lower() in IMAGES:
        sequence = ImageSequence(path, (path,), 0)
    if sequence is not None:
        info, chosen = describe(sequence, rate, layer)
        files = sequence.files
        _log_info(info, "as told" if rate else "by its files, else 24")
        return Footage(info, lambda: SequenceReader(info, files, chosen))
    movie, stamps = probe(path)
    _log_info(movie, "by its time stamps")
    keys = np.searchsorted(stamps.pts, stamps.keys)  # a movie whose frames must be counted has none
    return Footage(movie, lambda: MovieReader(movie, stamps), keys[keys < movie.frames])


def open_beside(path: Path, *, rate: Fraction | None = None, layer: str | None = None) -> Footage:
    """Open footage that goes with other footage, in the layer of that name if it has one. Raises as `open_footage`."""
    if layer is not None:
        with suppress(FootageError):
            return open_footage(path, rate=rate, layer=layer)
    return open_footage(path, rate=rate)


def _log_info(info: FootageInfo, why: str) -> None:
    """Log how footage is understood. why: the source of its rate."""
    _log.info(
        "%s: %dx%d, %d frames from %d, %s frames/s %s, %s as %s, tags %s, pixel aspect %s, layer '%s', %ssound%s",
        *(info.path, info.width, info.height, info.frames, info.first, info.rate, why),
        *(info.pixel_format, info.colour, info.tags, info.pixel_aspect, info.layer),
        *("" if info.has_audio else "no ", "".join(f"; {note}" for note in info.notes)),
    )
