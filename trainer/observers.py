"""What the embedded networks see in a face that is being learned: its expression, and whose it is, as losses.

The landmarker and the coefficients' network say what a drawn face does, the recogniser whose it is; of all three the weights stay as they are.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.detect.face import CLOSE_NETWORK, CLOSE_SIZE, squares_from_landmarks
from nodes.recognise import NETWORK, chip_transforms
from nodes.recognise import SIZE as CHIP
from nodes.subjects import Subject
from nodes.types import Float
from trainer.embedded import Embedded


class Observers(nn.Module):
    """The networks that look at faces of a subject that has coefficients."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        assert subject.coefficients is not None
        self._points = subject.coefficients.points
        self.mesh, self.blend = Embedded(CLOSE_NETWORK), Embedded(subject.coefficients.network)
        self.recogniser = Embedded(NETWORK)
        self.requires_grad_(False)

    def coefficients(self, pictures: Tensor, squares: Tensor) -> Tensor:
        """Expression coefficients [n, C] of the faces in pictures [n, 3, S, S], 0..1, whose squares [n, 2, 3] are as :func:`looks` gives them."""
        seen = _cut(pictures, squares, CLOSE_SIZE).permute(0, 2, 3, 1)
        points = self.mesh(seen).reshape(len(seen), -1, 3)[:, self._points, :2]
        found: Tensor = self.blend(points)
        return found

    def descriptors(self, pictures: Tensor, chips: Tensor) -> Tensor:
        """Descriptors [n, 128] of faces; arguments as of :meth:`coefficients`."""
        found: Tensor = self.recogniser(_cut(pictures, chips, CHIP).permute(0, 2, 3, 1))
        return found


def looks(landmarks: Float, size: int) -> tuple[Tensor, Tensor]:
    """Where the landmarker and the recogniser look, given landmarks [n, L, >=2] in pixels of crops of `size`: [n, 2, 3] each, for :class:`Observers`."""
    found = []
    for squares, side in (
        (squares_from_landmarks(landmarks, CLOSE_SIZE), CLOSE_SIZE),
        (chip_transforms(landmarks), CHIP),
    ):
        # From places -1..1 in the network's picture to places -1..1 in the crop.
        matrix = squares[:, :, :2] * np.float32(side / size)
        middle = matrix.sum(2) + squares[:, :, 2] * np.float32(2 / size) - 1
        found.append(torch.from_numpy(np.concatenate([matrix, middle[..., None]], 2).astype(np.float32)))
    return found[0], found[1]


def _cut(pictures: Tensor, squares: Tensor, side: int) -> Tensor:
    grid = F.affine_grid(squares, [len(pictures), 3, side, side], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
