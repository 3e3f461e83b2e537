"""The network of *Exploring Deepfakes*, the original of all deepfakes: 64×64, a shared encoder, a decoder each.

The original has no mask. Here the last convolution has a fourth channel for it, at no measurable cost, so that
Swap lays the face over the plate as every other model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from trainer.models.blocks import Bottleneck, Encoder, Up, initialise
from trainer.models.paired import Paired, PairedOptions, shares


class BookOptions(PairedOptions):
    """Options of the book's network: its size alone."""

    size: int = Field(64, ge=32, le=512, multiple_of=32)


class Book(Paired):
    """Encoder of 128 to 1024 channels and a code of 1024 numbers, shared; decoders of 256, 128 and 64 channels."""

    name = "book"
    options_type = BookOptions
    own: ClassVar[str] = "decoders"

    def __init__(self, options: BookOptions) -> None:
        super().__init__()
        self.options = options
        grid = options.size // 16
        self.encoder = nn.Sequential(Encoder(128), Bottleneck(1024, grid, 1024, grid, 1024, 512))
        self.decoders = nn.ModuleList(
            nn.Sequential(Up(512, 256), Up(256, 128), Up(128, 64), nn.Conv2d(64, 4, 5, padding=2), nn.Sigmoid())
            for _ in range(options.performers)
        )
        initialise(self)

    def generate(self, crops: Tensor, performers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Run the encoder once for all, then each performer's decoder."""
        codes = shares(self.encoder(crops), performers)
        outputs = torch.cat([self.decoders[k](code) for k, code in zip(performers, codes, strict=True)])
        return outputs[:, :3], outputs[:, 3:]
