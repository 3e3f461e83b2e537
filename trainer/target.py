"""Target frames of a shot model, with the references, wrinkles and mouth that the reference method gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from nodes.align.pose import take_performance
from nodes.definitions import SwapParameters
from nodes.mask import draw_matte
from nodes.swap.colour import match_colours
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.plan import choose_references, make_track
from nodes.swap.reference.render import performed, premultiplied
from nodes.swap.reference.wrinkles import spread_out
from nodes.types import Float, Int
from trainer.faceset import Faceset
from trainer.gallery import Gallery, resized
from trainer.observers import Observers, looks

MOST = 320  # frames that are prepared, at most
_KNOWN = 96  # crops for the source's mean descriptor
_PART = 16  # rows at a time


@dataclass(frozen=True, slots=True)
class TargetFrames:
    """n frames of the target as they will be swapped.

    crop: [n, 3, S, S]; reference: [n, 4, S, S]; vertices: [n, L, 2]; performance: [n, 4, s, s], as in docs/model-contract.md. matte: [n, 1, S, S];
    colours: [n, 3, 4], from the reference's to the crop's, so that composites look as Swap's. squares, chips:
    [n, 2, 3], where the landmarker and the recogniser look; expression: [n, C], coefficients of the crop. who: [n, 128], descriptor of
    the source. All four are empty without observers.
    """

    crop: Tensor
    reference: Tensor
    vertices: Tensor
    performance: Tensor
    matte: Tensor
    colours: Tensor
    squares: Tensor
    chips: Tensor
    expression: Tensor
    who: Tensor

    def __len__(self) -> int:
        return len(self.crop)

    def composite(self, face: Tensor) -> Tensor:
        """Composite faces [n, 3, S, S], in the source's colours, over the crops as Swap does, but for light: [n, 3, S, S], 0..1."""
        matched = torch.einsum("nij,njhw->nihw", self.colours[..., :3], face) + self.colours[..., 3:, None]
        return torch.lerp(self.crop, matched.clamp(0, 1), self.matte)

    def __getitem__(self, rows: Tensor) -> TargetFrames:
        """Return rows by their numbers; bytes become 0..1."""
        values = (getattr(self, f.name)[rows] for f in fields(self))
        return TargetFrames(*(t.float() / 255 if t.dtype == torch.uint8 else t for t in values))


def show_target(
    faceset: Faceset, source: Gallery, seen: int, observers: Observers | None, most: int = MOST
) -> TargetFrames:
    """Prepare frames of the target, up to `most` that cover its performance, on the source's device.

    seen: pixels across `performance`.
    """
    size, subject, surface = source.size, source.subject, source.surface
    landmarks = faceset.landmarks[:] * np.float32(size / faceset.size)
    performance = take_performance(landmarks, subject)
    source_crops = source.as_source()
    parameters = SwapParameters(steadiness=0)
    choices = choose_references(performance, source_crops, parameters)
    covering = spread_out(source_crops.performance.coefficients) if subject.coefficients else np.zeros(0, np.int64)
    rows = spread_out(performance.coefficients, most) if subject.coefficients else np.arange(len(landmarks))[:most]
    needed = np.unique(np.concatenate([covering, *(c.index[rows][c.weight[rows] > 0] for c in choices)]))
    references = {int(i): source.picture(int(i)) for i in needed}

    def own_pictures(frames: Int, points: Float) -> list[Reference]:
        places = points[..., :2] * np.float32(faceset.size / size)
        return [Reference(np.array(faceset.crops[i]), p) for i, p in zip(frames, places, strict=True)]

    pictures = own_pictures if subject.coefficients else None
    track = make_track(performance, landmarks, source_crops, choices, references, parameters, pictures)
    crops = torch.from_numpy(np.ascontiguousarray(faceset.crops[rows])).permute(0, 3, 1, 2)
    crops = resized(crops.float(), size).round_().to(torch.uint8)
    eight = np.ascontiguousarray(crops.permute(0, 2, 3, 1).numpy())
    renders, performances, defined = [], [], []
    for crop, t in zip(eight, rows.tolist(), strict=True):
        plate = Reference(crop, surface.extend(landmarks[t], picture=True)[:, :2])
        face, inside = track.render(t, track.vertices[t], size, plate)
        renders.append(premultiplied(face, inside > 0))
        defined.append(inside)
        performances.append(performed(plate, track.vertices[t], subject, size))
    bytes_ = [
        torch.from_numpy(np.round(np.stack(p) * 255).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
        for p in (renders, performances)
    ]
    mattes = draw_matte(landmarks[rows], size, subject)[:, None] * np.stack(defined)[:, None]
    faces = np.stack(renders)[..., :3]
    colours = torch.from_numpy(match_colours(faces, np.float32(1 / 255) * eight, mattes[:, 0], parameters.colour))
    matte = torch.from_numpy(np.round(mattes * 255).astype(np.uint8))
    small = torch.nn.functional.avg_pool2d(bytes_[1].float(), size // seen).round().to(torch.uint8)
    squares, chips = looks(landmarks[rows], size) if observers else (torch.zeros(len(rows), 0),) * 2
    vertices = torch.from_numpy(track.vertices[rows, : landmarks.shape[1], :2] / np.float32(size))
    device = source.device
    crops, squares, chips = (t.to(device) for t in (crops, squares, chips))
    expression = who = torch.zeros(len(rows), 0, device=device)
    if observers:
        with torch.no_grad():
            expression = _by_parts(lambda p: observers.coefficients(crops[p].float() / 255, squares[p]), len(rows))
            who = _mean_descriptor(source, observers).expand(len(rows), -1)
    return TargetFrames(
        crops,
        bytes_[0].to(device),
        vertices.to(device),
        small.to(device),
        matte.to(device),
        colours.to(device),
        squares,
        chips,
        expression,
        who,
    )


def _mean_descriptor(source: Gallery, observers: Observers) -> Tensor:
    """Compute the descriptor of a performer: the mean, [128], over many crops."""
    rows = torch.linspace(0, len(source) - 1, min(len(source), _KNOWN)).round().long()
    chips = looks(source.landmarks[rows.numpy()], source.size)[1].to(source.device)
    return _by_parts(lambda p: observers.descriptors(source.pictures(rows[p]), chips[p]), len(rows)).mean(0)


def _by_parts(make: Callable[[slice], Tensor], count: int) -> Tensor:
    return torch.cat([make(slice(i, i + _PART)) for i in range(0, count, _PART)])
