"""Layers of the shared-encoder models. Pictures [N, C, H, W], codes [N, D]; no normalisation anywhere."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.1  # of LeakyReLU below zero


class Down(nn.Sequential):
    """Layer that halves height and width: a convolution of 5×5 with stride 2."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(nn.Conv2d(channels, out, 5, stride=2, padding=2), nn.LeakyReLU(_SLOPE, inplace=True))


class Up(nn.Sequential):
    """Layer that doubles height and width: a convolution to four times the channels, shuffled into pixels (Shi et al. 2016)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 4 * out, 3, padding=1), nn.LeakyReLU(_SLOPE, inplace=True), nn.PixelShuffle(2)
        )


class Residual(nn.Module):
    """Two convolutions beside a straight path (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return F.leaky_relu(x + self.second(F.leaky_relu(self.first(x), 0.2)), 0.2)


class Bottleneck(nn.Module):
    """Bottleneck from a picture to `code` numbers and back to `out` channels of twice the `grid`."""

    def __init__(self, channels: int, side: int, code: int, grid: int, middle: int, out: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels * side * side, code)
        self.unfold = nn.Linear(code, middle * grid * grid)
        self.up = Up(middle, out)
        self._shape = (middle, grid, grid)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, channels, side, side] → [N, out, 2 grid, 2 grid]."""
        return self.up(self.unfold(self.squeeze(x.flatten(1))).unflatten(1, self._shape))  # type: ignore[no-any-return]


class Encoder(nn.Sequential):
    """Four halvings, the channels doubling: [N, 3, S, S] → [N, 8 channels, S/16, S/16]."""

    def __init__(self, channels: int) -> None:
        widths = (3, channels, 2 * channels, 4 * channels, 8 * channels)
        super().__init__(*(Down(a, b) for a, b in pairwise(widths)))


class Decoder(nn.Module):
    """Four doublings: the face with a residual block after each of the first three, the mask without; both 0..1.

    [N, channels, G, G] → [N, 3, 16 G, 16 G] and [N, 1, 16 G, 16 G]. After the `d` variant of DeepFaceLab's SAEHD models, whose
    last doubling is cheap: the colours of four pixels are computed at half the size. Widths: 8, 4 and 2 times `face` and `mask`.
    """

    def __init__(self, channels: int, face: int, mask: int) -> None:
        super().__init__()
        self.face, self.mask = nn.Sequential(), nn.Sequential()
        for branch, width, residual in ((self.face, face, True), (self.mask, mask, False)):
            for a, b in pairwise((channels, 8 * width, 4 * width, 2 * width)):
                branch.append(Up(a, b))
                if residual:
                    branch.append(Residual(b))
        self.face.extend([nn.Conv2d(2 * face, 12, 3, padding=1), nn.PixelShuffle(2)])
        self.mask.extend([Up(2 * mask, mask), nn.Conv2d(mask, 1, 1)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return face and mask."""
        return torch.sigmoid(self.face(x)), torch.sigmoid(self.mask(x))


@torch.no_grad()
def initialise(network: nn.Module) -> None:
    """Start all layers so that signals keep their variance (He et al. 2015), and pixel shuffles without a chequered pattern.

    For the latter each four filters that are shuffled into one square begin alike (Aitken et al. 2017).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, _SLOPE if isinstance(module, nn.Conv2d) else 1.0)
            nn.init.zeros_(module.bias) if module.bias is not None else None
    for module in network.modules():
        parts = list(module) if isinstance(module, nn.Sequential) else []
        for at, part in enumerate(parts):
            if isinstance(part, nn.PixelShuffle):
                convolution = next(p for p in reversed(parts[:at]) if isinstance(p, nn.Conv2d))
                convolution.weight.copy_(convolution.weight[::4].repeat_interleave(4, 0))
