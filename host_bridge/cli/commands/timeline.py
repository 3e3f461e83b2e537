"""`faceplate timeline`: an edit in, its shots replaced, and the edit out again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from host_bridge.cli.commands.train import interruption
from host_bridge.cli.options import Flag, InEngine, Json, node_options, request_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.cli.progress import show_progress
from host_bridge.client import EngineError, running
from host_bridge.jobs.footage import frame_rate
from host_bridge.jobs.job import absolute
from host_bridge.jobs.timeline import TimelineRequest
from host_bridge.timeline.document import RunResult
from host_bridge.timeline.settings import ExportSettings
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, SwapParameters
from nodes.files import whole_file
from nodes.text import command_line, counted

if TYPE_CHECKING:
    from host_bridge.timeline.report.document import EditReport

timeline = App(name="timeline", help_format="plaintext")
_GO_ON = "the same command goes on from here"
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_HELP = {name: field.description for name, field in TimelineRequest.model_fields.items()}
_FOOTAGE = "FOOTAGE of the performer who is put into every shot; or NAME=FOOTAGE, of one whom the cast file or the edit names. Can be repeated."
Sources = Annotated[tuple[str, ...], Parameter(name="--source", negative_iterable=(), help=_FOOTAGE)]
Edit = Annotated[Path, Parameter(help=_HELP["edit"])]
MediaRoot = Annotated[tuple[str, ...], Parameter(negative_iterable=(), help=_HELP["media_roots"])]
Rate = Annotated[str | None, Parameter(help=_HELP["rate"])]
RunFolder = Annotated[Path | None, Parameter(help=_HELP["out"])]
EXPORT = ExportSettings()
_CAST = ("performers", "source", "export")  # said by --source, and by another command
_OF_SHOTS = ("settings.align", *(f"settings.swap.{name}" for name in SwapParameters.having("per_shot")))


def _with_footage(request: TimelineRequest, sources: tuple[str, ...]) -> TimelineRequest:
    """Add the footage of performers to a request, and make its paths absolute."""
    from host_bridge.timeline.cast_edit import absolute_root, read_sources

    performers, everywhere = read_sources(sources, request.target)
    paths = {"edit": absolute(request.edit), "media_roots": tuple(map(absolute_root, request.media_roots))}
    return request.model_copy(update={**paths, "performers": performers, "source": everywhere})


@timeline.command
@request_options(argument="edit", hidden=(*_CAST, "run", "train", "settings"))
def plan(
    request: TimelineRequest,
    *,
    sources: Sources = (),
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

    request = _with_footage(request, sources)
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
        print_json(planned)
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
@request_options(argument="edit", hidden=(*_CAST, *_OF_SHOTS))
def run(request: TimelineRequest, *, sources: Sources = (), engine: InEngine = False, json: Json = False) -> int:
    """Train and swap every shot of an edit in which somebody is to be replaced. Interrupted, the same command goes on.

    What is done is not done again. A shot that fails does not stop the others; the exit status is then 1. Where the engine runs, it does the work.
    """
    result = _perform(_with_footage(request, sources), engine)
    _show_run(result)
    if json:
        print_json(result)
    elif result.done:
        print(result.document)
        where = ("--run", str(request.out)) if request.out else ()
        print(f"Now: {command_line('faceplate', 'timeline', 'export', str(request.edit), '--as', 'swap', *where)}")
    return 1 if result.failed else 0


@timeline.command
@node_options
def export(
    edit: Edit,
    *,
    run: RunFolder = None,
    media_root: MediaRoot = (),
    rate: Rate = None,
    json: Json = False,
    settings: ExportSettings = EXPORT,
    consent: ConsentParameters = DEFAULT_CONSENT,
) -> None:
    """Put the results of a run into the edit, and leave everything else in it as it was."""
    from host_bridge.timeline.write.export import export as export_results

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
        print_json(result)
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
    relevant = tuple(change for change in changes if not (only_faceplate and change.ours))
    if json:
        print_json(EditDiff(same=not relevant, changes=relevant))
    else:
        for c in relevant:
            value = f"{c.before} → {c.after}" if c.kind == "changed" else c.before or c.after
            print(f"{_SIGNS[c.kind]} {c.path}{f': {value}' if value else ''}{'  (Faceplate)' if c.ours else ''}")
    return 1 if relevant else 0


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
        print_json(gathered)
        return
    _show_report(gathered)
    if html is not None:
        print(html)


def _write_page(html: Path | None, text: str) -> None:
    if html is not None:
        with whole_file(html.expanduser()) as temporary:
            temporary.write_text(text, "utf-8")


def _perform(request: TimelineRequest, engine: bool) -> Any:
    """Run it in the engine if requested, or if one runs that may use these folders; else here."""
    try:
        try:
            return perform("timeline", request, engine=engine or running() is not None, quiet=True)
        except EngineError as e:
            if engine or e.status != 403:
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
        ids = dict.fromkeys(id for person in shot.people for id in person.consents)
        models = "-"
        if shot.result is not None:
            models = ", ".join(m.name or m.digest[:12] for m in shot.result.models) or "no trained model"
        rows.append(
            (
                shot.id,
                shot.name,
                shot.frames.count,
                "; ".join(f"{c.target or 'not said'} by {c.source or 'not said'}" for c in shot.cast),
                ", ".join(f"{id} {report.consents[id].stands}" for id in ids),
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
