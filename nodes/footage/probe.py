"""Movie containers, read without decoding: streams, rate, timecode, the time stamp of every picture, and the first picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from nodes.errors import FootageError
from nodes.footage.info import SPACE_UNSPECIFIED, ColourTags, FootageInfo
from nodes.footage.planes import Orientation, layout, native_format, orientation_of, tags_of
from nodes.footage.rates import LABEL, exact_rate, is_drop, number_of, timecode_of
from nodes.text import command_line
from nodes.types import Int

_REORDERED = 16  # more pictures than any coder reorders
_TRANSFERS = {16: "PQ", 18: "HLG"}  # H.273
_HDR = (
    "the footage is HDR ({}) and is worked on as if it were not: faces are matched in its codes, and the preview shows them as BT.709. "
    "The composite keeps codes and tags, not mastering data"
)
_PROGRESSIVE = 1  # of FFmpeg's field orders; 0 is unknown
_MATRICES = {0, 1, SPACE_UNSPECIFIED, 4, 5, 6, 7, 9}


@dataclass(frozen=True, slots=True)
class TimeStamps:
    """Display times of all pictures. pts: int64 [N], ascending, in the stream's time base; empty if the stream has none; then
    pictures are counted from the start. keys: int64 [K], ascending, pts of the key frames.
    """

    pts: Int
    keys: Int
    origin: Fraction
    orientation: Orientation

    @property
    def counted(self) -> bool:
        """Whether times are computed by counting pictures, because the file has no time stamps."""
        return len(self.pts) == 0


def open_container(path: Path) -> InputContainer:
    """Open a media file; raises FootageError when there is none, or when it cannot be read."""
    try:
        if path.is_dir():
            raise FootageError(
                "is a folder, not a movie", file=path, remedy="Name a file, or a sequence as name.%04d.exr"
            )
        if path.stat().st_size == 0:
            raise FootageError("is empty", file=path, remedy="Copy or export it again")
        return av.open(f"file:{path}", "r", metadata_errors="replace")
    except FileNotFoundError:
        raise FootageError("does not exist", file=path, remedy="Check the path") from None
    except PermissionError:
        raise FootageError("may not be read", file=path, remedy="Check the file's permissions") from None
    except (av.FFmpegError, ValueError, OSError) as e:
        cut = _lacks_index(path)
        raise FootageError(
            "is cut off: its index (moov) is missing" if cut else "is not a movie that can be read",
            file=path,
            remedy="Copy or export it again; the recording or the copy was not finished"
            if cut
            else "Use a video file, an image, or a sequence as name.%04d.exr",
        ) from e


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the picture stream, set to decode on all cores; raises FootageError without one (cover art does not count)."""
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        what = "has sound but no picture" if container.streams.audio else "has no picture"
        raise FootageError(what, file=path, remedy="Choose a file with a video stream")
    stream = streams[0]
    if stream.codec_context is None:
        raise FootageError("is coded in a way that FFmpeg cannot decode", file=path, remedy="Transcode it first")
    stream.thread_type = "AUTO"
    if stream.codec_context.name == "hevc":  # else it returns pictures with damaged slices as if they were whole
        stream.codec_context.options = {"err_detect": "explode"}
    return stream


def refuse_fields(path: Path, frame: int, order: int = 0) -> None:
    """Raise FootageError for pictures of two moments each. order: FFmpeg's field order."""
    words = ("-vf", "bwdif=mode=send_frame", "-c:v", "ffv1", "-c:a", "copy", f"{path.with_suffix('')}_progressive.mkv")
    which = dict.fromkeys((2, 5), " (top field first)") | dict.fromkeys((3, 4), " (bottom field first)")
    raise FootageError(
        f"is interlaced{which.get(order, '')}: each picture shows two moments",
        file=path,
        frame=frame,
        remedy="Write setfield=prog instead of bwdif=mode=send_frame if both fields are of one moment all the same (PsF). "
        f"Deinterlace it first, at the same rate: {command_line('ffmpeg', '-i', str(path), *words)}",
    )


