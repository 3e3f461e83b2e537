"""The log of a run: where it is, what it says, and that it is nobody else's concern."""

from __future__ import annotations

import ast
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host_bridge.cli import app
from host_bridge.cli.app import _end
from host_bridge.watch.status import of_failure
from nodes import log, runtime
from nodes.errors import ConsentError, FaceplateError
from nodes.footage.footage import open_footage
from nodes.log import RunLog, log_failure, logging_to
from tests import ROOT
from tests.support.clips import cut
from tests.test_layers import imports_under

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of logs of a state folder of this test's own, with a cache of its own."""
    monkeypatch.setenv("FACEPLATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "state" / "logs"


@pytest.fixture(scope="module")
def clip(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(samples / "cap13_edit2.mp4", tmp_path_factory.mktemp("clip") / "plate.mp4", 0, 2)


def only(logs: Path) -> str:
    (file,) = logs.iterdir()
    return file.read_text("utf-8")


def test_a_run_says_in_its_log_what_was_decided_and_how_long_its_stages_took(
    run: Run, logs: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_sessions", {})  # that an earlier test has opened networks is not for this log
    status, _, err = run("detect", clip, "--every", 5)
    assert status == 0 and str(logs) not in err
    told = only(logs)
    assert told.startswith("faceplate ") and f"$ faceplate detect {clip} --every 5" in told
    for said in (
        f"{clip}: 400x300, 2 frames from 0, 25 frames/s by its time stamps",
        "detector=<Detector.AUTO: 'auto'> every=5",
        "runs on CPUExecutionProvider",
        "0 cuts",
        "ends with status 0",
    ):
        assert said in told, told
    assert re.search(r"INFO host_bridge\.jobs\.job: detect: \d+\.\d\d s\n", told)
    run("detect", clip, "--every", 5)
    assert any("as found before" in file.read_text("utf-8") for file in logs.iterdir())


def test_an_error_names_the_log_and_the_traceback_is_there_alone(run: Run, logs: Path) -> None:
    status, _, err = run("detect", "none.mov")
    (file,) = logs.iterdir()
    assert (status, err) == (3, f"faceplate: none.mov: does not exist. Check the path. (log: {file})\n")
    assert "Traceback" in only(logs) and "none.mov: does not exist" in only(logs)


def test_a_command_that_goes_on_past_an_error_names_the_log_at_its_end(
    run: Run, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_shot_fails() -> int:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as e:
            log_failure(logging.getLogger("host_bridge.timeline"), e)
        return 1

    monkeypatch.setattr(app, "make_app", lambda: lambda tokens, **options: one_shot_fails())
    status, _, err = run("timeline", "run", "cut.otio")
    (file,) = logs.iterdir()
    assert (status, err) == (1, f"faceplate: the log of this run is {file}\n")


def test_a_command_at_the_end_of_an_error_stays_there(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    with logging_to(found := RunLog(logs, "swap", "$")):
        logging.getLogger("nodes").error("no")
        _end("no model.", 5, found, "Train one: faceplate train 'A B' C --out M")
    said = capsys.readouterr().err
    assert said == f"faceplate: no model. (log: {found.path}) Train one: faceplate train 'A B' C --out M\n"


@pytest.mark.parametrize("where", [("-v", "detect"), ("detect", "--verbose")])
def test_verbose_shows_the_log_on_stderr(run: Run, logs: Path, where: tuple[str, str]) -> None:
    status, out, err = run(*where, "none.mov")
    assert (status, out) == (3, "")
    assert "INFO host_bridge.jobs.job: detect: {'clip': 'none.mov'}" in err and "Traceback" in err


@pytest.mark.parametrize("command", [("swap",), ("timeline", "run"), ("engine", "status"), ("nodes",)])
def test_every_command_offers_it(run: Run, command: tuple[str, ...]) -> None:
    assert "--verbose" in run(*command, "--help")[1]


def test_what_decides_nothing_leaves_no_log(run: Run, logs: Path) -> None:
    assert run("nodes")[0] == 0 and run("swap", "--nonsense")[0] == 2
    assert not logs.exists()


def test_a_log_that_cannot_be_written_stops_nothing(run: Run, logs: Path) -> None:
    logs.parent.write_text("a file")
    assert run("detect", "none.mov") == (3, "", "faceplate: none.mov: does not exist. Check the path.\n")


def test_a_hot_folder_names_the_log_of_the_watcher_where_there_is_no_job(tmp_path: Path) -> None:
    failure = FaceplateError("is no job", file="a.json", remedy="Write JSON")
    with logging_to(found := RunLog(tmp_path, "engine", "$")):
        told = of_failure(failure)
    assert told["error"] == {"message": f"is no job (log: {found.path})", "remedy": "Write JSON"}
    assert of_failure(failure)["error"]["message"] == "is no job"


def test_logs_are_for_their_owner_and_neither_long_nor_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "KEPT", 3)
    monkeypatch.setattr(log, "LONGEST", 1000)
    logger = logging.getLogger("nodes.long")
    for run in range(4):
        with logging_to(RunLog(tmp_path, f"run{run}", "$ faceplate")):
            for _ in range(100):
                logger.info("x" * 50)
    files = sorted(tmp_path.iterdir())
    assert len(files) <= 3 and any("run3" in file.name for file in files)
    assert all(file.stat().st_size <= 1000 and file.read_text().startswith("$ faceplate\n") for file in files)
    if sys.platform != "win32":
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_logging_stays_as_it_was_found(run: Run, logs: Path) -> None:
    root, ours = logging.getLogger(), logging.getLogger("nodes")
    before = root.handlers[:], root.level, ours.handlers[:], ours.level
    run("detect", "none.mov", "-v")
    assert (root.handlers[:], root.level, ours.handlers[:], ours.level) == before


def test_used_as_a_library_it_sets_nothing_up_and_prints_nothing(clip: Path) -> None:
    code = f"""
import logging
from nodes.footage.footage import open_footage
import host_bridge.jobs, trainer.watcher
open_footage({str(clip)!r})
logging.getLogger("nodes.any").error("nobody asked")
assert not logging.getLogger().handlers and logging.getLogger("nodes").level == 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_program_that_uses_us_gets_our_records_by_its_own_set_up(
    clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "nodes"):
        open_footage(clip)
    assert [(r.name, r.levelname) for r in caplog.records] == [("nodes.footage.footage", "INFO")]


def test_a_refusal_for_want_of_consent_is_logged_without_whom_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("nodes.consent")
    try:
        try:
            raise ConsentError("Wilhelmina has not agreed")
        except ConsentError as e:
            raise FaceplateError("no Wilhelmina") from e
    except FaceplateError as e:
        log_failure(logger, e)
    assert "Wilhelmina has" not in caplog.text and "test_log.py" in caplog.text and "FaceplateError" in caplog.text


@pytest.mark.parametrize("folder", ["host_bridge/blender", "host_bridge/fusion/scripts", "host_bridge/client.py"])
def test_what_runs_inside_a_host_leaves_its_logging_alone(folder: str) -> None:
    assert not [str(file) for file, found in imports_under(folder) if found.top == "logging"]


def test_one_module_sets_logging_up() -> None:
    found = {
        str(file.relative_to(ROOT))
        for folder in ("nodes", "trainer", "host_bridge", "install")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"addHandler|basicConfig|dictConfig|\.setLevel|captureWarnings", file.read_text("utf-8"))
    }
    assert found == {"nodes/log.py", "nodes/__init__.py"}  # the latter's does nothing


def swallowed(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    """Handlers of every error that neither raise it on nor log its traceback."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or broad(node.type)):
            inside = [part for statement in node.body for part in ast.walk(statement)]
            raised = any(isinstance(part, ast.Raise) and part.exc is None for part in node.body)
            logged = any(
                isinstance(part, ast.Call)
                and (
                    getattr(part.func, "attr", getattr(part.func, "id", ""))
                    in ("exception", "log_failure", "print_exc")
                    or any(keyword.arg == "exc_info" for keyword in part.keywords)
                )
                for part in inside
            )
            if not raised and not logged:
                yield node


def broad(kind: ast.expr) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(k, ast.Name) and k.id in ("Exception", "BaseException") for k in kinds)


def test_no_broad_except_without_a_logged_traceback() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{handler.lineno}"
        for folder in ("nodes", "trainer", "host_bridge", "install")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for handler in swallowed(ast.parse(file.read_text("utf-8")))
    ]
    assert not found


def test_the_house_knows_a_swallowed_error() -> None:
    cases = {
        "except Exception: pass": 1,
        "except: x = 1": 1,
        "except (OSError, BaseException) as e: raise ValueError from e": 1,
        "except Exception: log.exception('')": 0,
        "except BaseException: raise": 0,
        "except OSError: pass": 0,
    }
    assert {c: sum(1 for _ in swallowed(ast.parse(f"try: f()\n{c}"))) for c in cases} == cases
