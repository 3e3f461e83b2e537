"""The frames that a shot shows are those that the document means: told by numbers burnt into the pictures."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime

from host_bridge.timeline.shots.shot import Shot
from host_bridge.timeline.shots.warp import Curve, keys_of
from tests.support.cuts import clip, dissolve, gap, shots_of, span, timeline
from tests.support.numbered import numbered_images, numbered_movie, numbers_in

F23, F29, F59 = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
RATES = [F23, Fraction(24), Fraction(25), F29, Fraction(50), F59]
SPELT = {F23: 23.976024627685547, F29: 29.97, F59: 59.94005994005994}
FRAMES = 60


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("movies")


def movie(folder: Path, rate: Fraction) -> Path:
    """A movie of 60 numbered frames with a timecode of one hour, made once."""
    path = folder / f"{rate.numerator}_{rate.denominator}.mov"
    return path if path.exists() else numbered_movie(path, FRAMES, rate, start=round(rate) * 3600)


def shown(shot: Shot) -> list[int]:
    """The numbers in the frames of media that a shot shows."""
    assert shot.media.path is not None
    return numbers_in(shot.media.path, shot.frames)


def on_screen(first: Fraction, count: int, sequence: Fraction, media: Fraction, speed: Fraction) -> list[int]:
    """The same by search: the media frame whose beginning is nearest to where each frame of the sequence begins."""
    found = []
    for i in range(count):
        place = first + i * speed * media / sequence
        found.append(min(range(FRAMES), key=lambda m: (abs(m - place), m)))
    return found


@pytest.mark.parametrize("spelt", [False, True], ids=["exact", "as others spell it"])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_clip_at_the_rate_of_its_media_shows_frame_after_frame(
    rate: Fraction, spelt: bool, movies: Path, tmp_path: Path
) -> None:
    said, origin = SPELT.get(rate, float(rate)) if spelt else float(rate), round(rate) * 3600
    media = movie(movies, rate)
    made = timeline([clip(media, origin + 10, 30, said, available=span(origin, FRAMES, said))], rate=said)
    (shot,) = shots_of(made, tmp_path)
    assert (shot.rate, shot.media.rate, shot.media.start, shot.media.frames) == (rate, rate, origin, FRAMES)
    assert shown(shot) == list(range(10, 40))
    assert shot.frames == range(10, 40)


@pytest.mark.parametrize("pair", [p for p in itertools.product(RATES, RATES) if p[0] != p[1]], ids=str)
def test_media_of_another_rate_show_what_is_on_at_each_instant(
    pair: tuple[Fraction, Fraction], movies: Path, tmp_path: Path
) -> None:
    sequence, rate = pair
    origin = Fraction(round(rate) * 3600) / rate  # seconds
    count = int(40 * sequence / rate)
    # Resolve: the range begins at the media's timecode, at the sequence's rate, and so may be fractional
    start = (origin + 8 / rate) * sequence
    media = movie(movies, rate)
    available = span(round(rate) * 3600, FRAMES, rate)
    (shot,) = shots_of(
        timeline([clip(media, float(start), count, sequence, available=available)], rate=sequence), tmp_path
    )
    assert shown(shot) == on_screen(Fraction(8), count, sequence, rate, Fraction(1))


@pytest.mark.parametrize(
    ("speed", "expected"),
    [
        (0.5, [20, 20, 21, 21, 22, 22, 23, 23, 24, 24]),
        (2.0, [20, 22, 24, 26, 28, 30, 32, 34, 36, 38]),
        (-1.0, [29, 28, 27, 26, 25, 24, 23, 22, 21, 20]),
        (0.43, [20, 20, 21, 21, 22, 22, 23, 23, 23, 24]),
        (-0.5, [24, 24, 23, 23, 22, 22, 21, 21, 20, 20]),
        (-2.0, [38, 36, 34, 32, 30, 28, 26, 24, 22, 20]),
        (0.0, [20] * 10),
        (1 / 3, [20, 20, 21, 21, 21, 22, 22, 22, 23, 23]),
    ],
)
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_retimed_clip_shows_each_frame_as_long_as_its_speed_says(
    rate: Fraction, speed: float, expected: list[int], movies: Path, tmp_path: Path
) -> None:
    origin = round(rate) * 3600
    made = clip(movie(movies, rate), origin + 20, 10, rate, available=span(origin, FRAMES, rate), speed=speed)
    (shot,) = shots_of(timeline([made], rate=rate), tmp_path)
    assert shown(shot) == expected
    assert shot.span == (min(expected), max(expected))


def test_a_freeze_frame_shows_the_first_frame_of_its_range(movies: Path, tmp_path: Path) -> None:
    media, freeze = movie(movies, Fraction(25)), otio.schema.FreezeFrame()
    (shot,) = shots_of(timeline([clip(media, 90017, 12, 25, effects=[freeze])]), tmp_path)
    assert shown(shot) == [17] * 12


def test_a_reversed_clip_whose_range_begins_at_its_last_frame_is_read_so_where_nothing_follows(
    movies: Path, tmp_path: Path
) -> None:
    media = movie(movies, Fraction(25))
    (shot,) = shots_of(timeline([clip(media, 90059, 20, 25, speed=-1.0)]), tmp_path)
    assert shown(shot) == list(range(59, 39, -1))
    assert any("reversed" in note for note in shot.notes)


@pytest.mark.parametrize(
    ("start", "timecode"),
    [(0, None), (90000, "01:00:00:00"), (1800, "00:01:12:00")],
    ids=["no timecode", "an hour", "a minute and some"],
)
def test_where_the_document_says_no_range_the_timecode_in_the_file_counts(
    start: int, timecode: str | None, tmp_path: Path
) -> None:
    media = numbered_movie(tmp_path / "a.mov", 30, 25, start=timecode)
    (shot,) = shots_of(timeline([clip(media, start + 5, 10, 25)]), tmp_path)
    assert shot.media.start == start
    assert shown(shot) == list(range(5, 15))


def test_drop_frame_timecode_counts_its_dropped_numbers(tmp_path: Path) -> None:
    media = numbered_movie(tmp_path / "a.mov", 30, F29, start="01:00:00;00")
    begin = 107892  # one hour of drop-frame timecode at 29.97
    (shot,) = shots_of(timeline([clip(media, begin + 3, 10, 29.97)], rate=29.97), tmp_path)
    assert shot.media.start == begin
    assert shown(shot) == list(range(3, 13))


def test_a_document_that_counts_from_the_first_frame_is_understood_though_the_file_has_a_timecode(
    movies: Path, tmp_path: Path
) -> None:
    (shot,) = shots_of(timeline([clip(movie(movies, Fraction(25)), 5, 10, 25)]), tmp_path)
    assert shown(shot) == list(range(5, 15))


def test_a_clip_without_a_range_shows_all_of_its_media(movies: Path, tmp_path: Path) -> None:
    whole = clip(movie(movies, Fraction(25)), 0, 0, 25)
    whole.source_range = None
    (shot,) = shots_of(timeline([whole]), tmp_path)
    assert shown(shot) == list(range(FRAMES))


def test_footage_that_the_editor_plays_at_another_rate_keeps_its_frames(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, F23)  # conformed: its 60 frames are counted as 60 at 25
    (shot,) = shots_of(timeline([clip(media, 90010, 10, 25, available=span(90000, FRAMES, 25))]), tmp_path)
    assert shown(shot) == list(range(10, 20))
    assert any("played at 25" in note for note in shot.notes)


def test_an_image_sequence_is_read_by_the_numbers_of_its_files(tmp_path: Path) -> None:
    pattern = numbered_images(tmp_path / "plate", 40, first=990)
    reference = otio.schema.ImageSequenceReference(
        target_url_base=f"{pattern.parent}/", name_prefix="plate.", name_suffix=".png", start_frame=1001,
        frame_zero_padding=4, rate=25, available_range=span(1001, 29, 25),
    )  # fmt: skip
    made = otio.schema.Clip("plate", reference, span(1005, 10, 25))
    (shot,) = shots_of(timeline([made]), tmp_path)
    assert shown(shot) == list(range(1005, 1015))
    assert shot.media.start + shot.frames[0] == 1005


def test_frames_outside_of_the_media_hold_its_ends_and_are_reported(movies: Path, tmp_path: Path) -> None:
    (shot,) = shots_of(timeline([clip(movie(movies, Fraction(25)), 90050, 20, 25)]), tmp_path)
    assert shown(shot) == [*range(50, 60), *[59] * 10]
    assert any("10 of 20 frames lie outside" in note for note in shot.notes)


def test_a_transition_is_part_of_both_shots(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    first, second = clip(media, 90000, 20, 25), clip(media, 90030, 20, 25)
    a, b = shots_of(timeline([gap(7, 25), first, dissolve(4, 6, 25), second]), tmp_path, handles=3)
    assert (a.record, a.transitions, shown(a)) == ((7, 26), (0, 6), list(range(26)))
    assert (b.record, b.transitions, shown(b)) == ((23, 24), (4, 0), list(range(26, 50)))
    assert (a.span, b.span) == ((0, 28), (23, 52))


def test_a_transition_of_a_retimed_clip_goes_on_at_its_speed(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    a, b = shots_of(
        timeline([clip(media, 90000, 10, 25, speed=2.0), dissolve(2, 3, 25), clip(media, 90030, 10, 25, speed=-1.0)]),
        tmp_path,
    )
    assert shown(a) == list(range(0, 26, 2))
    assert shown(b) == list(range(41, 29, -1))


def stack_of(
    *tracks: list[object], start: float = 0, count: float | None = None, rate: float = 25
) -> otio.schema.Stack:
    made = otio.schema.Stack("compound", source_range=None if count is None else span(start, count, rate))
    for children in tracks:
        track = otio.schema.Track(kind="Video")
        track.extend(children)
        made.append(track)
    return made


def test_a_compound_clip_shows_the_part_of_it_that_is_used(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    inside = stack_of([clip(media, 90000, 20, 25), clip(media, 90040, 20, 25)], start=15, count=10)
    a, b = shots_of(timeline([gap(100, 25), inside]), tmp_path)
    assert (a.id, a.where, a.record, shown(a)) == ("V1-0001.V1-0001", (0, 1, 0, 0), (100, 5), [15, 16, 17, 18, 19])
    assert (b.id, b.where, b.record, shown(b)) == ("V1-0001.V1-0002", (0, 1, 0, 1), (105, 5), [40, 41, 42, 43, 44])


def test_speeds_of_a_compound_clip_and_of_what_is_in_it_multiply(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    inside = stack_of([clip(media, 90000, 10, 25, speed=0.5), clip(media, 90040, 20, 25)], count=15)
    inside.effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    a, b = shots_of(timeline([inside]), tmp_path)
    assert (a.record, shown(a)) == ((0, 5), [0, 1, 2, 3, 4])
    assert (b.record, shown(b)) == ((5, 10), [40, 42, 44, 46, 48, 50, 52, 54, 56, 58])


def test_a_reversed_compound_clip_plays_its_clips_backwards(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    inside = stack_of([clip(media, 90000, 5, 25), clip(media, 90040, 5, 25)], count=10)
    inside.effects.append(otio.schema.LinearTimeWarp(time_scalar=-1.0))
    a, b = shots_of(timeline([inside]), tmp_path)
    assert (a.record, shown(a)) == ((5, 5), [4, 3, 2, 1, 0])
    assert (b.record, shown(b)) == ((0, 5), [44, 43, 42, 41, 40])


def test_stacks_in_stacks_are_followed_to_the_frame(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    deepest = stack_of([gap(3, 25), clip(media, 90000, 30, 25)], start=5, count=20)
    middle = stack_of([clip(media, 90050, 5, 25)], [gap(2, 25), deepest], start=1, count=18)
    shots = shots_of(timeline([gap(10, 25), middle]), tmp_path)
    found = {shot.id: (shot.record, shown(shot)) for shot in shots}
    assert found == {
        "V1-0001.V1-0001": ((10, 4), [51, 52, 53, 54]),
        "V1-0001.V2-0001.V1-0001": ((11, 17), list(range(2, 19))),
    }


def test_a_compound_clip_that_counts_from_an_hour_of_timecode_is_understood(movies: Path, tmp_path: Path) -> None:
    inside = stack_of([clip(movie(movies, Fraction(25)), 90000, 20, 25)], start=90005, count=10)
    (shot,) = shots_of(timeline([inside]), tmp_path)
    assert shown(shot) == list(range(5, 15))
    assert any("whole hour" in note for note in shot.notes)


def ramp(*keys: tuple[float, ...]) -> otio.schema.TimeEffect:
    rows = [[k[0], k[1], len(k) > 2, *(k[2:] or (0.0, 0.0, 0.0, 0.0))] for k in keys]
    return otio.schema.TimeEffect(metadata={"Resolve_OTIO": {"Key Frames": rows, "Speed Ratio": 0.5}})


def test_a_speed_ramp_with_keys_is_followed_frame_by_frame(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    effect = ramp((0, 0), (0.4, 0.4), (1.2, 0.6), (2.8, 2.2))  # 10 frames at 100 %, 20 at 25 %, the rest at 100 %
    made = clip(media, 90000, 50, 25, available=span(90000, FRAMES, 25), effects=[effect])
    (shot,) = shots_of(timeline([made]), tmp_path)
    slow = [10 + (i + 1) // 4 if i % 4 != 2 else 10 + i // 4 for i in range(20)]
    assert shown(shot) == [*range(10), *slow, *range(15, 35)]
    assert not shot.notes


def test_an_eased_ramp_follows_its_tangents(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    straight = ramp((0, 0), (0.8, 0.2), (1.6, 1.0), (2.4, 1.8))
    eased = ramp((0, 0), (0.8, 0.2, -0.4, -0.02, 0.4, 0.02), (1.6, 1.0, -0.4, -0.3, 0.4, 0.3), (2.4, 1.8))
    a, b = shots_of(
        timeline([clip(media, 90000, 60, 25, effects=[straight]), clip(media, 90000, 60, 25, effects=[eased])]),
        tmp_path,
    )
    assert [b.frames[i] for i in (0, 20, 40)] == [a.frames[i] for i in (0, 20, 40)] == [0, 5, 25]  # the keys
    assert b.frames[26] < a.frames[26]  # slower where the tangent is flat
    assert list(b.frames) == sorted(b.frames)
    # by Bézier's definition, half-way between the second key and the third: (0.2 + 3 · 0.22 + 3 · 0.7 + 1) / 8 = 0.495 s
    assert b.frames[30] == 12


def test_an_eased_ramp_is_where_resolve_was_seen_to_be() -> None:
    """Keys of a ramp that others rendered in Resolve Studio 21.0.2, which showed second 2.4 at second 18."""
    effect = ramp(
        (0, 0), (12, 1.2, -1.898, -0.3796, 1.898, 0.0), (24, 4.8, -1.898, -1.5, 1.898, 0.7592),
        (36, 10.8, -1.898, -1.1388, 1.898, 1.1388), (59.98, 29.982),
    )  # fmt: skip
    curve = Curve(keys_of(effect))
    assert float(curve(Fraction(18))) == pytest.approx(2.438, abs=0.002)
    assert float(curve.inverse(curve(Fraction(18)))) == pytest.approx(18, abs=1e-6)


def test_a_time_effect_that_says_nothing_is_reported(movies: Path, tmp_path: Path) -> None:
    effect = otio.schema.TimeEffect(name="Optical")
    (shot,) = shots_of(timeline([clip(movie(movies, Fraction(25)), 90000, 10, 25, effects=[effect])]), tmp_path)
    assert shown(shot) == list(range(10))
    assert shot.notes == ("time effect 'Optical' is not followed",)


def test_disabled_clips_and_tracks_are_known_as_such(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    made = timeline([clip(media, 90000, 10, 25), clip(media, 90000, 10, 25)], [clip(media, 90000, 5, 25)])
    made.tracks[0][0].enabled = made.tracks[1].enabled = False
    assert [(s.id, s.enabled) for s in shots_of(made, tmp_path)] == [
        ("V1-0001", False), ("V1-0002", True), ("V2-0001", False),
    ]  # fmt: skip


def test_cuts_that_fall_between_frames_leave_no_frame_out_and_none_twice(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(24))  # lengths counted at the media's rate, as other writers do
    children = [clip(media, 86400, n, 24) for n in (7, 11, 13, 4)]
    shots = shots_of(timeline(children, rate=25), tmp_path)
    ends = [shot.record[0] + shot.record[1] for shot in shots]
    assert [shot.record[0] for shot in shots] == [0, *ends[:-1]]
    assert ends[-1] == round(35 / 24 * 25)


def test_the_rate_of_an_edit_without_a_start_is_that_of_most_of_its_items(movies: Path, tmp_path: Path) -> None:
    media = movie(movies, Fraction(25))
    made = timeline([clip(media, 90000, 10, 25), clip(media, 90000, 10, 25), clip(media, 172800, 10, 48)])
    made.global_start_time = None
    assert shots_of(made, tmp_path)[0].rate == 25
    made.global_start_time = RationalTime(0, 23.98)
    assert shots_of(made, tmp_path)[0].rate == F23
