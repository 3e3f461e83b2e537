"""Settings of a run of an edit and of its export. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from nodes.definitions import Method
from nodes.spec import Parameters, parameter

Mode = Literal["swap", "layer", "versions"]
ProfileName = Literal["resolve", "otio", "blender", "kdenlive"]
MediaChoice = Literal["written", "sequence", "prores4444", "dnxhr", "h264"]


class RunSettings(Parameters):
    """Settings of a run of an edit. A pair is a source and the target that it replaces."""

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


class ExportSettings(Parameters):
    """Settings of an export: how the results of a run are put into its edit."""

    mode: Mode = parameter(
        "swap",
        option="as",
        help="swap: clips show the result, and keep the plate as an alternative. layer: tracks above hold the new faces with alpha. versions: clips go on showing the plate, and have the result as an alternative.",
    )
    profile: ProfileName = parameter(
        "otio", help="Target program: resolve, otio (anything that reads OpenTimelineIO), blender or kdenlive."
    )
    media: MediaChoice | None = parameter(
        None,
        help="Media of the results: written (as the swap wrote them), sequence (images), prores4444, dnxhr, h264. By default prores4444 for resolve and kdenlive, written for otio, and for blender written, of layers sequence.",
    )
    out: Path | None = parameter(
        None,
        help="The document to write, .otio, .otioz, .otiod, .edl, .xml, .fcpxml or .aaf; by default beside the edit, as EDIT.swap.otio.",
    )
    bundle: bool = parameter(False, help="Write an .otioz with all media, for hand-over.")
    for_otio: str | None = parameter(
        None, help="Write it for an older OpenTimelineIO, such as 0.14.0 for Resolve 18.5."
    )

    @property
    def choice(self) -> MediaChoice:
        """The chosen media, or the profile's default: Resolve may not read FFV1 or partial patches, Kdenlive reads no image sequences, Blender blends overlays."""
        if self.media is not None:
            return self.media
        if self.profile in ("resolve", "kdenlive"):
            return "prores4444"
        return "sequence" if self.profile == "blender" and self.mode == "layer" else "written"

    def target(self, edit: Path) -> Path:
        """Return the path of the document to write."""
        suffix = ".otioz" if self.bundle else ".otio"
        return (self.out or edit.with_name(f"{edit.stem}.{self.mode}{suffix}")).expanduser().absolute()
