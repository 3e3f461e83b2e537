"""Sound of a range of a movie, muxed packet by packet, in step with its pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from nodes.footage.probe import open_container, probe

Samples = npt.NDArray[Any]

_FLAC_RATE, _FLAC_CHANNELS = 655350, 8
_LAYOUTS = ("mono", "stereo", "2.1", "quad", "5.0", "5.1", "6.1", "7.1")
_PCM = {"s16": "pcm_s16le", "s32": "pcm_s32le", "flt": "pcm_f32le"}


class Sound:
    """The sound tracks of a movie, added to an output and muxed up to a time.

    Time runs from the range's first picture; sound is cut to the sample. Matroska: every channel, without loss, as FLAC, or as PCM where
    FLAC cannot hold it (more than eight channels, floats, 32 bits). MP4: AAC in stereo, to listen to.
    """

    def __init__(self, source: Path, output: OutputContainer, first: int, last: int) -> None:
        info, stamps = probe(source)
        start = stamps.origin + first / info.rate
        length = (last + 1 - first) / info.rate
        self._output = output
        container = "matroska" if "matroska" in output.format.name else "mp4"
        with open_container(source) as media:
            tracks = [s.index for s in media.streams.audio if s.codec_context is not None]
        self._tracks = [_Track(_packets(source, track, output, container, start, length)) for track in tracks]

    def mux_until(self, time: Fraction | None) -> None:
        """Mux packets up to a time in seconds; None for the rest."""
        for track in self._tracks:
            track.drain(self._output.mux, time)

    def close(self) -> None:
        """Close the source."""
        for track in self._tracks:
            track.close()


class _Track:
    """Packets of one track, with the next one held until due. Its constructor adds a stream to the output."""

    def __init__(self, packets: Generator[Packet[Any] | None, None, None]) -> None:
        self._packets = packets
        self._next = next(packets, None)

    def drain(self, mux: Callable[[Packet[Any]], None], time: Fraction | None) -> None:
        for packet in chain((self._next,), self._packets):
            if packet is None:
                continue
            if time is not None and packet.pts is not None and packet.pts * packet.time_base > time:
                self._next = packet
                return
            mux(packet)
        self._next = None

    def close(self) -> None:
        self._packets.close()


def _packets(
    source: Path, track: int, output: OutputContainer, container: str, start: Fraction, length: Fraction
) -> Generator[Packet[Any] | None, None, None]:
    """Add one track to the output (on the first step, which yields None) and yield its packets."""
    with open_container(source) as media:
        stream = media.streams[track]
        assert isinstance(stream, AudioStream)
        if start > 1 and stream.time_base:
            media.seek(int((start - 1) / stream.time_base), stream=stream)
        kind, encoder = _encoder(output, stream.codec_context, container)
        yield None
        yield from _encoded(_sampled(media, stream, encoder, kind), encoder, kind, start, length)


def _encoder(output: OutputContainer, context: AudioCodecContext, container: str) -> tuple[str, AudioStream]:
    """Add a track to the output: (the type of its samples, its stream)."""
    channels, rate = context.layout.nb_channels, context.sample_rate
    if container == "mp4":
        rates = av.Codec("aac", "w").audio_rates or ()
        encoder = output.add_stream("aac", rate=rate if rate in rates else 48000)
        encoder.layout, encoder.bit_rate = _LAYOUTS[min(channels, 2) - 1], 96_000 * min(channels, 2)
        return "flt", encoder
    pcm = context.name.startswith(("pcm_f", "pcm_s32"))
    kind = "s16" if context.format.name in ("s16", "s16p", "u8", "u8p") else "s32"
    if pcm or channels > _FLAC_CHANNELS or rate > _FLAC_RATE:
        kind = "flt" if context.format.name.startswith(("flt", "dbl")) else kind
        encoder = cast(AudioStream, output.add_stream(_PCM[kind], rate=rate))
        encoder.layout = f"{channels} channels"
    else:
        encoder = output.add_stream("flac", rate=rate)
        encoder.layout = _LAYOUTS[channels - 1]  # recorders often leave it open ("2 channels"), which coders refuse
    encoder.format = kind
    return kind, encoder


def _sampled(
    source: InputContainer, stream: AudioStream, encoder: AudioStream, kind: str
) -> Iterator[tuple[Fraction, Samples]]:
    """Decode a track: (time in seconds, samples [N, channels of the encoder]); packets that do not decode are left out.

    Only interleaved samples are read: PyAV reads beyond the planes of eight channels and more.
    """
    channels, layout = encoder.layout.nb_channels, stream.layout
    mixed = channels < layout.nb_channels and not layout.name.endswith("channels")
    resampler = AudioResampler(kind, "stereo" if mixed else None, encoder.codec_context.sample_rate)
    base = stream.time_base or Fraction(1, encoder.codec_context.sample_rate)
    for packet in source.demux(stream):
        with suppress(av.InvalidDataError):
            for decoded in packet.decode():
                if decoded.pts is None:
                    continue
                time = decoded.pts * (decoded.time_base or base)
                decoded.pts = None
                for block in resampler.resample(decoded):
                    samples = block.to_ndarray().reshape(-1, block.layout.nb_channels)
                    yield time, samples if samples.shape[1] == channels else _mixed_to_stereo(samples)
                    time += Fraction(block.samples, block.sample_rate)


def _mixed_to_stereo(samples: Samples) -> Samples:
    """Mix float channels of an unknown layout down to two: every other one to the left and to the right."""
    return np.stack([samples[:, side::2].mean(1) for side in (0, 1)], axis=1)


def _encoded(
    blocks: Iterator[tuple[Fraction, Samples]], encoder: AudioStream, kind: str, start: Fraction, length: Fraction
) -> Iterator[Packet[Any]]:
    """Cut samples to the range and encode them; missing samples become silence."""
    rate = encoder.codec_context.sample_rate
    total, written = round(length * rate), 0
    for time, samples in blocks:
        at = round((time - start) * rate)
        if at >= total:
            break
        gap = at - written
        if written and abs(gap) <= rate // 50:
            gap = 0  # time stamps rounded to milliseconds are no gap
        if gap > 0:
            samples = np.pad(samples, ((gap, 0), (0, 0)))
        samples = samples[max(0, -gap) :][: total - written]
        if len(samples):
            yield from encoder.encode(_block(samples, encoder, kind, written))
            written += len(samples)
    if 0 < written < total:
        rest = np.zeros((total - written, encoder.layout.nb_channels), _TYPES[kind])
        yield from encoder.encode(_block(rest, encoder, kind, written))
    yield from encoder.encode(None)


_TYPES = {"s16": np.int16, "s32": np.int32, "flt": np.float32}


def _block(samples: Samples, encoder: AudioStream, kind: str, first: int) -> AudioFrame:
    array = np.ascontiguousarray(samples, _TYPES[kind]).reshape(1, -1)
    block = AudioFrame.from_ndarray(array, format=kind, layout=encoder.layout.name)
    block.sample_rate, block.pts = encoder.codec_context.sample_rate, first
    block.time_base = Fraction(1, block.sample_rate)
    return block
