"""EDLs: timecode is a count of frames, the rate comes from the media, and what is written shows the same frames when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.read.edl import speed_of_m2
from host_bridge.timeline.read.places import Places
from host_bridge.timeline.shots.find import find_shots, sequence_rate
from host_bridge.timeline.shots.shot import Shot
from host_bridge.timeline.write.formats import write_document
from nodes.errors import SchemaError
from nodes.footage.rates import frames_per_day, number_of, timecode_of
from tests.support.cuts import clip, dissolve, gap, span, timeline, written
from tests.support.numbered import numbered_movie, numbers_in

Run = Callable[..., tuple[int, str, str]]
F23, F29, F59 = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
COUNTS = [
    (F23, False), (Fraction(24), False), (Fraction(25), False), (F29, False), (F29, True), (Fraction(50), False),
    (F59, False), (F59, True),
]  # fmt: skip
LENGTH = 300  # frames of a movie
FCM = {False: "NON-DROP FRAME", True: "DROP FRAME"}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a movie for each way to count, and one whose timecode passes midnight."""
    folder = tmp_path_factory.mktemp("media")
    for rate, drop in COUNTS:
        numbered_movie(folder / name(rate, drop), LENGTH, rate, start=timecode_of(hour(rate, drop), rate, drop=drop))
    numbered_movie(folder / "midnight.mov", LENGTH, 25, start="23:59:55:00")
    numbered_movie(folder / "plain.mov", LENGTH, 24)
    return folder


def name(rate: Fraction, drop: bool = False) -> str:
    return f"{float(rate):.5g}{'df' if drop else ''}.mov"


def hour(rate: Fraction, drop: bool = False) -> int:
    return number_of("01:00:00:00", rate, drop=drop)


def event(
    number: int, file: str, source: tuple[int, int], record: tuple[int, int], rate: Fraction, drop: bool = False, m2: str = ""
) -> str:  # fmt: skip
    """An event as most programs write it; all times are counts of frames."""
    labels = " ".join(timecode_of(n, rate, drop=drop) for n in (*source, *record))
    speed = f"M2   AX       {m2}                {timecode_of(source[0], rate, drop=drop)}\n" if m2 else ""
    return f"{number:03}  AX       V     C        {labels}\n{speed}* FROM CLIP NAME: {file}\n"


def edl(folder: Path, *events: str, drop: bool = False, file: str = "cut.edl") -> Path:
    path = folder / file
    path.write_text(f"TITLE: cut\nFCM: {FCM[drop]}\n\n" + "\n".join(events), "utf-8")
    return path


def shots_in(path: Path, folder: Path | None = None, rate: Fraction | None = None) -> list[Shot]:
    edit = read_edit(path, rate=rate)
    return find_shots(Edit(edit.path, "", edit.timeline, Places(folder)) if folder else edit)


def body(folder: Path, text: str) -> list[Shot]:
    """The shots of an EDL at 25 of the movie 25.mov, beside which it lies; the movie begins at 01:00:00:00."""
    path = folder / "cut.edl"
    path.write_text(f"TITLE: cut\nFCM: NON-DROP FRAME\n\n{text}", "utf-8")
    return find_shots(read_edit(path))


# --- rate ---


@pytest.mark.parametrize(("rate", "drop"), COUNTS)
def test_an_edl_has_the_rate_of_its_media_and_shows_the_frames_that_its_labels_name(
    rate: Fraction, drop: bool, media: Path
) -> None:
    first, start = hour(rate, drop), 7 * hour(rate, drop) // 6
    path = edl(
        media,
        event(1, name(rate, drop), (first + 48, first + 72), (start, start + 24), rate, drop),
        event(2, name(rate, drop), (first + 240, first + 264), (start + 24, start + 48), rate, drop),
        drop=drop,
    )
    one, two = shots_in(path)
    assert (one.rate, one.record, two.record) == (rate, (0, 24), (24, 24))
    assert (numbers_in(media / name(rate, drop), one.frames), two.frames) == (list(range(48, 72)), range(240, 264))
    assert (one.notes, two.notes) == ((), ())
    assert read_edit(path).notes[0].startswith(f"read at {float(rate):.5g} frames/s")


