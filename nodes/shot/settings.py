"""The settings of a shot: the parameters of its four nodes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, SwapParameters


class Settings(BaseModel):
    """The parameters of Detect, Align, Mask and Swap for one shot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detect: DetectParameters = DetectParameters()
    align: AlignParameters = AlignParameters()
    mask: MaskParameters = MaskParameters()
    swap: SwapParameters = SwapParameters()
