"""LIAE, after DeepFaceLab's SAEHD: one encoder and one decoder for all, and codes that tell the performers apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainer.models.blocks import Bottleneck, Decoder, Encoder, initialise
from trainer.models.df import DFOptions
from trainer.models.paired import Paired, shares


class LIAE(Paired):
    """Network whose decoder takes [own code, common code]; the source's own is the common one. Suits different faces and light."""

    name = "liae"
    options_type = DFOptions
    own: ClassVar[str] = "others"
    options: DFOptions

    def __init__(self, options: DFOptions) -> None:
        super().__init__()
        o = self.options = options
        self.encoder = Encoder(o.e_dims)
        self.common = self._inter()
        self.others = nn.ModuleList(self._inter() for _ in range(o.performers - 1))
        self.decoder = Decoder(4 * o.ae_dims, o.d_dims, o.d_mask_dims)
        initialise(self)

    def generate(self, crops: Tensor, performers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Run encoder and decoder once for all."""
        features = self.encoder(crops)
        common = self.common(features)
        parts = zip(performers, shares(features, performers), shares(common, performers), strict=True)
        own = torch.cat([common_part if k == 0 else self.others[k - 1](part) for k, part, common_part in parts])
        faces, masks = self.decoder(torch.cat([own, common], 1))
        return faces, masks

    def _inter(self) -> Bottleneck:
        o = self.options
        return Bottleneck(8 * o.e_dims, o.size // 16, o.ae_dims, o.size // 32, 2 * o.ae_dims, 2 * o.ae_dims)
