"""Movie writer: movies that appear whole or not at all, with the sound of their range and a timecode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Self, cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from nodes.errors import FootageError, OutputError, writing
from nodes.files import beside, flush
from nodes.footage.codecs import check_delivery, delivered_picture, lossless_picture, preview_picture
from nodes.footage.ffv1 import PLACEHOLDER, ffv1_options, set_pixel_aspect
from nodes.footage.formats import CODECS, CodecName, options_of
from nodes.footage.frame import Frame, MovieFrame
from nodes.footage.info import FootageInfo
from nodes.footage.sound import Sound
from nodes.types import Float, Image8


class MovieWriter:
    """A movie that appears under its name when it is closed, and not at all when something fails.

    like: footage with the movie's size, rate and colour tags. codec: of `nodes.footage.formats.CODECS`; "ffv1" keeps every
    code value (level 3, slices with checksums, the frames' own pixel format; packed rgb is repacked; float is stored as 16-bit sRGB);
    "h264" is an 8-bit preview; the others are for editing programs. audio_from: a movie
    whose sound of the frames first..last is kept. timecode: label of the first frame.
    """

    def __init__(
        self,
        path: Path | str,
        like: FootageInfo,
        codec: CodecName = "ffv1",
        audio_from: Path | None = None,
        first: int = 0,
        last: int | None = None,
        timecode: str | None = None,
    ) -> None:
        self.path, self.info, self.codec = Path(path), like, codec
        self._timecode = timecode
        self._reshaped = codec == "ffv1" and like.pixel_aspect != 1  # Matroska's header is changed afterwards
        self._sound_of = audio_from, first, like.frames - 1 if last is None else last
        self._temporary: Path | None = None
        self._output: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._sound: Sound | None = None
        self._convert = VideoReformatter()
        self._count = 0
        with writing(self.path):
            self._temporary = beside(self.path)
            options = options_of(CODECS[codec].muxing) | ({"write_crc32": "0"} if self._reshaped else {})
            self._output = av.open(str(self._temporary), "w", format=CODECS[codec].container, container_options=options)

    def write(self, frame: Frame | Image8 | Float) -> None:
        """Append a picture: a Frame, display-referred sRGB uint8 [H, W, 3], or, for a codec with alpha, display-referred pixels with straight alpha,
        float32 [H, W, 4]. Raises OutputError when it cannot be written."""
        assert self._output is not None
        # Scaling a picture sets its tags for a moment, so one writer or reader at a time.
        with frame.lock if isinstance(frame, MovieFrame) else nullcontext():
            picture = self._picture(frame)
        try:
            with _coding(self.path):
                if self._stream is None:
                    self._stream = self._start(picture)
                elif (picture.width, picture.height) != (self._stream.width, self._stream.height):
                    raise FootageError(
                        f"cannot take a picture of {picture.width}x{picture.height} into a movie of "
                        f"{self._stream.width}x{self._stream.height}",
                        file=self.path,
                        frame=self._count,
                        remedy="All frames of a movie have one size",
                    )
                elif picture.format.name != self._stream.pix_fmt:
                    picture = self._convert.reformat(picture, format=str(self._stream.pix_fmt))
                if self._sound is not None:
                    self._sound.mux_until(self._count / self.info.rate)
                picture.pts, picture.time_base = self._count, 1 / self.info.rate
                self._output.mux(self._stream.encode(picture))
        except BaseException:
            self.abort()
            raise
        self._count += 1

    def close(self) -> None:
        """Finish the movie and give it its name. Raises OutputError when it cannot be written or has no frames."""
        if self._output is None:
            return
        try:
            if self._stream is None:
                raise OutputError("has no frames to be written", file=self.path, remedy="Choose a range with frames")
            with _coding(self.path):
                self._output.mux(self._stream.encode(None))
                if self._sound is not None:
                    self._sound.mux_until(None)
                    self._sound.close()
                output, self._output = self._output, None
                output.close()
                assert self._temporary is not None
                if self._reshaped:
                    set_pixel_aspect(self._temporary, self._stream.width, self._stream.height, self.info.pixel_aspect)
                flush(self._temporary)
                self._temporary.replace(self.path)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Stop, and remove the unfinished file."""
        output, self._output = self._output, None
        if self._sound is not None:
            self._sound.close()
        if output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):  # the file is deleted anyway
                output.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _start(self, picture: av.VideoFrame) -> VideoStream:
        assert self._output is not None
        rate = self.info.rate
        ffv1 = self.codec == "ffv1"
        size = picture.width, picture.height
        options = ffv1_options(picture.format.name, *size) if ffv1 else options_of(CODECS[self.codec].options)
        stream = self._output.add_stream(
            CODECS[self.codec].encoder,
            rate=rate,
            options=options,
            width=picture.width,
            height=picture.height,
            time_base=1 / rate,
        )
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        if self._timecode is not None:
            stream.metadata["timecode"] = self._timecode  # on the picture's stream, where editors look for it
        stream.pix_fmt = picture.format.name
        stream.thread_type = "SLICE" if ffv1 else "AUTO"
        context.sample_aspect_ratio = self.info.pixel_aspect
        if self._reshaped:
            stream.metadata["title"] = PLACEHOLDER
        context.colorspace, context.color_range = picture.colorspace, picture.color_range
        context.color_primaries, context.color_trc = picture.color_primaries, picture.color_trc
        source, first, last = self._sound_of
        if source is not None and (self.info.has_audio or Path(source) != self.info.path):
            self._sound = Sound(source, self._output, first, last)
        return stream

    def _picture(self, frame: Frame | Image8 | Float) -> av.VideoFrame:
        if self.codec == "ffv1":
            return lossless_picture(cast(Frame | Image8, frame), self._convert)
        if self.codec == "h264":
            return preview_picture(cast(Frame | Image8, frame), self._convert)
        if self._stream is None:
            height, width = frame.shape[:2] if isinstance(frame, np.ndarray) else (frame.height, frame.width)
            check_delivery(self.codec, width, height, alpha=isinstance(frame, np.ndarray))
        if isinstance(frame, Frame) and CODECS[self.codec].alpha is None and not _opaque(frame):
            check_delivery(self.codec, frame.width, frame.height, alpha=True)
        return delivered_picture(cast(Frame | Float, frame), self.codec, self.info, self._convert)


def _opaque(frame: Frame) -> bool:
    alpha = frame.alpha() if frame.info.has_alpha else None
    return alpha is None or bool((alpha >= 1).all())


@contextmanager
def _coding(path: Path) -> Iterator[None]:
    with writing(path):
        try:
            yield
        except av.FFmpegError as e:
            if isinstance(e, OSError):
                raise
            raise OutputError(f"cannot be encoded ({e.strerror})", file=path, remedy="Try the other codec") from e
