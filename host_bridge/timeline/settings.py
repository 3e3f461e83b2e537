"""Settings of a run of an edit and of its export. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nodes.definitions import Method
from nodes.spec import Parameters, parameter

Mode = Literal["swap", "layer", "versions"]
ProfileName = Literal["resolve", "otio", "blender", "kdenlive"]
MediaChoice = Literal["written", "sequence", "prores4444", "dnxhr", "h264"]


class RunSettings(Parameters):
    """How the shots of an edit are done. A pair is a source and the target that it replaces."""

    method: Method = parameter(
        Method.MODEL, help="model: train a model for each pair; reference: train nothing, warp the source's own frames."
    )
    fine_tune: float = parameter(
        0.25,
        ge=0,
        le=1,
        unit="of the first shot's training",
        help="How long each further shot of a pair is trained, from the model of its first; 0 takes that as it is.",
    )


class ExportSettings(BaseModel):
    """How the results of a run are put into its edit.

    mode: swap: clips show the result; layer: tracks above hold the patches; versions: clips have the result as an alternative. profile: the program
    that the edit is for. media: of results, by default what fits the profile. out: the document, by default beside the edit. bundle: an .otioz with
    all media. for_otio: the version of OpenTimelineIO that is to read it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "swap"
    profile: ProfileName = "otio"
    media: MediaChoice | None = None
    out: Path | None = None
    bundle: bool = False
    for_otio: str | None = None

    @property
    def choice(self) -> MediaChoice:
        """The media that fit: Resolve reads neither FFV1 nor patches that cover a part of the frame for sure, Kdenlive no image sequences; Blender's sequencer blends overlays."""
        if self.media is not None:
            return self.media
        if self.profile in ("resolve", "kdenlive"):
            return "prores4444"
        return "sequence" if self.profile == "blender" and self.mode == "layer" else "written"

    def target(self, edit: Path) -> Path:
        """The document to write."""
        suffix = ".otioz" if self.bundle else ".otio"
        return (self.out or edit.with_name(f"{edit.stem}.{self.mode}{suffix}")).expanduser().absolute()