def test_a_rate_that_is_told_comes_before_that_of_the_media(media: Path) -> None:
    path = edl(media, event(1, name(F23), (86448, 86472), (86400, 86424), Fraction(24)))
    (shot,) = shots_in(path, rate=Fraction(24))
    assert (shot.rate, shot.frames) == (24, range(48, 72))
    assert read_edit(path, rate=Fraction(24)).notes == ()


def test_a_told_rate_at_which_a_timecode_does_not_exist_is_refused_with_one_that_fits(media: Path) -> None:
    path = edl(media, event(7, name(Fraction(25)), (90024, 90049), (90024, 90049), Fraction(25)))
    with pytest.raises(SchemaError, match=r"event 007 \(line 4\): '01:00:00:24' is no timecode at 24 .*--rate 25"):
        read_edit(path, rate=Fraction(24))


def test_the_plan_says_at_its_top_which_rate_was_taken_and_why(tmp_path: Path, media: Path, run: Run) -> None:
    path = edl(tmp_path, event(1, "gone.mov", (90000, 90030), (90000, 90030), Fraction(25)))
    status, said, _ = run("timeline", "plan", path, "--no-look")
    assert status == 0
    assert said.startswith(
        "cut.edl: the rate is open: an EDL does not say it, and no media were found that say one. 24"
    )
    status, said, _ = run("timeline", "plan", path, "--no-look", "--rate", "23.976", "--json")
    assert (json.loads(said)["rate"], json.loads(said)["notes"]) == ("24000/1001", [])
    status, said, _ = run("timeline", "plan", path, "--no-look", "--media-root", media, "--json")
    assert "rate is open" in json.loads(said)["notes"][0]


def test_an_edit_that_says_its_rate_refuses_another(tmp_path: Path, run: Run) -> None:
    path = written(timeline([gap(5, 25)], rate=25), tmp_path / "cut.otio")
    assert run("timeline", "plan", path, "--rate", "25")[0] == 0
    status, _, err = run("timeline", "plan", path, "--rate", "24")
    assert status and "runs at 25 frames per second, and --rate says 24" in err


def test_media_of_several_rates_vote_and_the_plan_says_so(media: Path) -> None:
    a, b = name(Fraction(25)), name(Fraction(24))
    events = [
        event(n, f, (90000, 90020), (90000 + 20 * n, 90020 + 20 * n), Fraction(25)) for n, f in enumerate((a, a, b))
    ]
    edit = read_edit(edl(media, *events))
    assert sequence_rate(edit.timeline) == 25
    assert edit.notes[0].endswith("the rate of 2 of 3 media that say one (others: 24); choose another with --rate")


def test_timecodes_outvote_media_that_cannot_be_of_the_edit_s_rate(media: Path) -> None:
    """An edit at 25 of media at 50: the events that pass a second are as long as their sources at 25 alone."""
    path = edl(media, event(1, name(Fraction(50)), (90010, 90040), (90020, 90050), Fraction(25)))
    (shot,) = shots_in(path)
    assert (shot.rate, shot.record) == (25, (0, 30))
    assert list(shot.frames) == list(range(20, 80, 2))


def test_sources_that_are_counted_as_their_media_are_do_not_hide_the_rate_of_the_edit(media: Path) -> None:
    """An edit at 25 whose sources are counted at 50, as their media are."""
    path = edl(
        media,
        "001  AX V C 01:00:00:40 01:00:01:10 01:00:00:00 01:00:00:10\n* FROM CLIP NAME: 50.mov\n",
        "002  AX V C 01:00:02:10 01:00:03:10 01:00:00:10 01:00:01:10\n* FROM CLIP NAME: 50.mov\n",
    )
    one, two = shots_in(path)
    assert (one.rate, one.record, two.record) == (25, (0, 10), (10, 25))
    assert (list(one.frames), list(two.frames)) == (list(range(40, 60, 2)), list(range(110, 160, 2)))


