"""The job `timeline`: train and swap the shots of an edit, and write the edit with the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from host_bridge.jobs.footage import frame_rate
from host_bridge.jobs.job import Request, absolute
from host_bridge.jobs.train import require_trainer
from host_bridge.reporting import Watch
from host_bridge.timeline.document import RunResult, default_folder
from host_bridge.timeline.settings import ExportSettings, RunSettings
from nodes.definitions import ConsentParameters, Method, Settings
from trainer.settings import TrainSettings

if TYPE_CHECKING:
    from host_bridge.timeline.cast_edit import CastEdit


class TimelineRequest(Request):
    """An edit and the cast of its shots.

    performers: footage by name. source: the performer put into every shot; by default the cast file and the edit say it. export: also
    write the edit with the results.
    """

    edit: Path = Field(description="The edit: .otio, .otioz, .otiod, or .edl, .xml, .fcpxml, .fcpxmld, .aaf.")
    out: Path | None = Field(default=None, description="Folder of the run; by default EDIT.faceplate beside the edit.")
    cast: Path | None = Field(
        default=None, description="Cast file, .toml, .yaml, .json or .csv: who is replaced by whom in which shots."
    )
    performers: dict[str, tuple[Path, ...]] = Field(default_factory=dict)
    source: str | None = None
    target: str | None = Field(
        default=None, description="Name of the performer in the plate, who is replaced in every shot."
    )
    media_roots: tuple[str, ...] = Field(
        default=(),
        description="Where the edit's media are now, FROM=TO or a folder to search; can be repeated.",
        json_schema_extra={"option": "media-root"},
    )
    handles: int = Field(
        default=8, description="Frames to render before and after each shot, where its media have them."
    )
    rate: str | None = Field(
        default=None,
        description="Frames per second of an EDL, such as 25 or 23.976; by default taken from its media. Other edits store their rate.",
    )
    run: RunSettings = RunSettings()
    train: TrainSettings = TrainSettings()
    settings: Settings = Settings()
    export: ExportSettings | None = None

    @property
    def title(self) -> str:
        """The edit's name."""
        return self.edit.name

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return absolute(self.out or default_folder(self.edit)).resolve()

    def open_edit(self) -> CastEdit:
        """Read the edit and find its shots and their cast. Raises FaceplateError."""
        from host_bridge.timeline.cast_edit import open_edit

        return open_edit(
            self.edit.expanduser(),
            cast=self.cast and self.cast.expanduser(),
            performers=self.performers,
            source=self.source,
            target=self.target,
            media_roots=self.media_roots,
            handles=self.handles,
            rate=frame_rate(self.rate),
            unpacked=self.folder / "bundle",
        )

    def reads(self) -> list[Path]:
        """List the paths in the request. The edit's own media are known only once it is read."""
        footage = [path for clips in self.performers.values() for path in clips]
        return [*super().reads(), *footage, *(Path(root.rpartition("=")[2]) for root in self.media_roots)]

    def writes(self) -> list[Path]:
        """List the run's folder and the exported edit."""
        return [self.folder, *([] if self.export is None else [self.export.target(self.edit)])]


def run(request: TimelineRequest, watch: Watch) -> RunResult:
    """Train and swap the shots of an edit, and write the edit with the results.

    Finished shots are skipped, and a shot that fails does not stop the others.
    """
    from host_bridge.timeline.run.context import RunContext
    from host_bridge.timeline.run.runner import run_shots

    if request.run.method is Method.MODEL:
        require_trainer()
    watch.progress("read", 0, None)
    cast_edit = request.open_edit()
    settings = request.run, request.train, request.settings
    result = run_shots(RunContext(request.folder, cast_edit.performers, *settings, watch), cast_edit)
    if request.export is not None and result.done:
        from host_bridge.timeline.write.export import export

        swap = request.settings.swap
        result.export = export(
            request.edit,
            request.export,
            request.folder,
            media_roots=request.media_roots,
            rate=frame_rate(request.rate),
            consent=ConsentParameters(project=swap.project, production=swap.production),
            progress=watch.progress,
        )
    return result
