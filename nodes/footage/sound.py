"""The sound of a range of a movie, packet by packet, in step with its pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from nodes.footage.probe import open_container, probe

_FLAC_RATE = 655350
_LAYOUTS = ("mono", "stereo", "2.1", "quad", "5.0", "5.1", "6.1", "7.1")
_COPIED = {
    "matroska": {"aac", "mp3", "opus", "vorbis", "ac3", "eac3", "dts", "mp2"},
    "mp4": {"aac"},
}


class Sound:
    """The sound tracks of a movie, added to an output and muxed up to a time.

    Time runs from the range's first picture. Matroska: tracks in a lossy format are copied when the range starts with the
    movie (their short packets then end within 30 ms of it), all else is stored without loss as FLAC, to the sample. MP4: AAC.
    """

    def __init__(self, source: Path, output: OutputContainer, first: int, last: int) -> None:
        info, timeline = probe(source)
        start = timeline.origin + first / info.rate
        length = (last + 1 - first) / info.rate
        self._output = output
        container = "matroska" if "matroska" in output.format.name else "mp4"
        with open_container(source) as found:
            tracks = [s.index for s in found.streams.audio if s.codec_context is not None]
        self._tracks = [
            _Track(_packets(source, track, output, container, start, length, whole=first == 0)) for track in tracks
        ]

    def mux_until(self, time: Fraction | None) -> None:
        """Mux packets up to a time in seconds; None for all that is left."""
        for track in self._tracks:
            track.drain(self._output.mux, time)

    def close(self) -> None:
        """Close the source."""
        for track in self._tracks:
            track.close()


class _Track:
    """Packets of one track, the next one looked at before it is due. Making one adds its stream to the output."""

    def __init__(self, packets: Generator[Packet[Any] | None, None, None]) -> None:
        self._packets = packets
        self._next = next(packets, None)

    def drain(self, mux: Callable[[Packet[Any]], None], time: Fraction | None) -> None:
        while True:
            packet = self._next
            if packet is None:
                packet = self._next = next(self._packets, None)
                if packet is None:
                    return
            if time is not None and packet.pts is not None and packet.pts * packet.time_base > time:
                return
            mux(packet)
            self._next = None

    def close(self) -> None:
        self._packets.close()


def _packets(
    source: Path, track: int, output: OutputContainer, container: str, start: Fraction, length: Fraction, *, whole: bool
) -> Generator[Packet[Any] | None, None, None]:
    """Add one track to the output (on the first step, which yields None) and yield its packets."""
    with open_container(source) as found:
        stream = found.streams[track]
        assert isinstance(stream, AudioStream)
        if start > 1 and stream.time_base:
            found.seek(int((start - 1) / stream.time_base), stream=stream)
        if whole and stream.codec_context.name.removesuffix("float") in _COPIED[container]:
            copied = output.add_stream_from_template(stream)
            yield None
            yield from _copied(found, stream, copied, start, length)
        else:
            encoder = _encoder(output, stream, container)
            yield None
            yield from _encoded(found, stream, encoder, start, length)


def _copied(
    source: av.container.InputContainer, stream: AudioStream, target: AudioStream, start: Fraction, length: Fraction
) -> Iterator[Packet[Any]]:
    base = stream.time_base or Fraction(1, 48000)
    offset = round(start / base)
    for packet in source.demux(stream):
        if packet.pts is None or not packet.size:
            continue
        time = packet.pts * base - start
        if time >= length:
            return
        if time < 0:  # a coder's lead-in: kept, it would push the pictures off their zero
            continue
        packet.pts -= offset
        if packet.dts is not None:
            packet.dts -= offset
        packet.stream = target
        yield packet


def _encoder(output: OutputContainer, stream: AudioStream, container: str) -> AudioStream:
    context = stream.codec_context
    channels = min(context.layout.nb_channels, 8)
    # Recorders often leave the layout open ("2 channels"), which coders refuse.
    layout = _LAYOUTS[channels - 1]
    if container == "mp4":
        encoder = output.add_stream("aac", rate=context.sample_rate)
        encoder.layout, encoder.bit_rate = layout, 96_000 * channels
        return encoder
    encoder = output.add_stream("flac", rate=min(context.sample_rate, _FLAC_RATE))
    encoder.layout = layout
    deep = context.format.name not in ("s16", "s16p", "u8", "u8p")
    encoder.format = "s32" if deep else "s16"
    return encoder


def _encoded(
    source: av.container.InputContainer, stream: AudioStream, encoder: AudioStream, start: Fraction, length: Fraction
) -> Iterator[Packet[Any]]:
    """Decode, resample to the encoder's format and cut to the sample; silence stands for what the source lacks."""
    rate = encoder.codec_context.sample_rate
    resampler = AudioResampler(encoder.format, encoder.layout, rate)
    fifo = AudioFifo()
    total, written, sent = round(length * rate), 0, 0
    size = encoder.codec_context.frame_size or 4096
    base = stream.time_base or Fraction(1, rate)

    def encode(*, flush: bool) -> Iterator[Packet[Any]]:
        nonlocal sent
        while fifo.samples >= size or (flush and fifo.samples):
            block = fifo.read(min(size, fifo.samples))
            assert isinstance(block, AudioFrame)
            block.pts, block.time_base, block.sample_rate = sent, Fraction(1, rate), rate
            sent += block.samples
            yield from encoder.encode(block)

    for decoded in source.decode(stream):
        if decoded.pts is None:
            continue
        at = round((decoded.pts * (decoded.time_base or base) - start) * rate)
        if at >= total:
            break
        decoded.pts = None
        for block in resampler.resample(decoded):
            samples = block.to_ndarray()
            planes = block.format.is_planar
            channels = encoder.layout.nb_channels
            samples = samples if planes else samples.reshape(-1, channels).T
            gap = at - written
            if gap < 0 and -gap <= rate // 50 and written:
                gap = 0  # time stamps rounded to milliseconds are no gap
            elif 0 < gap <= rate // 50 and written:
                gap = 0
            if gap > 0:
                samples = np.concatenate([np.zeros((channels, gap), samples.dtype), samples], axis=1)
            elif gap < 0:
                samples = samples[:, -gap:]
            samples = samples[:, : total - written]
            at += block.samples
            if samples.shape[1]:
                written += samples.shape[1]
                fifo.write(_block(samples, encoder, planar=planes))
        yield from encode(flush=False)
    if 0 < written < total:
        channels, kind = (
            encoder.layout.nb_channels,
            {"fltp": np.float32, "s32": np.int32}.get(encoder.format.name, np.int16),
        )
        rest = np.zeros((channels, total - written), kind)
        fifo.write(_block(rest, encoder, planar=encoder.format.is_planar))
    yield from encode(flush=True)
    yield from encoder.encode(None)


def _block(samples: Any, encoder: AudioStream, *, planar: bool) -> AudioFrame:
    array = np.ascontiguousarray(samples) if planar else np.ascontiguousarray(samples.T).reshape(1, -1)
    block = AudioFrame.from_ndarray(array, format=encoder.format.name, layout=encoder.layout.name)
    block.sample_rate = encoder.codec_context.sample_rate
    block.pts = None
    return block