def test_most_short_edls_without_media_are_read_at_their_own_rate(tmp_path: Path) -> None:
    chance, right = Random(5), 0
    for rate in (24, 25, 30, 50):
        for _ in range(25):
            at, events = 3600 * rate, []
            for n in range(5):
                first, length = chance.randrange(80_000 * rate), chance.randrange(10, 120)
                events.append(event(n, "gone.mov", (first, first + length), (at, at + length), Fraction(rate)))
                at += length
            right += sequence_rate(read_edit(edl(tmp_path, *events)).timeline) == rate
    assert right >= 95


@pytest.mark.parametrize("marks", [True, False])
def test_drop_frame_is_known_by_semicolons_and_by_the_fcm_line(marks: bool, media: Path) -> None:
    first = hour(F29, True)
    text = event(1, name(F29, True), (first + 30, first + 60), (first + 1790, first + 1820), F29, True)
    (shot,) = shots_in(edl(media, text if marks else text.replace(";", ":"), drop=True))
    assert (shot.rate, shot.record, shot.frames) == (F29, (0, 30), range(30, 60))


def test_drop_frame_labels_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    line = "001  AX V C 01:00:01;00 01:00:02;00 01:01:00;00 01:01:01;00\n* FROM CLIP NAME: a.mov\n"
    with pytest.raises(SchemaError, match=r"event 001 \(line 4\): .*exist"):
        read_edit(edl(tmp_path, line, drop=True))


@pytest.mark.parametrize("source", ["01:00:02:12 01:00:03:12", "01:00:02:25 01:00:03:25"])
def test_media_at_another_rate_are_found_by_their_labels_in_either_count(source: str, media: Path) -> None:
    """In an edit at 24 the source at 50 is counted as the edit is, or as its media are."""
    text = f"001  AX V C {source} 01:00:00:00 01:00:01:00\n* FROM CLIP NAME: 50.mov\n"
    (shot,) = shots_in(edl(media, text), rate=Fraction(24))
    assert shot.frames[:4] == (125, 127, 129, 131)


def test_media_of_a_neighbouring_rate_are_played_frame_by_frame_with_a_note(media: Path) -> None:
    events = [event(n, name(Fraction(24)), (86410, 86510), (86400 + 100 * n, 86500 + 100 * n), F23) for n in range(2)]
    one, _ = shots_in(edl(media, *events), rate=F23)
    assert one.frames == range(10, 110)
    assert any("played at 23.976" in note for note in one.notes)


# --- speeds ---


@pytest.mark.parametrize(
    ("text", "rate", "speed"),
    [
        ("024.0", F23, 1), ("023.976", F23, 1), ("047.952", F23, 2), ("048.0", F23, 2), ("-024.0", Fraction(24), -1),
        ("010.3", Fraction(24), Fraction(43, 100)), ("012.5", Fraction(25), Fraction(1, 2)), ("000.0", Fraction(25), 0),
        ("025.0", Fraction(24), Fraction(25, 24)), ("8.333333333", Fraction(25), Fraction(3333333333, 10**10)),
        ("014.985", F29, Fraction(1, 2)), ("029.97", F29, 1), ("059.94", F29, 2), ("+30", F29, 1),
    ],
)  # fmt: skip
def test_m2_says_a_speed_in_frames_per_second(text: str, rate: Fraction, speed: Fraction) -> None:
    assert speed_of_m2(text, rate)[0] == speed


