"""DF, after DeepFaceLab's SAEHD: a shared encoder and code, a decoder each, with residual blocks and a branch for the mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from trainer.models.blocks import Bottleneck, Decoder, Encoder, initialise
from trainer.models.paired import Paired, PairedOptions, shares


class DFOptions(PairedOptions):
    """Numbers of channels: of the encoder's first layer, of the code, and of the decoders' last layers, face and mask."""

    e_dims: int = Field(64, ge=4, le=256)
    ae_dims: int = Field(256, ge=16, le=1024)
    d_dims: int = Field(64, ge=4, le=256)
    d_mask_dims: int = Field(22, ge=4, le=256)


class DF(Paired):
    """Network with a decoder for each performer, which keeps the face's own shape; suits performers of similar faces."""

    name = "df"
    options_type = DFOptions
    own: ClassVar[str] = "decoders"

    def __init__(self, options: DFOptions) -> None:
        super().__init__()
        o = self.options = options
        self.encoder = Encoder(o.e_dims)
        self.inter = Bottleneck(8 * o.e_dims, o.size // 16, o.ae_dims, o.size // 32, o.ae_dims, o.ae_dims)
        self.decoders = nn.ModuleList(Decoder(o.ae_dims, o.d_dims, o.d_mask_dims) for _ in range(o.performers))
        initialise(self)

    def generate(self, crops: Tensor, performers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Run encoder and code once for all, then each performer's decoder."""
        codes = shares(self.inter(self.encoder(crops)), performers)
        outputs = [self.decoders[k](code) for k, code in zip(performers, codes, strict=True)]
        faces, masks = zip(*outputs, strict=True)
        return torch.cat(faces), torch.cat(masks)
