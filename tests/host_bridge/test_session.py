"""What a host's session asks for and shows, as data; its talk with a real engine is in the hosts' own tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from host_bridge.session import (
    LOST,
    Session,
    consent_remedies,
    consent_sentences,
    consent_summary,
    progress_of,
    split_command,
    training_jobs,
    verdict,
)
from tests.support.live_engine import live_engine


def answer(target: str, source: str, *, allowed: bool, why: str = "") -> dict[str, Any]:
    roles = {"target": target, "source": source}
    told = {role: {"said": said, "why": why, "allowed": allowed} for role, said in roles.items()}
    return {"state": "finished", "result": {"allowed": allowed, "said": "in all", **told}}


def test_a_training_is_two_facesets_and_a_model_that_goes_on_where_it_was(tmp_path: Path) -> None:
    clips = {"source": [("/anna.mov", None)], "target": [("/plate.%04d.png", "1-9"), ("/b.mov", None)]}
    swap = {"source_performer": "Anna", "project": "/show"}
    (tmp_path / "model" / "checkpoints").mkdir(parents=True)
    (tmp_path / "model" / "checkpoints" / "step-1.json").touch()
    source, target, train = training_jobs(tmp_path, clips, swap, 5, rate="24")
    assert [kind for kind, _ in (source, target, train)] == ["faceset", "faceset", "train"]
    assert (source[1]["performer"], source[1]["named"]) == ("Anna", "Anna") and "ranges" not in source[1]
    assert target[1]["performer"] == "plate" and "named" not in target[1] and target[1]["ranges"] == ["1-9", None]
    assert train[1]["facesets"] == [str(tmp_path / "source"), str(tmp_path / "target")] and train[1]["resume"]
    assert all(request["consent"] == {"project": "/show"} for _, request in (source, target, train))


def test_two_facesets_are_never_called_alike(tmp_path: Path) -> None:
    jobs = training_jobs(tmp_path, {"source": [("/a/x.mov", None)], "target": [("/b/x.mp4", None)]}, {}, 1)
    assert [request["performer"] for _, request in jobs[:2]] == ["x (source)", "x (target)"]


def test_consent_is_said_once_for_several_clips_and_a_no_outweighs_every_yes() -> None:
    yes = {"allowed": True, "said": "Ben may"}
    assert consent_summary([("a", yes), ("b", yes)]) == (True, "a, b: Ben may")
    assert consent_summary([("a", yes), ("b", {"allowed": False, "said": "Ann may not"})]) == (False, "b: Ann may not")


@pytest.mark.parametrize(
    ("job", "brief", "sentences"),
    [
        (answer("Ben may", "Ann may", allowed=True), False, [("yes", "Ben may"), ("yes", "Ann may")]),
        (answer("Ben may not: x", "Ben may not: x", allowed=False, why="x"), True, [("no", "x")]),
        ({"error": {"message": "a", "remedy": "b", "exit_status": 10}}, False, [("no", "Consent: a")]),
        ({"error": {"message": "a", "remedy": None}}, False, [("unknown", "Consent: a")]),
    ],
)
def test_an_answer_about_consent_becomes_sentences(job: Any, brief: bool, sentences: Any) -> None:
    assert list(consent_sentences(job, brief=brief)) == sentences


def test_a_remedy_of_both_faces_is_one_button() -> None:
    record = {"name": "record_consent", "arguments": {"performer": "", "use": "replaced", "project": ""}}
    role = {
        "allowed": False,
        "said": "nobody may",
        "action": record,
        "remedy": "Record it: faceplate performer add NAME",
    }
    job = {"result": {"allowed": False, "said": "", "target": role, "source": dict(role)}}
    assert consent_remedies(job) == [(record, role["remedy"])]
    assert consent_remedies({"result": None, "error": {"message": "a", "remedy": None}}) == []


@pytest.mark.parametrize(
    ("remedy", "command"),
    [
        ("Allow it with: faceplate engine allow /a", "faceplate engine allow /a"),
        ("Allow it with: '/my env/bin/faceplate' engine allow '/a b'", "'/my env/bin/faceplate' engine allow '/a b'"),
        (
            "Choose another folder, or allow it with: /env/bin/faceplate engine allow /a",
            "/env/bin/faceplate engine allow /a",
        ),
        (
            r'Allow it with: "C:\My env\Scripts\faceplate.EXE" engine allow C:\a',
            r'"C:\My env\Scripts\faceplate.EXE" engine allow C:\a',
        ),
        ("See docs/faceplate: nothing", ""),
    ],
)
def test_a_command_at_the_end_of_a_remedy_can_be_copied_alone(remedy: str, command: str) -> None:
    words, found = split_command(remedy)
    assert found == command and (words + ": " + found == remedy if command else words == remedy)


def test_a_session_that_watches_sees_an_engine_come_and_go_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_STATE", str(tmp_path))
    woken: list[bool] = []
    session = Session(lambda: None, wake=lambda: woken.append(True))
    session.watch()
    session.watch()
    assert woken == [True] and session.state.engine == "unknown"

    def seen(state: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while session.state.engine != state and time.monotonic() < end:
            time.sleep(min(session.pump() or 0.01, 0.05))
        return session.state.engine == state

    assert seen("stopped", 5)
    with live_engine(tmp_path / "live") as live:
        assert seen("running", 5) and Path(session.state.python).exists()
        os.kill(live.client.address.pid, signal.SIGKILL)
        assert seen("stopped", 5)


def test_what_was_changed_after_signing_is_said() -> None:
    job = {"result": {"status": 0, "said": "3 are intact."}}
    assert verdict(job) == (False, "3 are intact.")
    assert verdict({"result": {"status": 11, "said": "changed"}}) == (True, "changed")


def test_progress_is_a_share_and_words() -> None:
    job = {"kind": "swap", "state": "running", "progress": {"stage": "detect", "done": 1, "total": 4}}
    assert progress_of(job) == (0.05, "Finding faces")  # the first of five stages
    last = {"stage": "whole frames", "done": 4, "total": 4, "left": 200.0}
    assert progress_of({**job, "progress": last}) == (1.0, "Writing frames, 3 min left")
    training = {"kind": "train", "state": "running", "metrics": {"seconds": 60.0, "left": 180.0}}
    assert progress_of(training) == (0.25, "Training, 3 min left")
    assert progress_of({"kind": "export_cut", "state": "queued"}) == (0.0, "Writing the edit: waiting for other work")
    assert "Start Engine" in progress_of({**job, "state": LOST})[1]


def test_steps_go_on_with_each_pump_and_are_forgotten_when_the_session_closes() -> None:
    ended: list[int] = []

    def steps(count: int) -> Any:
        for _ in range(count):
            yield
        return count

    session = Session(lambda: None)
    session.run(steps(0), ended.append)
    assert ended == [] and session.busy()
    assert session.pump() is None and ended == [0]
    session.run(steps(3), ended.append)
    assert session.pump() is not None
    session.close()
    assert not session.busy() and session.pump() is None and ended == [0]