@pytest.mark.parametrize(
    ("m2", "source", "record", "frames"),
    [
        ("050.0", "01:00:01:00 01:00:03:00", 25, range(25, 75, 2)),
        ("050.0", "01:00:01:00 01:00:02:00", 25, range(25, 75, 2)),  # as long as the record, as Resolve writes it
        ("012.5", "01:00:01:00 01:00:02:00", 50, [25 + i // 2 for i in range(50)]),
        ("-025.0", "01:00:01:00 01:00:02:00", 25, range(49, 24, -1)),
        ("-025.0", "01:00:02:00 01:00:01:00", 25, range(49, 24, -1)),  # from its last frame to its first
        ("-012.5", "01:00:01:00 01:00:02:00", 50, [49 - i // 2 for i in range(50)]),
        ("000.0", "01:00:01:00 01:00:01:01", 20, [25] * 20),
        ("000.0", "01:00:01:00 01:00:01:20", 20, [25] * 20),
    ],
)
def test_m2_is_followed(m2: str, source: str, record: int, frames: Any, media: Path) -> None:
    end = timecode_of(90000 + record, Fraction(25))
    line = f"001  AX V C {source} 01:00:00:00 {end}\nM2   AX   {m2}      01:00:01:00\n* FROM CLIP NAME: 25.mov\n"
    (shot,) = body(media, line)
    assert list(shot.frames) == list(frames)
    assert shot.notes == ()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("M2   AX   fast      01:00:01:00\n", "its speed is not understood, and 100 % is taken"),
        ("* EFFECT NAME: TIME REMAP\n", "is not followed: there is no M2"),
        ("M2 AX 050.0 01:00:01:00\nM2 AX 025.0 01:00:01:00\n", "has two speeds"),
        ("M2 AX 050.0 01:00:01:12\n", "M2 begins at another frame"),
    ],
)
def test_a_speed_that_cannot_be_followed_is_said_at_the_shot(lines: str, said: str, media: Path) -> None:
    line = f"001  AX V C 01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n{lines}* FROM CLIP NAME: 25.mov\n"
    (shot,) = body(media, line)
    assert any(said in note and "event 001" in note for note in shot.notes)


@pytest.mark.parametrize(
    ("reels", "m2", "said"),
    [
        (("A", "B"), ("M2 A 050.0 01:00:01:00",), ""),
        (("A", "B"), ("M2 B 050.0 01:00:05:00",), "B"),
        (("AX", "AX"), ("M2 AX 025.0 01:00:02:00", "M2 AX 050.0 01:00:05:00"), "B"),
        (("AX", "AX"), ("M2 midnight.mov 050.0 01:00:05:00",), "B"),
        (("AX", "AX"), ("M2 AX 050.0 01:00:05:00",), "B not clear which side"),
    ],
)
def test_the_speed_of_a_transition_is_that_of_the_side_it_names(
    reels: tuple[str, str], m2: tuple[str, ...], said: str, media: Path
) -> None:
    lines = (
        "001  AX V C     01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n* FROM CLIP NAME: 25.mov\n"
        f"002  {reels[0]} V C     01:00:02:00 01:00:02:00 01:00:01:00 01:00:01:00\n"
        f"002  {reels[1]} V D 010 23:59:56:00 23:59:{58 if said else 57}:00 01:00:01:00 01:00:02:00\n"
        + "\n".join(m2) + "\n* FROM CLIP NAME: 25.mov\n* TO CLIP NAME: midnight.mov\n"
    )  # fmt: skip
    a, b = body(media, lines)
    assert (a.frames, b.frames) == (range(25, 60), range(25, 75, 2) if said else range(25, 50))
    assert any("not clear which side" in note for note in b.notes) == ("not clear" in said)


# --- text, midnight, odd records ---

LINE = "001  AX V C 01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n* FROM CLIP NAME: 25.mov\n"


@pytest.mark.parametrize(
    "data",
    [
        LINE.encode("utf-8-sig"), LINE.encode("utf-16"), LINE.encode("utf-16-le"), LINE.encode("utf-16-be"),
        ("TITLE: Größe\n" + LINE).encode("cp1252"), ("TITLE: Größe\n" + LINE).encode(),
        LINE.replace("\n", "\r\n").encode(), LINE.replace("\n", "\r").encode(), (LINE + "\x1a").encode(),
        LINE.replace(" ", "\t").replace("CLIP\tNAME:\t", "CLIP NAME: ").replace("FROM\t", "FROM ").encode(),
        ("* a comment\n>>> SOURCE\n" + LINE).encode(), LINE.replace("AX", "A reel 7").encode(), LINE.replace("001", "000123").encode(),
        LINE.replace("* FROM CLIP NAME: 25.mov", "* FROM CLIP NAME: take 4\n* SOURCE FILE: 25.mov").encode(),
        LINE.replace("AX", "25").replace("* FROM CLIP NAME: 25.mov", "").encode(), LINE.replace(":", ";", 1).encode(),
    ],
)  # fmt: skip
def test_the_text_of_an_edl_is_read_however_it_is_encoded_and_laid_out(data: bytes, media: Path) -> None:
    path = media / "text.edl"
    path.write_bytes(data)
    (shot,) = shots_in(path, rate=Fraction(25))
    assert (shot.media.path, shot.frames, shot.record) == (media / "25.mov", range(25, 50), (0, 25))


def test_a_source_goes_on_after_midnight(media: Path) -> None:
    across, after = body(
        media,
        "001  AX V C 23:59:58:00 00:00:02:00 01:00:00:00 01:00:04:00\n* FROM CLIP NAME: midnight.mov\n"
        "002  AX V C 00:00:01:00 00:00:02:00 01:00:04:00 01:00:05:00\n* FROM CLIP NAME: midnight.mov\n",
    )
    assert (across.frames, after.frames) == (range(75, 175), range(150, 175))


def test_the_timecode_of_matroska_counts_too(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "a.mkv", 60, 25, start="01:00:00:00")
    text = event(1, "a.mkv", (90010, 90020), (90000, 90010), Fraction(25))
    (shot,) = shots_in(edl(tmp_path, text))
    assert (shot.rate, shot.frames) == (25, range(10, 20))


def test_the_record_goes_on_after_midnight(media: Path) -> None:
    shots = body(
        media,
        "001  AX V C 01:00:01:00 01:00:02:00 23:59:59:00 00:00:00:00\n* FROM CLIP NAME: 25.mov\n"
        "002  AX V C 01:00:03:00 01:00:05:00 00:00:00:00 00:00:02:00\n* FROM CLIP NAME: 25.mov\n",
    )
    assert [(shot.record, shot.frames) for shot in shots] == [((0, 25), range(25, 50)), ((25, 50), range(75, 125))]


def test_fades_are_transitions_from_and_to_black(media: Path) -> None:
    edit_text = (
        "001  BL V C     00:00:00:00 00:00:00:00 01:00:00:00 01:00:00:00\n"
        "001  AX V D 012 01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n* TO CLIP NAME: 25.mov\n"
        "002  AX V C     01:00:02:00 01:00:02:00 01:00:01:00 01:00:01:00\n"
        "002  BL V D 010 00:00:00:00 00:00:01:00 01:00:01:00 01:00:02:00\n* FROM CLIP NAME: 25.mov\n"
    )
    shot, black = body(media, edit_text)
    assert (shot.frames, shot.record, shot.transitions) == (range(25, 60), (0, 35), (0, 10))
    assert black.media.path is None


def test_the_first_line_of_a_transition_may_be_a_piece_of_its_own(media: Path) -> None:
    text = (
        "001  AX V C     01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n"
        "001  BX V D 010 01:00:05:00 01:00:06:00 01:00:01:00 01:00:02:00\n"
        "* FROM CLIP NAME: 25.mov\n* TO CLIP NAME: midnight.mov\n"
    )
    a, b = body(media, text)
    assert (a.frames, a.media.path, b.media.path) == (range(25, 60), media / "25.mov", media / "midnight.mov")


@pytest.mark.parametrize(
    ("source", "record", "frames", "said"),
    [
        ("01:00:01:00 01:00:02:01", "01:00:00:00 01:00:01:00", range(25, 50), "26 and 25 frames; 25 are taken"),
        ("01:00:01:00 01:00:01:20", "01:00:00:00 01:00:01:00", range(25, 50), "20 and 25 frames; 25 are taken"),
        ("01:00:01:00 01:00:02:00", "01:00:01:00 01:00:00:20", range(25, 50), "its record ends too early"),
        ("01:00:01:00 01:00:02:00", "01:00:01:00 01:00:01:00", range(25, 50), "its record ends too early"),
    ],
)
def test_lengths_that_do_not_agree_are_read_and_said_at_the_event(
    source: str, record: str, frames: range, said: str, media: Path
) -> None:
    (shot,) = body(media, f"004  AX V C {source} {record}\n* FROM CLIP NAME: 25.mov\n")
    assert shot.frames == frames
    assert [note for note in shot.notes if "event 004" in note and said in note]


def test_a_record_that_ends_too_early_goes_on_to_the_next_event(media: Path) -> None:
    a, b = body(
        media,
        "001  AX V C 01:00:01:00 01:00:02:00 01:00:00:00 01:00:00:24\n* FROM CLIP NAME: 25.mov\n"
        "002  AX V C 01:00:03:00 01:00:04:00 01:00:01:00 01:00:02:00\n* FROM CLIP NAME: 25.mov\n",
    )
    assert (a.record, a.frames, b.record) == ((0, 25), range(25, 50), (25, 25))
    assert "ends too early" in a.notes[0]


@pytest.mark.parametrize("own", [Fraction(25), Fraction(24), Fraction(30), Fraction(60), Fraction(5)])
def test_a_source_of_another_rate_is_as_long_as_its_record_whatever_gap_follows(own: Fraction, media: Path) -> None:
    if own not in (24, 25):
        numbered_movie(media / f"{own}.mov", LENGTH, own, start="01:00:00:00")
    file, zero = ("plain.mov", 0) if own == 24 else (f"{own}.mov", 3600 * own)
    for length, wait in ((12, 1), (1, 4), (13, 13), (79, 1), (50, 2), (24, 24)):
        first = clip(file, float((zero + 100) / own * F23), length, F23, available=span(float(zero), LENGTH, own))
        items = [first, gap(wait, F23), clip(name(F23), 86500, 12, F23)]
        before, after, _ = again(timeline(items, rate=F23, start=0), media, media)
        assert seen(before) == seen(after), (length, wait)
        assert not any(shot.notes for shot in after)


def test_a_source_counted_as_its_media_of_another_rate_does_not_end_too_early(media: Path) -> None:
    a, b = shots_in(
        edl(
            media,
            "001  AX V C 01:00:04:00 01:00:04:13 00:00:00:00 00:00:00:12\n* FROM CLIP NAME: 25.mov\n",
            "002  AX V C 01:00:04:04 01:00:04:16 00:00:00:13 00:00:01:01\n* FROM CLIP NAME: 24.mov\n",
        ),
        rate=Fraction(24),
    )
    assert (a.record, a.frames[0], b.record, a.notes) == ((0, 12), 100, (13, 12), ())


def test_a_source_of_drop_frame_media_is_counted_as_such_where_the_record_is_not(media: Path) -> None:
    numbered_movie(media / "minute.mov", LENGTH, F29, start="01:00:55;00")
    source = "01:00:58;00 01:01:02;02"  # 120 frames: a minute leaves out two labels
    for mark in (";", ":"):
        told = source.replace(";", mark)
        a, _ = shots_in(
            edl(
                media,
                f"001  AX V C {told} 00:00:00:00 00:00:04:00\n* FROM CLIP NAME: minute.mov\n",
                f"002  AX V C 01:00:04:00 01:00:05:00 00:00:04:02 00:00:05:02\n* FROM CLIP NAME: {name(F29)}\n",
            ),
            rate=F29,
        )
        assert (a.record, a.frames, a.notes) == ((0, 120), range(90, 210), ())


def test_events_that_show_nothing_are_named(media: Path) -> None:
    text = LINE + (
        "007  AX NONE C 01:00:01:00 01:00:02:00 01:00:02:00 01:00:03:00\n"
        "008  AX V    C 01:00:01:00 01:00:02:00 01:00:03:00 01:00:03:00\nM2 AX 050.0 01:00:01:00\n"
    )
    assert len(body(media, text)) == 1
    assert read_edit(media / "cut.edl").notes[1:] == (
        "event 007 has no channel, and is left out",
        "event 008 has no length in the record, and is left out",
    )


def test_events_that_are_recorded_over_others_lie_on_a_track_above_and_nothing_is_lost(media: Path) -> None:
    shots = body(
        media,
        "001  AX V C 01:00:01:00 01:00:03:00 01:00:00:00 01:00:02:00\n* FROM CLIP NAME: 25.mov\n"
        "002  AX V C 01:00:05:00 01:00:06:00 01:00:00:20 01:00:01:20\n* FROM CLIP NAME: 25.mov\n"
        "003  AX V C 01:00:07:00 01:00:08:00 01:00:02:00 01:00:03:00\n* FROM CLIP NAME: 25.mov\n",
    )
    assert [(s.id, s.record) for s in shots] == [("V1-0001", (0, 50)), ("V1-0002", (50, 25)), ("V2-0001", (20, 25))]
    assert "event 002 is recorded over another" in shots[2].notes[0]


def test_events_of_one_number_keep_their_own_comments(media: Path) -> None:
    again = LINE.replace("25.mov", "midnight.mov").replace("01:00:00:00 01:00:01:00", "01:00:01:00 01:00:02:00")
    a, b = body(media, LINE + again)
    assert (a.media.path, b.media.path) == (media / "25.mov", media / "midnight.mov")


def test_channels_are_tracks_and_locators_cast_in_drop_frame_too(media: Path) -> None:
    first = hour(F29, True)
    text = event(1, name(F29, True), (first, first + 10), (first, first + 10), F29, True).replace(" V  ", " AA/V")
    path = edl(media, text + "* LOC: 01:00:00;05 RED     FACE target=Ben source=Ann\n", drop=True)
    edit = read_edit(path)
    assert [(t.name, t.kind) for t in edit.timeline.tracks] == [("V", "Video"), ("A1", "Audio"), ("A2", "Audio")]
    (shot,) = find_shots(edit)
    assert [(c.target, c.source) for c in shot.cast] == [("Ben", "Ann")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("TITLE: x\n", "it has no events"),
        ("001  AX V C 01:00:00:00 nonsense\n", "line 1.* is no event"),
        ("001  AX V C 01:00:00:00 01:00:01:00 01:00:00:00\n", "line 1.* is no event"),
        ("001  AX V X 01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00\n", "line 1.* is no event"),
        ("001  AX V C 01:00:00:00 01:00:01:00 01:00:00:130 01:00:01:00\n", "event 001"),
        ("001  AX V C 01:70:00:00 01:71:00:00 01:00:00:00 01:00:01:00\n", "event 001"),
        ("001  AX V C 01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00\n* FACEPLATE RATE: none\n", "is no such number"),
    ],
)
def test_what_is_no_edl_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "cut.edl").write_text(text, "utf-8")
    with pytest.raises(SchemaError, match=f"cut.edl: .*{said}"):
        read_edit(tmp_path / "cut.edl")


