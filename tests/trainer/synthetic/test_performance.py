"""Performances of synthetic people: written as text, measured on footage, or random; and the document that keeps them."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nodes.errors import SchemaError, UsageError
from trainer.synthetic.acting import text
from trainer.synthetic.acting.cues import EXPRESSIONS, sided
from trainer.synthetic.acting.improvise import improvise, moods
from trainer.synthetic.acting.measured import head_angles, measure_acting
from trainer.synthetic.acting.performance import Acting, coefficient_names, load_acting
from trainer.synthetic.acting.speech import VISEMES, mouth_curves, spoken
from trainer.synthetic.acting.text import read_acting

FAST = 240  # frames a second at which quick moves can be measured


def at(acting: Acting, seconds: float, name: str) -> float:
    return float(acting.curve(name)[round(seconds * acting.rate)])


def test_a_text_says_what_happens_when() -> None:
    acting = read_acting(
        """
        # a comment
        0.5s smile 0.8 over 0.3s
        2s   blink   # another
        3s   look left 20
        6s   turn right 30 over 1s
        """,
        rate=100,
    )
    assert at(acting, 0.5, "mouthSmileLeft") == 0
    assert at(acting, 0.65, "mouthSmileLeft") == pytest.approx(0.4)
    assert at(acting, 0.8, "mouthSmileRight") == at(acting, 5, "mouthSmileRight") == pytest.approx(0.8)
    assert at(acting, 2.09, "eyeBlinkLeft") == at(acting, 2.09, "eyeBlinkRight") == pytest.approx(1)
    assert at(acting, 3.2, "eyeLookOutLeft") == pytest.approx(20 / 30, abs=0.06)
    assert at(acting, 3.2, "eyeLookInRight") == pytest.approx(20 / 30, abs=0.06)
    assert acting.yaw[-1] == pytest.approx(-30)
    assert acting.seconds == 8  # a second after the last cue


def test_every_line_of_the_language_s_own_description_is_understood() -> None:
    lines = [line[4:] for line in (text.__doc__ or "").splitlines() if line.startswith("    ")]
    told = "\n".join(re.split(r"\s{2,}", re.sub(r"^(\S+)\s+", r"\1 ", line))[0] for line in lines)
    acting = read_acting(told)
    assert acting.seconds == 12
    assert acting.curve("jawOpen")[round(4.5 * 25) : 140].max() > 0.15  # it speaks
    assert acting.coefficients[-1].max() < 0.15  # and relaxes
    assert np.abs([acting.yaw[-1], acting.pitch[-1], acting.roll[-1]]).max() < 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("smile 0.8", "does not begin with a time. Begin with seconds, such as 1.5s."),
        ("1s smle", "'smle' is no expression, unit or action. Did you mean smile"),
        ("1s smile 8", "an amount of 8 is out of range. Give a number from 0 to 1."),
        ("1s smile much", "needs an amount, not 'much'"),
        ("1s smile 0.5 over", "'over' needs a duration above 0"),
        ("1s smile 0.5 quickly", "has a word too many: 'quickly'"),
        ("1s", "says no action"),
        ("1s say hello", "says no words"),
        ('1s say "hello', "has a quotation mark without its partner"),
        ("1s wink", "does not say which eye winks"),
        ("1s look", "does not say where to look"),
        ("1s look sideways 5", "'sideways' is no direction"),
        ("1s look left 90", "an angle in degrees of 90 is out of range"),
        ("1s turn up 5", "'up' is no direction for 'turn'. Use left, right."),
        ("1s jaw 0.5", "does not say to which side it goes"),
        ("0s end", "ends before it begins"),
    ],
)
def test_an_error_names_the_line_and_the_remedy(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"^line 2, '{re.escape(line)}': .*{re.escape(message)}"):
        read_acting(f"0s blink\n{line}\n2s blink")


def test_a_text_without_a_line_is_an_error() -> None:
    with pytest.raises(UsageError, match="no line"):
        read_acting("# nothing\n")


def test_lips_close_for_m_and_round_for_u() -> None:
    times = np.arange(0, 1.5, 0.01)
    visemes = spoken("ama")
    closed = mouth_curves(visemes, times)["closed"]
    m = next(v for v in visemes if v.name == "M")
    assert closed[round((m.start + m.duration / 2) * 100)] > 0.8
    assert closed[round((m.start - 0.1) * 100)] < 0.3
    assert mouth_curves(spoken("loo"), times)["mouthPucker"].max() > 0.4
    assert mouth_curves(spoken("la"), times)["mouthPucker"].max() == 0


def test_spelling_becomes_sounds() -> None:
    def names(text: str) -> list[str]:
        return [v.name for v in spoken(text) if v.name != "rest"]

    assert names("nice") == ["T", "I", "K"]
    assert names("queen") == ["K", "W", "I", "T"]
    assert names("night") == ["T", "A", "I", "T"]
    assert names("7") == names("seven")


def test_speech_lasts_as_long_as_it_is_told_to() -> None:
    visemes = spoken("hello there", 2.0, 3.0)
    assert visemes[0].start == 2.0
    assert visemes[-1].start + visemes[-1].duration == pytest.approx(5.0)


def test_all_names_of_expressions_and_visemes_are_coefficients() -> None:
    units = {unit for table in (EXPRESSIONS, VISEMES) for shape in table.values() for unit in shape} - {"closed"}
    assert not [unit for unit in units if not sided(unit)]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_random_acting_is_the_same_for_a_seed_and_within_range(seed: int) -> None:
    acting, again = improvise(seed, 60), improvise(seed, 60)
    for name in ("coefficients", "yaw", "pitch", "roll", "offset"):
        assert np.array_equal(getattr(acting, name), getattr(again, name))
    assert not np.array_equal(acting.coefficients, improvise(seed + 1, 60).coefficients)
    assert acting.coefficients.dtype == np.float32
    assert acting.coefficients.shape == (1500, 52)
    assert acting.coefficients.min() == 0
    assert 0.7 < acting.coefficients.max() <= 1
    assert np.abs([acting.yaw, acting.pitch, acting.roll]).max() < 60
    assert np.abs(acting.offset).max() < 0.05


def blinks(acting: Acting) -> list[tuple[int, int]]:
    """Frames at which both lids begin to close and are open again."""
    both = np.minimum(acting.curve("eyeBlinkLeft"), acting.curve("eyeBlinkRight"))
    edges = np.flatnonzero(np.diff((both > 0.02).astype(int)))
    return [(a, b) for a, b in pairwise(edges) if both[a + 1 : b].max(initial=0) > 0.8]


@pytest.mark.parametrize("seed", range(6))
def test_random_people_blink_as_people_do(seed: int) -> None:
    acting = improvise(seed, 60, FAST, only=["calm", "talk"])
    times = blinks(acting)
    assert 8 <= len(times) <= 30
    for first, last in times:
        closure = acting.curve("eyeBlinkLeft")[first : last + 1]
        peak = int(closure.argmax())
        assert 0.05 <= peak / FAST <= 0.14  # closing
        assert 0.1 <= (len(closure) - peak) / FAST <= 0.25  # opening, about twice as long


@pytest.mark.parametrize("seed", range(4))
def test_nothing_moves_faster_than_a_face_can(seed: int) -> None:
    acting = improvise(seed, 60, FAST)
    speed = np.abs(np.diff(acting.coefficients, axis=0)).max(0) * FAST
    for name, most in zip(coefficient_names(), speed, strict=True):
        # Lids close in 80 ms; eyes turn by up to 700 degrees a second; the rest takes a tenth of a second and more.
        assert most < (
            25 if "Blink" in name or "eyeWide" in name or "eyeSquint" in name else 30 if "Look" in name else 16
        )
    assert np.abs(np.diff([acting.yaw, acting.pitch, acting.roll])).max() * FAST < 200


def test_eyes_stay_on_their_target_while_the_head_turns() -> None:
    acting = improvise(5, 30, FAST)
    out, into = acting.curve("eyeLookOutLeft") * 30, acting.curve("eyeLookInLeft") * 30
    gaze = out - into + acting.yaw
    moving = np.abs(np.diff(gaze)) * FAST
    assert np.median(moving) < 1  # degrees a second: fixations
    assert moving.max() > 150  # and saccades


def test_moods_can_be_chosen() -> None:
    assert improvise(1, 20, only=["joy"]).curve("mouthSmileLeft").max() > 0.4
    assert improvise(1, 20, only=["calm"]).curve("jawOpen").max() == 0
    with pytest.raises(UsageError, match=f"no mood 'mad'.*{', '.join(moods())}"):
        improvise(1, 20, only=["mad"])


def test_a_document_keeps_a_performance(tmp_path: Path) -> None:
    acting = improvise(7, 4, Fraction(24000, 1001))
    acting.save(tmp_path / "acting.json")
    loaded = load_acting(tmp_path / "acting.json")
    assert loaded.rate == acting.rate
    assert loaded.origin == acting.origin
    for name in ("coefficients", "yaw", "pitch", "roll", "offset"):
        assert getattr(loaded, name) == pytest.approx(getattr(acting, name), abs=1e-5)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "acting.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "faceplate.acting/99"}, "newer Faceplate"),
        ({"frames": 5}, "5 frames"),
        ({"coefficients": {"mouthGrin": [0.0] * 10}}, "there is no coefficient 'mouthGrin'"),
        ({"coefficients": {"jawOpen": [2.0] * 10}}, "'jawOpen' leaves 0 to 1"),
        ({"yaw": [float("nan")] * 10}, "yaw"),
        ({"mood": "good"}, "mood"),
    ],
)
def test_a_damaged_document_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    file = tmp_path / "acting.json"
    improvise(7, 0.4).save(file)
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(SchemaError, match=message):
        load_acting(file)


def test_a_clip_is_measured_as_numbers(samples: Path, tmp_path: Path) -> None:
    acting = measure_acting(samples / "cap13_edit2.mp4", 0, 30)
    assert len(acting) == 31
    assert acting.coefficients.shape == (31, 52)
    assert not acting.curve("_neutral").any()
    assert np.percentile(acting.coefficients, 8, axis=0).max() < 0.35  # the rest is taken off
    assert acting.origin.kind == "measured"
    acting.save(tmp_path / "acting.json")
    assert len(load_acting(tmp_path / "acting.json")) == 31


def test_a_head_turned_to_its_own_left_has_a_positive_yaw() -> None:
    turn = np.radians(20)
    # The template looks at the camera: its own left is the picture's right, x.
    rotation = np.array([[[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]])
    yaw, pitch, roll = head_angles(rotation)
    assert (yaw[0], pitch[0], roll[0]) == pytest.approx((20, 0, 0), abs=1e-4)