def probe(path: Path) -> tuple[FootageInfo, TimeStamps]:
    """Describe a movie, counting its pictures from its packets; raises FootageError for an unusable one."""
    try:
        state = path.stat()
    except OSError:
        return _probe(path, 0, 0)
    return _probe(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _probe(path: Path, _changed: int, _size: int) -> tuple[FootageInfo, TimeStamps]:
    with open_container(path) as container:
        stream = video_stream(container, path)
        promised = stream.frames
        pts, keys, complete, end = _stamps(container, stream)
        first = _first_picture(path)
        if first is None or (not len(pts) and complete):
            raise FootageError("holds no picture that decodes", file=path, remedy="Copy or export it again")
        order = stream.codec_context.field_order
        if first.interlaced_frame or order > _PROGRESSIVE:
            refuse_fields(path, 0, order)
        time_base = stream.time_base or Fraction(1, 90000)
        declared = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        if complete:
            # Pictures before the first that decodes (an open group at the start of a capture) are never shown.
            pts = pts[np.searchsorted(pts, first.pts) :] if first.pts is not None else pts
            count = len(pts) - (_undecodable_tail(path, pts, keys) if _unfinished(container, promised) else 0)
            pts = _without_ragged_end(pts[:count]) if _unfinished(container, promised) else pts[:count]
            count = len(pts)
            _refuse_if_cut_off(path, container, promised, count, end)
            rate = exact_rate(pts, time_base, declared, path)
            origin = int(pts[0]) * time_base
        else:
            pts, keys = np.empty(0, np.int64), np.empty(0, np.int64)
            count = sum(1 for _ in _decoded(path))
            rate, origin = next((r for r in declared if r), Fraction(24)), Fraction(0)
        stamps = TimeStamps(pts, keys, origin, orientation_of(first))
        return _describe(path, container, stream, first, stamps, count, rate), stamps


def _describe(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    first: av.VideoFrame,
    stamps: TimeStamps,
    count: int,
    rate: Fraction,
) -> FootageInfo:
    turn = stamps.orientation
    name = turn.format(native_format(first.format.name), first.width, first.height)
    lay = layout(name)
    assert lay is not None
    tags = tags_of(first)
    if lay.family == "yuv" and tags.space not in _MATRICES:
        words = ("-vf", "colorspace=bt709", "-c:v", "ffv1", f"{path.with_suffix('')}_bt709.mkv")
        raise FootageError(
            f"uses a colour matrix that is not supported (H.273 code {tags.space})",
            file=path,
            remedy=f"Convert it to BT.709 first: {command_line('ffmpeg', '-i', str(path), *words)}",
        )
    aspect = stream.sample_aspect_ratio or Fraction(1)
    swap = turn.transposed
    return FootageInfo(
        path=path,
        width=first.height if swap else first.width,
        height=first.width if swap else first.height,
        rate=rate,
        frames=count,
        bit_depth=lay.bits,
        is_float=lay.is_float,
        pixel_format=name,
        has_alpha=lay.alpha is not None,
        has_audio=bool(container.streams.audio),
        rotation=turn.degrees,
        tags=ColourTags(tags.space, tags.range, tags.primaries, tags.transfer),
        pixel_aspect=1 / aspect if swap else aspect,
        notes=(_HDR.format(_TRANSFERS[tags.transfer]),) if tags.transfer in _TRANSFERS else (),
    )


def _stamps(container: InputContainer, stream: VideoStream) -> tuple[Int, Int, bool, float]:
    """Read all packets: pts of the shown pictures and of the key frames, ascending; whether every picture has one of its own;
    and the end of the last packet of any stream, in seconds."""
    pts: list[int] = []
    keys: list[int] = []
    complete, end = True, 0.0
    bases = {s.index: float(s.time_base or 0) for s in container.streams}
    for packet in container.demux():
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and packet.size:
            end = max(end, (stamp + (packet.duration or 0)) * bases.get(packet.stream_index, 0.0))
        if packet.stream_index != stream.index or not packet.size:
            continue
        if packet.pts is None:
            complete = False
        elif not packet.is_discard:
            pts.append(packet.pts)
        if packet.is_keyframe and packet.pts is not None:
            keys.append(packet.pts)
    times = np.unique(np.array(pts, np.int64))
    complete &= len(times) == len(pts)
    return times, np.unique(np.array(keys, np.int64)), complete, end


def _decoded(path: Path, seek: int | None = None) -> list[int | None]:
    """Decode from a time stamp (or the start) to the end and list the pts of the pictures, stopping at damage."""
    stamps: list[int | None] = []
    with open_container(path) as container:
        stream = video_stream(container, path)
        if seek is not None:
            container.seek(seek, stream=stream)
        with suppress(av.FFmpegError):
            stamps.extend(f.pts for f in container.decode(stream))
    return stamps


def _first_picture(path: Path) -> av.VideoFrame | None:
    with open_container(path) as container:
        stream = video_stream(container, path)
        try:
            return next(iter(container.decode(stream)), None)
        except av.FFmpegError as e:
            raise FootageError("cannot be decoded", file=path, frame=0, remedy="Copy or export it again") from e


def _undecodable_tail(path: Path, pts: Int, keys: Int) -> int:
    """Count the pictures at the end that do not decode, by decoding from the last key frame."""
    if not len(keys):
        return 0
    back = 1
    while True:
        key = keys[max(0, len(keys) - back)]
        good = set(_decoded(path, int(key) if key > keys[0] else None))
        if int(key) in good or back >= len(keys):  # else the demuxer landed behind the key frame
            break
        back *= 2
    since = int(np.searchsorted(pts, key))
    bad = [i for i in range(since, len(pts)) if int(pts[i]) not in good]
    return len(pts) - bad[0] if bad else 0


def _unfinished(container: InputContainer, promised: int) -> bool:
    """Tell whether the container lacks its length, as in a recording that was stopped."""
    return not promised and not ("matroska" in container.format.name and container.duration)


def _without_ragged_end(pts: Int) -> Int:
    """Drop the last pictures if, in display order, some before them are missing: the recording stopped before those were written."""
    steps = np.diff(pts)
    late = np.flatnonzero(steps > 1.5 * np.median(steps)) if len(steps) else steps
    late = late[late >= len(steps) - _REORDERED]
    return pts[: late[0] + 1] if len(late) else pts


def _refuse_if_cut_off(path: Path, container: InputContainer, promised: int, count: int, end: float) -> None:
    remedy = "Copy or export it again"
    if promised > count + 2:
        raise FootageError(f"is cut off: {count} of {promised} frames are there", file=path, remedy=remedy)
    header_knows = "matroska" in container.format.name
    length = (container.duration or 0) / av.time_base
    if header_knows and length - end > max(1.0, 0.02 * length):
        raise FootageError(
            f"is cut off: {end:.1f} s of {length:.1f} s are there ({count} frames)", file=path, remedy=remedy
        )


def _lacks_index(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] != b"ftyp":
            return False
        position, size = 0, path.stat().st_size
        while position + 8 <= size:
            file.seek(position)
            box = file.read(16)
            length = int.from_bytes(box[:4], "big")
            if box[4:8] == b"moov":
                return False
            if length == 1:
                length = int.from_bytes(box[8:16], "big")
            if length < 8:
                break
            position += length
    return True


def timecode_in(path: Path) -> str | None:
    """Read the timecode of a movie's first frame from its file; None without one, or for an unreadable file."""
    with suppress(FootageError), open_container(path) as container:
        return next(labels_in(container), None)
    return None


def labels_in(container: InputContainer) -> Iterator[str]:
    """Yield the timecodes of a container and its streams, as written."""
    for tags in (*(s.metadata for s in container.streams), container.metadata):
        for key, label in tags.items():
            if key.lower() == "timecode" and LABEL.match(label.strip()):  # TIMECODE in Matroska
                yield label.strip()


def timecode_at(path: Path, index: int, rate: Fraction) -> str | None:
    """Return the label of the frame at a position in a movie, by its file's own timecode; None without one that fits the rate."""
    label = timecode_in(path)
    with suppress(ValueError):
        if label is not None:
            return timecode_of(number_of(label, rate) + index, rate, drop=is_drop(label))
    return None