# --- what is written is what is read ---


def again(made: Any, folder: Path, media: Path) -> tuple[list[Shot], list[Shot], str]:
    """The shots of a timeline, those of the EDL that is written of it, and its text."""
    path = folder / "again.edl"
    path.unlink(missing_ok=True)
    write_document(path, json.loads(made.to_json_string()), Places(media))
    return find_shots(Edit(folder / "x.otio", "", made, Places(media))), find_shots(read_edit(path)), path.read_text()


@st.composite
def events_of(draw: st.DrawFn, rate: Fraction, drop: bool) -> tuple[list[str], list[list[int]]]:
    """Events at random with speeds, and the frames that each shows."""
    first, at = hour(rate, drop), draw(st.integers(0, frames_per_day(rate, drop=drop) - 1))
    lines, frames = [], []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        length, begin = draw(st.integers(1, 60)), draw(st.integers(0, LENGTH - 130))
        speed = draw(st.sampled_from([1, 1, 1, 2, -1, Fraction(1, 2), 0]))
        count = max(1, -int(-abs(speed) * length // 1)) if speed else 1
        shown = [begin + int((abs(speed) * k - Fraction(1, 2)).__ceil__()) for k in range(length)]
        at += draw(st.sampled_from([0, 0, 7]))
        m2 = "" if speed == 1 else f"{'-' if speed < 0 else ''}{float(abs(speed) * round(rate)):05.1f}"
        lines.append(
            event(number, name(rate, drop), (first + begin, first + begin + count), (at, at + length), rate, drop, m2)
        )
        frames.append(shown[::-1] if speed < 0 else shown)
        at += length
    return lines, frames


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize(("rate", "drop"), COUNTS)
def test_random_events_show_the_frames_that_they_name(
    rate: Fraction, drop: bool, data: st.DataObject, media: Path
) -> None:
    lines, frames = data.draw(events_of(rate, drop))
    shots = shots_in(edl(media, *lines, drop=drop))
    assert [list(shot.frames) for shot in shots] == frames
    assert {shot.rate for shot in shots} == {rate}


def seen(shots: list[Shot]) -> list[tuple[Any, ...]]:
    """Where each shot lies, and the frames that it shows of media that are there."""
    return [(s.record, s.media.path, list(s.frames) if s.media.path else s.media.url) for s in shots]


@st.composite
def cuts_of(draw: st.DrawFn, rate: Fraction, drop: bool) -> Any:
    """A timeline of one track at random, whose media are there or not, with speeds and dissolves."""
    items: list[Any] = []
    for _ in range(draw(st.integers(1, 5))):
        length, begin = draw(st.integers(12, 40)), draw(st.integers(100, LENGTH - 150))
        speed = draw(st.sampled_from([None, None, None, 2.0, 0.5, -1.0, 0.0, 0.43, 1.25]))
        if items and draw(st.booleans()) and isinstance(items[-1], otio.schema.Clip):
            items.append(dissolve(draw(st.integers(0, 5)), draw(st.integers(0, 5)), rate))
        elif draw(st.integers(0, 4)) == 0:
            items.append(gap(draw(st.integers(1, 30)), rate))
        # The media of the edit's rate, some of another, some that do not say their timecode, and some that are not there.
        files = [(name(rate, drop), rate, hour(rate, drop)), (name(Fraction(25)), Fraction(25), 90000)]
        files += [("plain.mov", Fraction(24), 1000), ("gone.mov", rate, hour(rate, drop))]
        file, own, zero = draw(st.sampled_from([files[0], *files]))
        start = float((zero + Fraction(begin)) / own * rate)
        items.append(clip(file, start, length, rate, available=span(zero, LENGTH, own), speed=speed))
    made = timeline(items, rate=rate, start=draw(st.integers(0, frames_per_day(rate, drop=drop) - 1)))
    if drop:
        made.metadata["cmx_3600"] = {"drop": True}
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize(("rate", "drop"), COUNTS)
def test_random_edits_written_as_edl_show_the_same_frames(
    rate: Fraction, drop: bool, data: st.DataObject, media: Path
) -> None:
    made = data.draw(cuts_of(rate, drop))
    before, after, text = again(made, media, media)
    assert seen(before) == seen([shot for shot in after if shot.media.url])
    assert {s.rate for s in after} == {rate}
    assert (";" in text) == drop
