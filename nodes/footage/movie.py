"""Movie reader: decodes in order, from any frame, exactly."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from nodes.errors import FootageError
from nodes.footage.ffv1 import intact
from nodes.footage.frame import MovieFrame
from nodes.footage.info import FootageInfo
from nodes.footage.planes import layout, native_format, turn_upright
from nodes.footage.probe import TimeStamps, open_container, refuse_fields, video_stream


class MovieReader:
    """One open container, decoding in order from the last start; not for use by several threads."""

    def __init__(self, info: FootageInfo, stamps: TimeStamps) -> None:
        self.info, self.stamps = info, stamps
        self._container: InputContainer = open_container(info.path)
        self._stream: VideoStream = video_stream(self._container, info.path)
        self._to_native = VideoReformatter()
        self._fresh = True
        self._checked, self._failed = False, set[int]()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def read(self, first: int, last: int) -> Generator[MovieFrame, None, None]:
        """Yield the frames first..last, upright and in a native format.

        Raises FootageError with the number of the frame that cannot be decoded.
        """
        expected = first
        try:
            for index, picture in self._from(first):
                if index > expected or (index == expected and self._damaged(picture)):
                    raise self._broken(expected)
                if index < expected:
                    continue
                yield MovieFrame(index, self.info, self._upright(picture, index))
                expected += 1
                if expected > last:
                    return
        except av.FFmpegError as e:
            raise self._broken(expected) from e
        raise self._broken(expected)

    def _from(self, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield (index, picture) in order, starting at or before frame `first`."""
        if self.stamps.counted:
            self._restart()
            yield from enumerate(self._pictures())
            return
        pts = self.stamps.pts
        for picture in self._since(int(pts[first])):
            index = int(np.searchsorted(pts, picture.pts)) if picture.pts is not None else len(pts)
            if index < len(pts) and pts[index] == picture.pts:
                yield index, picture

    def _since(self, pts: int) -> Iterator[av.VideoFrame]:
        """Decode from the last key frame at or before a time stamp, going further back where the demuxer seeks too late."""
        at = int(np.searchsorted(self.stamps.keys, pts, side="right")) - 1
        for key in self.stamps.keys[max(0, at) : 0 : -1]:
            self._container.seek(int(key), stream=self._stream)
            self._fresh = False
            pictures = self._pictures()
            try:
                head = next((p for p in pictures if p.pts is not None), None)
            except av.FFmpegError:
                continue
            if head is not None and head.pts is not None and head.pts <= pts:
                yield head
                yield from pictures
                return
        self._restart()
        yield from self._pictures()

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Decode from the current position; pictures that do not decode are skipped, if their time stamps show the gap."""
        for packet in self._container.demux(self._stream):
            if self._stream.codec_context.name == "ffv1" and packet.size and packet.pts is not None:
                whole = intact(bytes(packet))
                self._checked = self._checked or whole is not None
                if self._checked and not whole:
                    self._failed.add(packet.pts)
            try:
                yield from packet.decode()
            except av.InvalidDataError:
                if self.stamps.counted:
                    raise

    def _damaged(self, picture: av.VideoFrame) -> bool:
        return picture.is_corrupt or picture.pts in self._failed

    def _restart(self) -> None:
        """Go to the start; not every container can seek there, but every file can be opened again."""
        if not self._fresh:
            self._container.close()
            self._container = open_container(self.info.path)
            self._stream = video_stream(self._container, self.info.path)
        self._fresh = False

    def _upright(self, picture: av.VideoFrame, index: int) -> av.VideoFrame:
        info, turn = self.info, self.stamps.orientation
        size = (picture.height, picture.width) if turn.transposed else (picture.width, picture.height)
        if size != (info.width, info.height):
            raise FootageError(
                f"changes its size to {size[0]}x{size[1]} from {info.width}x{info.height}",
                file=info.path,
                frame=index,
                remedy="Cut the clip there, or conform it to one size",
            )
        if picture.interlaced_frame:
            refuse_fields(info.path, index)
        native = layout(info.pixel_format)
        assert native is not None
        stored = native_format(picture.format.name) if any(native.shift) else native.name
        if picture.format.name != stored:
            picture = self._to_native.reformat(picture, format=stored, interpolation=_EXACT)
        return turn_upright(picture, turn, info.pixel_format, info.tags)

    def _broken(self, frame: int) -> FootageError:
        return FootageError(
            "cannot be decoded; the file is damaged there",
            file=self.info.path,
            frame=frame,
            remedy="Copy or export it again, or use a range without this frame",
        )


_EXACT = 0x2000 | 0x40000 | 0x80000 | 4  # FULL_CHR_H_INT | ACCURATE_RND | BITEXACT | BICUBIC
