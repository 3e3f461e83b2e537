"""`faceplate subject`: new, fit, show, list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from host_bridge.cli.options import Flag, Json, Rate
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress
from host_bridge.jobs.footage import frame_rate, opened
from nodes.errors import UsageError
from nodes.text import command_line

subject = App(name="subject", help_format="plaintext")


@subject.command
def new(
    name: str,
    /,
    *,
    model: Path,
    config: Path,
    landmarks: str | None = None,
    out: Path | None = None,
    replace: Flag = False,
) -> None:
    """Make a subject of a network that finds its landmarks. The next step is `faceplate subject fit`.

    Args:
        name: What it is called from now on: small letters, digits, - and _.
        model: ONNX file of any keypoint network: coordinates, heat maps or SimCC. It is copied.
        config: TOML file that says what the network takes and gives; see docs/subjects.md.
        landmarks: Names of the landmarks, in the network's order, between commas; by default those in the configuration.
        out: Folder in which the subject's own folder is made; by default where `--subject NAME` finds it.
        replace: Replace a subject of this name that is fitted.
    """
    from nodes.subject_tool.document import new_subject

    names = [part.strip() for part in landmarks.split(",") if part.strip()] if landmarks else []
    path = new_subject(name, model.expanduser(), config.expanduser(), names, out, replace=replace)
    print(path)
    print(f"Now: {command_line('faceplate', 'subject', 'fit', name if out is None else str(path))} FOOTAGE...")


@subject.command
def fit(
    name: str,
    *clips: Annotated[Path, Parameter(name="CLIP")],
    rate: Rate = None,
    json: Json = False,
) -> None:
    """Estimate a subject's template from footage that shows it, and which of its landmarks are rigid.

    Args:
        name: A subject that `faceplate subject new` made, or the path of its document.
        clips: Footage, each clip of one individual, in the poses it will be seen in; some dozens of frames do.
    """
    from nodes.subject_tool.fit import fit_subject

    if not clips:
        raise UsageError("no CLIP is given", remedy="Name the footage: faceplate subject fit NAME CLIP...")
    with opened(*clips, rate=frame_rate(rate)) as footage, show_progress() as watch:
        fitted = fit_subject(name, [f for f in footage if f is not None], watch.progress)
    counts = list(zip(clips, fitted.frames, fitted.found, strict=True))
    mirrored = [fitted.landmarks[other] for other in fitted.mirror.tolist()]
    weights, spreads = map(float, fitted.weights), map(float, fitted.spread)
    rows = list(zip(fitted.landmarks, weights, spreads, mirrored, strict=True))
    if json:
        seen = [dict(zip(("path", "frames", "found"), (str(c), *more), strict=True)) for c, *more in counts]
        landmarks = [dict(zip(("name", "weight", "spread", "mirror"), row, strict=True)) for row in rows]
        print_json({"schema": "faceplate.fitted/1", "subject": str(fitted.path), "clips": seen, "landmarks": landmarks})
        return
    print(fitted.path)
    print_table(("clip", "frames", "found"), ((clip.name, *more) for clip, *more in counts))
    titles = ("landmark", "weight", "moves (of the radius)", "in a mirror")
    print_table(titles, ((n, f"{w:.1%}", f"{s:.1%}", "" if n == m else m) for n, w, s, m in rows))


@subject.command
def show(
    name: str,
    clip: Path,
    /,
    *,
    out: Path,
    count: int = 6,
    rate: Rate = None,
) -> None:
    """Draw what a subject's landmarks, axes, crops and regions are in a clip, on one sheet to look at.

    Args:
        name: A subject, fitted or not, or the path of its document.
        clip: Footage that shows it.
        out: The picture, a PNG file.
        count: How many frames.
    """
    from nodes.shot.sheet import write_png
    from nodes.subject_tool.sheet import subject_sheet

    if not 1 <= count <= 40:
        raise UsageError(f"--count {count}: is not between 1 and 40")
    with opened(clip, rate=frame_rate(rate)) as (footage,), show_progress() as watch:
        assert footage is not None
        sheet = subject_sheet(footage, name, count, watch.progress)
    write_png(out.expanduser(), sheet)
    print(out)


@subject.command(name="list")
def list_(*, json: Json = False) -> None:
    """List the subjects that ship and those of your own."""
    from nodes.errors import SchemaError
    from nodes.subjects.subject import find_subject, known_subjects, load_subject

    rows = []
    for name in known_subjects():
        try:
            entry = load_subject(name)
            state = "fitted" if entry.finder.get("fitted", True) else "not fitted"
            rows.append((name, len(entry.template), str(entry.finder.get("kind")), state, str(entry.file)))
        except SchemaError:
            rows.append((name, 0, "", "damaged", str(find_subject(name))))
    if json:
        keys = ("name", "landmarks", "finder", "state", "document")
        print_json({"schema": "faceplate.subjects/1", "subjects": [dict(zip(keys, r, strict=True)) for r in rows]})
        return
    print_table(("subject", "landmarks", "found by", "state", "document"), rows)
