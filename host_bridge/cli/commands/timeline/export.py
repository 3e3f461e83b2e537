"""`faceplate timeline export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_bridge.cli.commands.timeline.options import MediaRoot, Rate, RunFolder
from host_bridge.cli.options import Flag, node_options
from host_bridge.cli.output import print_json
from host_bridge.cli.progress import show_progress
from host_bridge.timeline.settings import ExportSettings, MediaChoice, Mode, ProfileName
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.text import counted


@node_options
def export(
    edit: Path,
    *,
    as_: Annotated[Mode, Parameter(name="--as")] = "swap",
    profile: ProfileName = "otio",
    media: MediaChoice | None = None,
    out: Path | None = None,
    run: RunFolder = None,
    media_root: MediaRoot = (),
    rate: Rate = None,
    bundle: Flag = False,
    for_otio: str | None = None,
    json: Flag = False,
    consent: ConsentParameters = DEFAULT_CONSENT,
) -> None:
    """Put the results of a run into the edit, and leave everything else in it as it was.

    Parameters
    ----------
    edit
        The edit that was run: .otio, .otioz, .otiod, or .edl, .xml, .fcpxml, .fcpxmld, .aaf.
    as_
        swap: clips show the result, and keep the plate as an alternative. layer: tracks above hold the new faces with alpha. versions: clips
        go on showing the plate, and have the result as an alternative.
    profile
        Where it goes: resolve, otio (anything that reads OpenTimelineIO), blender or kdenlive.
    media
        What the results are: written (what the swap wrote), sequence (images), prores4444, dnxhr, h264. By default prores4444 for resolve and
        kdenlive, written for otio, and for blender written, of layers sequence.
    out
        The document to write, .otio, .otioz, .otiod, .edl, .xml, .fcpxml or .aaf; by default beside the edit, as EDIT.swap.otio.
    bundle
        Write an .otioz with all media, for hand-over.
    for_otio
        Write it for an older OpenTimelineIO, such as 0.14.0 for Resolve 18.5.
    json
        Print what was done as JSON.
    """
    from host_bridge.jobs.footage import frame_rate
    from host_bridge.timeline.write.export import export as export_results

    settings = ExportSettings(mode=as_, profile=profile, media=media, out=out, bundle=bundle, for_otio=for_otio)
    with show_progress() as shown:
        result = export_results(
            edit,
            settings,
            run,
            media_roots=media_root,
            rate=frame_rate(rate),
            consent=consent,
            progress=shown.progress,
        )
    if json:
        print_json(result.model_dump(mode="json"))
        return
    print(result.file)
    print(f"{counted(len(result.shots), 'shot')}: {', '.join(result.shots)}" if result.shots else "no shots")
    for shot in result.left:
        print(f"left as it was: {shot.id}: {shot.why}")
    for note in result.notes:
        print(f"note: {note}")
    for line in result.lost:
        print(f"not in this format: {line}")
