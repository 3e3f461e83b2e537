"""The jobs `export_cut` and `import_cut`: a sequencer's strips as an edit, and back."""

from __future__ import annotations

import json
from pathlib import Path

from host_bridge.jobs.footage import frame_rate
from host_bridge.jobs.job import Request, Result, absolute
from host_bridge.reporting import Watch
from host_bridge.timeline.settings import ProfileName


class ExportCutRequest(Request):
    """A document `faceplate.cut/1`. out: the edit, .otio, .otioz or another writable format. profile: the target program."""

    cut: Path
    out: Path
    profile: ProfileName = "blender"

    @property
    def title(self) -> str:
        """The edit's name."""
        return self.out.name


class ImportCutRequest(Request):
    """An edit in any readable format. out: the document `faceplate.cut/1`. media_roots: FROM=TO, or a folder to search. rate: of an EDL."""

    edit: Path
    out: Path
    media_roots: tuple[str, ...] = ()
    rate: str | None = None

    @property
    def title(self) -> str:
        """The edit's name."""
        return self.edit.name

    def reads(self) -> list[Path]:
        """List the edit and the folders of its media."""
        return [*super().reads(), *(Path(root.rpartition("=")[2]) for root in self.media_roots)]


class ExportCutResult(Result):
    """The written edit. unsaid: parts of the cut that only Blender understands."""

    edit: Path
    unsaid: list[str]


class ImportCutResult(Result):
    """The document of the strips, and their number. unsaid: parts of the edit that strips cannot hold."""

    cut: Path
    strips: int
    unsaid: list[str]


def export_cut(request: ExportCutRequest, watch: Watch) -> ExportCutResult:
    """Write the strips of a sequencer as an edit."""
    from host_bridge.timeline.read.places import Places
    from host_bridge.timeline.strips import load, timeline_of
    from host_bridge.timeline.write.formats import format_of, write_document
    from host_bridge.timeline.write.profiles import PROFILES, adapt

    out = absolute(request.out)
    format_of(out)
    watch.progress("write", 0, None)
    timeline, unsaid = timeline_of(load(absolute(request.cut)))
    document = json.loads(timeline.to_json_string())
    _, notes = adapt(document, PROFILES[request.profile])
    lost, missing = write_document(out, document, Places(out.parent), watch.progress)
    return ExportCutResult(edit=out, unsaid=unsaid + notes + lost + missing)


def import_cut(request: ImportCutRequest, watch: Watch) -> ImportCutResult:
    """Read an edit as strips for a sequencer."""
    from host_bridge.timeline.cut import cut_of
    from host_bridge.timeline.read.edit import read_edit
    from host_bridge.timeline.read.places import media_root
    from host_bridge.timeline.strips import save

    watch.progress("read", 0, None)
    path, out = absolute(request.edit), absolute(request.out)
    unpacked = path.with_name(f"{path.stem}.media")
    roots = [media_root(r) for r in request.media_roots]
    edit = read_edit(path, media_roots=roots, unpacked=unpacked, rate=frame_rate(request.rate))
    cut, unsaid = cut_of(edit)
    save(out, cut)
    return ImportCutResult(cut=out, strips=len(cut.strips), unsaid=[*edit.notes, *unsaid])
