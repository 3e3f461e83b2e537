"""Rows of memory-mapped arrays on the device: kept there when they fit, else fetched ahead by a thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nodes.mask import draw_regions
from nodes.subjects.subject import Subject
from trainer.faceset import Faceset

T = TypeVar("T")

_HOST_BUDGET = 2 << 30  # bytes of crops that are kept in memory; larger facesets stay on disk
FULL_WEIGHT = 3.0  # of eyes and mouth, against 1 of the rest of the face; written as 255 in a map of weights
_CHUNK = 256  # rows
_RIM = 0.02  # of the crop, around the mask, where the face is learned too: a mask a little too large then shows skin


class Ahead(Generic[T]):
    """Reader that makes the next step's result in one thread while the current one is in use; any step may be requested."""

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(1, "batches")
        self._next: tuple[int, Future[T]] | None = None

    def __call__(self, step: int) -> T:
        """Return the result of `step`, and begin that of the next."""
        step_, future = self._next or (None, None)
        result = future.result() if future is not None and step_ == step else self._make(step)
        self._next = (step + 1, self._pool.submit(self._make, step + 1))
        return result


class Crops:
    """The crops, masks and weights of a faceset as one array of bytes, shrunk for a network of `size` pixels.

    Rows are uint8 [n, F, F, 5]: RGB, coverage of the face, and weight (see FULL_WEIGHT). F is the faceset's size over the
    largest whole factor that leaves `size` or more. resident: kept on the device, if they fit in `limit`;
    else a call gives rows in host memory. limit: bytes that may be kept; on a GPU by default a third of its free memory.
    """

    def __init__(self, faceset: Faceset, size: int, device: torch.device, limit: int | None = None) -> None:
        self._faceset, self._device = faceset, device
        self._factor = max(
            f for f in range(1, faceset.size + 1) if faceset.size % f == 0 and (faceset.size // f >= size or f == 1)
        )
        side = faceset.size // self._factor
        shape = len(faceset), side, side, 5
        if limit is None:
            limit = torch.cuda.mem_get_info(device)[0] // 3 if device.type == "cuda" else _HOST_BUDGET
        self._rows = torch.empty(shape, dtype=torch.uint8, device=device) if math.prod(shape) <= limit else None
        if self._rows is not None:
            for rows in torch.split(torch.arange(len(faceset)), _CHUNK):
                self._rows[rows[0] : rows[-1] + 1] = self._paint(rows)

    def __len__(self) -> int:
        return len(self._faceset)

    @property
    def resident(self) -> bool:
        """True if all rows are on the device."""
        return self._rows is not None

    def __call__(self, index: Tensor) -> Tensor:
        """Read rows by their numbers, int64 [n] on the CPU."""
        if self._rows is None:
            return self._paint(index)
        return self._rows.index_select(0, index.to(self._device, non_blocking=True))

    def _paint(self, index: Tensor) -> Tensor:
        f, rows = self._faceset, index.numpy()
        pictures = np.concatenate([f.crops[rows], f.masks[rows][..., None]], -1)
        small = shrink(torch.from_numpy(pictures), self._factor)
        weight = torch.from_numpy(weigh(small[..., 3].numpy(), f.landmarks[rows] / self._factor, f.subject))
        pixels = torch.cat([small, weight[..., None]], -1)
        return pixels.pin_memory() if self._device.type == "cuda" else pixels


def shrink(pictures: Tensor, factor: int) -> Tensor:
    """Shrink bytes [N, H, W, C] by a whole factor, each pixel the mean of those it covers."""
    if factor == 1:
        return pictures
    planes = pictures.permute(0, 3, 1, 2).float()
    return torch.nn.functional.avg_pool2d(planes, factor).round_().to(torch.uint8).permute(0, 2, 3, 1)


def weigh(masks: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float32], subject: Subject) -> npt.NDArray[np.uint8]:
    """Compute the loss weight of each pixel, uint8 [N, S, S], 255 for FULL_WEIGHT: the mask and its rim, more at the features.

    masks: uint8 [N, S, S]. landmarks: [N, L, >=2] in pixels of the masks.
    """
    size = masks.shape[-1]
    width = 2 * max(round(_RIM * size), 1) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    within = np.stack([cv2.dilate(m, around) for m in masks])
    features = draw_regions(landmarks, size, subject, subject.emphasis) if subject.emphasis else np.float32(0)
    return np.round(within * (1 + (FULL_WEIGHT - 1) * features) / FULL_WEIGHT).astype(np.uint8)
