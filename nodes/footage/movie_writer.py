"""Write movies: FFV1 in Matroska without loss, H.264 in MP4 to look at, and in QuickTime what editing programs read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, VideoReformatter
from av.video.stream import VideoStream

from nodes.errors import FootageError, OutputError, writing
from nodes.footage.delivery import CODINGS, Delivery, check_delivery, delivered
from nodes.footage.ffv1 import ffv1_options
from nodes.footage.frame import SWS_MATRIX, Frame, MovieFrame
from nodes.footage.info import SPACE_BT709, ColourTags, FootageInfo
from nodes.footage.matrix import resolved_space
from nodes.footage.matroska import PLACEHOLDER, set_pixel_aspect
from nodes.footage.planes import copy, is_full_range, layout, new_frame, views
from nodes.footage.sound import Sound
from nodes.footage.whole import beside, flush
from nodes.types import Float, Image8

Codec = Literal["ffv1", "h264"] | Delivery

_ENCODERS = {"ffv1": "ffv1", "h264": "libx264"} | {name: coding.encoder for name, coding in CODINGS.items()}
_OPTIONS = {
    "h264": {"preset": "superfast", "crf": "17"},
} | {name: dict(coding.options) for name, coding in CODINGS.items()}
# Without random ids the same pictures make the same file.
_CONTAINERS = {
    "ffv1": ("matroska", {"fflags": "+bitexact"}),
    "h264": ("mp4", {"movflags": "+faststart"}),
} | {name: ("mov", {"movflags": "+faststart+write_colr", "fflags": "+bitexact"}) for name in CODINGS}
_LOSSLESS_AS = {"rgb24": "bgr0", "bgr24": "bgr0", "rgb0": "bgr0", "gbrp": "bgr0", "rgba": "bgra", "gbrap": "bgra"}


class MovieWriter:
    """A movie that appears under its name when it is closed, and not at all when something fails.

    like: whose size, rate and colour tags the movie gets. codec: "ffv1" keeps every code value (level 3, slices with
    checksums, the frames' own pixel format; packed rgb is repacked; float is stored as 16-bit sRGB); "h264" is an 8-bit
    preview, an odd edge repeated to make sizes even; the others are for editing programs, see `nodes.footage.delivery`. audio_from: a movie
    whose sound of the frames first..last is kept. timecode: label of the first frame.
    """

    def __init__(
        self,
        path: Path | str,
        like: FootageInfo,
        codec: Codec = "ffv1",
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
            kind, options = _CONTAINERS[codec]
            options = options | ({"write_crc32": "0"} if self._reshaped else {})
            self._output = av.open(str(self._temporary), "w", format=kind, container_options=options)

    def write(self, frame: Frame | Image8 | Float) -> None:
        """Append a picture: a Frame, display-referred sRGB uint8 [H, W, 3], or, for a codec with alpha, what is displayed with straight alpha,
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
                    picture = self._to(picture, str(self._stream.pix_fmt))
                if self._sound is not None:
                    self._sound.mux_until(self._count / self.info.rate)
                picture.pts, picture.time_base = self._count, 1 / self.info.rate
                self._output.mux(self._stream.encode(picture))
        except BaseException:
            self.abort()
            raise
        self._count += 1

    def close(self) -> None:
        """Finish the movie and give it its name. Raises OutputError when it cannot be written or nothing was."""
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
        """Stop, and leave nothing behind."""
        output, self._output = self._output, None
        if self._sound is not None:
            self._sound.close()
        if output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):  # it is thrown away
                output.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _start(self, picture: av.VideoFrame) -> VideoStream:
        assert self._output is not None
        rate = self.info.rate
        ffv1 = self.codec == "ffv1"
        size = picture.width, picture.height
        options = ffv1_options(picture.format.name, *size) if ffv1 else dict(_OPTIONS[self.codec])
        stream = self._output.add_stream(
            _ENCODERS[self.codec],
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
        """Return a picture in a format that the codec takes, with its colour tags."""
        if self.codec != "ffv1" and self.codec != "h264":
            return self._delivered(cast(Frame | Float, frame), self.codec)
        if self.codec == "h264":
            return self._preview(cast(Frame | Image8, frame))
        if isinstance(frame, MovieFrame):
            name = frame.picture.format.name
            target = _LOSSLESS_AS.get(name, name)
            if target.endswith("f32le"):
                target = "gbrap16le" if frame.info.has_alpha else "gbrp16le"
            elif name.startswith("yuvj"):
                return _renamed(frame.picture, name.replace("j", ""), frame.info.tags)
            return copy(frame.picture) if target == name else self._to(frame.picture, target)
        array = cast(Image8, frame) if isinstance(frame, np.ndarray) else frame.rgb8()
        return self._to(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24"), "bgr0")

    def _delivered(self, frame: Frame | Float, codec: Delivery) -> av.VideoFrame:
        if self._stream is None:
            height, width = frame.shape[:2] if isinstance(frame, np.ndarray) else (frame.height, frame.width)
            check_delivery(codec, width, height, alpha=isinstance(frame, np.ndarray))
        if isinstance(frame, Frame) and CODINGS[codec].alpha is None and not _opaque(frame):
            check_delivery(codec, frame.width, frame.height, alpha=True)
        return delivered(frame, codec, self.info, self._convert)

    def _preview(self, frame: Frame | Image8) -> av.VideoFrame:
        space, source = SPACE_BT709, {}
        even = isinstance(frame, MovieFrame) and frame.width % 2 == frame.height % 2 == 0
        if even and isinstance(frame, MovieFrame):
            picture = frame.picture
            lay = layout(picture.format.name)
            assert lay is not None
            if lay.family == "yuv":
                space = resolved_space(frame.info)
                full = is_full_range(lay, frame.info.tags)
                source = {
                    "src_colorspace": SWS_MATRIX[space],
                    "src_color_range": ColorRange.JPEG if full else ColorRange.MPEG,
                }
        else:
            array = frame.rgb8() if isinstance(frame, Frame) else frame
            array = np.pad(array, ((0, array.shape[0] % 2), (0, array.shape[1] % 2), (0, 0)), mode="edge")
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24")
        converted = self._convert.reformat(
            picture, format="yuv420p", dst_colorspace=SWS_MATRIX[space], dst_color_range=ColorRange.MPEG, **source
        )
        twin = copy(converted) if converted is picture else converted
        twin.pict_type = 0  # the coder chooses where key frames go, not the source
        twin.colorspace, twin.color_range, twin.color_primaries, twin.color_trc = space, ColorRange.MPEG, 1, 1
        return twin

    def _to(self, picture: av.VideoFrame, target: str) -> av.VideoFrame:
        return self._convert.reformat(picture, format=target)


def _opaque(frame: Frame) -> bool:
    alpha = frame.alpha() if frame.info.has_alpha else None
    return alpha is None or bool((alpha >= 1).all())


def _renamed(picture: av.VideoFrame, name: str, tags: ColourTags) -> av.VideoFrame:
    """Copy planes into the format of another name and the same layout (yuvj420p is yuv420p tagged as full range)."""
    full = ColourTags(tags.space, 2, tags.primaries, tags.transfer)
    twin = new_frame(name, picture.width, picture.height, full)
    for new, old in zip(views(twin), views(picture), strict=True):
        new[...] = old
    return twin


@contextmanager
def _coding(path: Path) -> Iterator[None]:
    """Turn the refusals of the system and of the coder into OutputError."""
    with writing(path):
        try:
            yield
        except av.FFmpegError as e:
            if isinstance(e, OSError):
                raise
            raise OutputError(f"cannot be encoded ({e.strerror})", file=path, remedy="Try the other codec") from e
