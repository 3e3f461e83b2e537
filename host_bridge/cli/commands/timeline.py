"""`faceplate timeline`: an edit in, its shots replaced, and the edit out again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from pydantic import create_model

from host_bridge.cli.commands.train import interruption
from host_bridge.cli.options import DETECT, MASK, Flag, InEngine, Json, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import EngineRefusal, perform
from host_bridge.cli.progress import show_progress
from host_bridge.client import running
from host_bridge.jobs.footage import frame_rate
from host_bridge.jobs.timeline import TimelineRequest
from host_bridge.timeline.document import RunResult
from host_bridge.timeline.settings import ExportSettings, MediaChoice, Mode, ProfileName, RunSettings
from nodes.definitions import (
    DEFAULT_CONSENT,
    ConsentParameters,
    DetectParameters,
    MaskParameters,
    Settings,
    SwapParameters,
)
from nodes.files import whole_file
from nodes.spec import Parameters
from nodes.text import command_line, counted
from trainer.settings import TrainSettings

timeline = App(name="timeline", help_format="plaintext")
_GO_ON = "the same command goes on from here"
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
RUN, TRAIN = RunSettings(), TrainSettings()

# --- options of several commands ---

_FOOTAGE = "FOOTAGE of the performer who is put into every shot; or NAME=FOOTAGE, of one whom the cast file or the edit names. Can be repeated."
_RATE = "Frames per second of an EDL, such as 25 or 23.976; by default its media say it. Other edits say their own."
_EDIT = "The edit: .otio, .otioz, .otiod, or .edl, .xml, .fcpxml, .fcpxmld, .aaf."
_MEDIA_ROOT = "Where the edit's media are now, FROM=TO or a folder to search; can be repeated."
Edit = Annotated[Path, Parameter(help=_EDIT)]
MediaRoot = Annotated[tuple[str, ...], Parameter(negative_iterable=(), help=_MEDIA_ROOT)]
Rate = Annotated[str | None, Parameter(help=_RATE)]
RunFolder = Annotated[Path | None, Parameter(help="Folder of the run; by default EDIT.faceplate beside the edit.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class EditOptions:
    """What is said of an edit beside itself, for its shots to be found and done."""

    source: Annotated[tuple[str, ...], Parameter(negative_iterable=(), help=_FOOTAGE)] = ()
    target: Annotated[
        str | None, Parameter(help="What the performer in the plate is called, who is replaced in every shot.")
    ] = None
    cast: Annotated[
        Path | None,
        Parameter(help="Cast file, .toml, .yaml, .json or .csv: who is replaced by whom in which shots."),
    ] = None
    out: RunFolder = None
    media_root: MediaRoot = ()
    rate: Rate = None
    handles: Annotated[
        int, Parameter(help="Frames that are rendered before and behind each shot, where its media have them.")
    ] = 8

    def request(self, edit: Path, **settings: Any) -> TimelineRequest:
        """The request for a run of an edit."""
        from host_bridge.timeline.cast_edit import absolute_root, sources

        footage, unnamed = sources(self.source, self.target)
        return TimelineRequest(
            edit=edit.expanduser().absolute(),
            out=self.out,
            cast=self.cast,
            performers={name: tuple(clips) for name, clips in footage.items()},
            source=unnamed,
            target=self.target,
            media_roots=tuple(absolute_root(text) for text in self.media_root),
            handles=self.handles,
            rate=self.rate,
            **settings,
        )


EDIT_OPTIONS = EditOptions()
if TYPE_CHECKING:
    from host_bridge.timeline.report.document import EditReport

    LookParameters = SwapParameters
else:  # all of Swap's but what the run itself chooses, and the cast says
    _PER_SHOT = SwapParameters.having("per_shot")
    LookParameters = create_model(
        "LookParameters",
        __base__=Parameters,
        __doc__="How the new face looks.",
        **{n: (f.annotation, f) for n, f in SwapParameters.model_fields.items() if n not in _PER_SHOT},
    )
LOOK = LookParameters()

# --- commands ---


@timeline.command
def plan(
    edit: Edit,
    *,
    options: EditOptions = EDIT_OPTIONS,
    no_look: Flag = False,
    html: Path | None = None,
    json: Json = False,
) -> None:
    """List the shots of an edit: who is replaced by whom, what is there already, and how long the rest will take.

    Args:
        no_look: Do not look for faces.
        html: Write a page with a picture of each shot to this file.
    """
    from host_bridge.timeline.plan import duration, make_plan, page

    request = options.request(edit)
    with show_progress() as watch:
        planned = make_plan(
            request.open_edit(),
            request.folder,
            look=not no_look,
            pictures=html is not None,
            progress=lambda done, of: watch.progress("look", done, of),
        )
    _write_page(html, page(planned) if html else "")
    if json:
        print_json(planned.model_dump(mode="json"))
        return
    for note in planned.notes:
        print(f"{planned.edit.path.name}: {note}")
    rows = [
        (
            shot.id,
            shot.name,
            f"{shot.record.frames} ({shot.span[1] - shot.span[0] + 1})",
            "; ".join(f"{c.source} on {c.target}" for c in shot.cast) or "-",
            "-" if shot.faces is None else shot.faces,
            f"{shot.state}{', analysed' if shot.analysed and shot.state == 'to do' else ''}",
            duration(shot.seconds) if shot.seconds else "-",
        )
        for shot in planned.shots
    ]
    print_table(("shot", "name", "frames", "cast", "faces", "state", "time"), rows)
    for shot in planned.shots:
        for line in shot.problems if shot.cast or shot.state == "media missing" else ():
            print(f"{shot.id}: {line}")
    for url in planned.missing:
        print(f"missing: {url}")
    estimate = f"about {duration(planned.seconds)}, by {planned.estimated_by}" if planned.seconds else "nothing to do"
    print(f"{counted(len(planned.shots), 'shot')}, {planned.with_cast} with a cast; {estimate}.")
    if planned.saved_seconds:
        print(f"Shots that share a model save {duration(planned.saved_seconds)}.")
    if html is not None:
        print(html)


@timeline.command
@node_options
def run(
    edit: Edit,
    *,
    options: EditOptions = EDIT_OPTIONS,
    engine: InEngine = False,
    json: Json = False,
    run_settings: RunSettings = RUN,
    train_settings: TrainSettings = TRAIN,
    detect_parameters: DetectParameters = DETECT,
    mask_parameters: MaskParameters = MASK,
    look: LookParameters = LOOK,
) -> int:
    """Train and swap every shot of an edit in which somebody is to be replaced. Interrupted, the same command goes on.

    What is done is not done again. A shot that fails does not stop the others; the exit status is then 1. Where the engine runs, it does the work.
    """
    swap = SwapParameters(**look.model_dump())
    settings = Settings(detect=detect_parameters, mask=mask_parameters, swap=swap)
    request = options.request(edit, run=run_settings, train=train_settings, settings=settings)
    result: RunResult = _performed(request, engine)
    _show_run(result)
    if json:
        print_json(result.model_dump(mode="json"))
    elif result.done:
        print(result.document)
        where = ("--run", str(options.out)) if options.out else ()
        print(f"Now: {command_line('faceplate', 'timeline', 'export', str(edit), '--as', 'swap', *where)}")
    return 1 if result.failed else 0


@timeline.command
@node_options
def export(
    edit: Edit,
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
    json: Json = False,
    consent: ConsentParameters = DEFAULT_CONSENT,
) -> None:
    """Put the results of a run into the edit, and leave everything else in it as it was.

    Args:
        as_: swap: clips show the result, and keep the plate as an alternative. layer: tracks above hold the new faces with alpha. versions: clips go on showing the plate, and have the result as an alternative.
        profile: Where it goes: resolve, otio (anything that reads OpenTimelineIO), blender or kdenlive.
        media: What the results are: written (what the swap wrote), sequence (images), prores4444, dnxhr, h264. By default prores4444 for resolve and kdenlive, written for otio, and for blender written, of layers sequence.
        out: The document to write, .otio, .otioz, .otiod, .edl, .xml, .fcpxml or .aaf; by default beside the edit, as EDIT.swap.otio.
        bundle: Write an .otioz with all media, for hand-over.
        for_otio: Write it for an older OpenTimelineIO, such as 0.14.0 for Resolve 18.5.
    """
    from host_bridge.timeline.write.export import export as export_results

    settings = ExportSettings(mode=as_, profile=profile, media=media, out=out, bundle=bundle, for_otio=for_otio)
    with show_progress(f"export {edit.name}") as watch:
        result = export_results(
            edit,
            settings,
            run,
            media_roots=media_root,
            rate=frame_rate(rate),
            consent=consent,
            progress=watch.progress,
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


@timeline.command
def diff(
    a: Annotated[Path, Parameter(name="A")],
    b: Annotated[Path, Parameter(name="B")],
    *,
    only_faceplate: Flag = False,
    rate: Rate = None,
    json: Json = False,
) -> int:
    """List what differs between two edits; the exit status is 0 when nothing does, 1 when something does.

    Args:
        a: An edit.
        b: Another.
        only_faceplate: Accept what Faceplate's export added to B: list it not, and end with 0 when there is nothing else.
    """
    from host_bridge.timeline.read.edit import read_edit
    from host_bridge.timeline.write.diff import EditDiff, diff_edits

    changes = diff_edits(*(read_edit(path, rate=frame_rate(rate)) for path in (a, b)))
    shown = tuple(change for change in changes if not (only_faceplate and change.ours))
    if json:
        print_json(EditDiff(same=not shown, changes=shown).model_dump(mode="json"))
    else:
        for c in shown:
            value = f"{c.before} → {c.after}" if c.kind == "changed" else c.before or c.after
            print(f"{_SIGNS[c.kind]} {c.path}{f': {value}' if value else ''}{'  (Faceplate)' if c.ours else ''}")
    return 1 if shown else 0


@timeline.command
@node_options
def report(
    edit: Path,
    *,
    out: RunFolder = None,
    media_root: MediaRoot = (),
    rate: Rate = None,
    no_verify: Flag = False,
    html: Path | None = None,
    json: Json = False,
    consent: ConsentParameters = DEFAULT_CONSENT,
) -> None:
    """Say for the legal department who was replaced by whom in an edit, by which consents, with which models.

    Args:
        edit: The edit that was run; or one that `faceplate timeline export` wrote, which needs no run: it says what it shows clip by clip.
        no_verify: Do not read the results to see whether they are as they were made.
        html: Write it as a page, ready to print, to this file.
    """
    from host_bridge.timeline.read.places import media_root as root
    from host_bridge.timeline.report.document import page
    from host_bridge.timeline.report.gather import gather

    with show_progress() as watch:
        gathered = gather(
            edit,
            out,
            media_roots=[root(text) for text in media_root],
            consent=consent,
            rate=frame_rate(rate),
            verify=not no_verify,
            progress=lambda done, of: watch.progress("report", done, of),
        )
    _write_page(html, page(gathered) if html else "")
    if json:
        print_json(gathered.model_dump(mode="json"))
        return
    _show_report(gathered)
    if html is not None:
        print(html)


# --- for people ---


def _write_page(html: Path | None, text: str) -> None:
    if html is not None:
        with whole_file(html.expanduser()) as temporary:
            temporary.write_text(text, "utf-8")


def _performed(request: TimelineRequest, engine: bool) -> Any:
    """Run it in the engine if that is asked for, or one runs that may use these folders; else here."""
    try:
        try:
            return perform("timeline", request, engine=engine or running() is not None, quiet=True)
        except EngineRefusal as e:
            if engine or getattr(e.__cause__, "status", None) != 403:
                raise
            print(f"The engine may not do it, so it is done here: {e}", file=sys.stderr)
            return perform("timeline", request, quiet=True)
    except KeyboardInterrupt as e:
        raise (interruption(str(e), _GO_ON) or type(e)(_GO_ON)) from None


def _show_run(result: RunResult) -> None:
    """Print notes on the edit, a row for each shot, then frames to look at; on stderr."""
    for note in result.notes:
        print(note, file=sys.stderr)
    rows = [
        (
            shot.id,
            shot.name,
            ", ".join(f"{c.source} on {c.target}" for c in shot.cast),
            shot.frames,
            shot.state if shot.now or shot.state != "done" else "done before",
            shot.how or "",
            shot.verdict or "",
        )
        for shot in result.shots
    ]
    print_table(("shot", "clip", "who", "frames", "", "model", "report"), rows, stderr=True)
    for shot in result.shots:
        for note in () if shot.error else shot.notes:
            print(f"{shot.id}: {note}", file=sys.stderr)
        if shot.error:
            remedy = f". {shot.error.remedy}" if shot.error.remedy else ""
            print(f"{shot.id} failed: {shot.error.message}{remedy}", file=sys.stderr)
        elif shot.verdict not in (None, "pass"):
            frames = ", ".join(str(look.frame) for look in shot.look_first)
            where = f"; first at frame {frames}" if frames else ""
            print(f"{shot.id}: look at {shot.folder}/report.html{where}", file=sys.stderr)


def _show_report(report: EditReport) -> None:
    from host_bridge.timeline.report.document import COVERED, SAID

    print(f"{report.edit.path}, SHA-256 {report.edit.digest}")
    rows = []
    for shot in report.shots:
        used = dict.fromkeys(id for person in shot.people for id in person.consents)
        models = "-"
        if shot.result is not None:
            models = ", ".join(m.name or m.digest[:12] for m in shot.result.models) or "no trained model"
        rows.append(
            (
                shot.id,
                shot.name,
                shot.frames.count,
                "; ".join(f"{c.target or 'not said'} by {c.source or 'not said'}" for c in shot.cast),
                ", ".join(f"{id} {report.consents[id].stands}" for id in used),
                models,
                "no result" if shot.result is None else shot.result.credentials.what,
            )
        )
    print_table(("shot", "name", "frames", "replaced", "consents", "model", "results"), rows)
    print(COVERED[report.covered])
    for answer in report.answers:
        print(f"{answer.question} {SAID[answer.answer]}")
        for line in answer.why:
            print(f"  {line}")
    for line in report.remarks:
        print(line)
