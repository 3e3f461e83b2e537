"""FCPXML as Final Cut Pro and Resolve write it: every clip shows its own frames, however it is nested, connected or retimed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.shots.find import find_shots
from nodes.errors import SchemaError
from tests.support.fcpxmls import HOUR, NTSC, clip, document, media, shots, shown, t, time_map
from tests.support.numbered import numbered_movie, numbers_in

RATES = (NTSC, 24, 25, Fraction(30000, 1001), 30, 50, Fraction(60000, 1001), 60)
X = HOUR + 10


def run(first: int, count: int, step: int = 1) -> list[int]:
    return list(range(first, first + count * step, step))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("start", [0, HOUR])
def test_clips_at_every_rate_show_their_frames_to_the_last_hour(rate: Fraction, start: int, tmp_path: Path) -> None:
    far = start + 20 * HOUR  # a drift of 1 in 10000 would show
    made = document(
        clip(far, X, 24, rate=rate) + clip(far + 24, X + 100, 7, rate=rate, name="B"), rate=rate, start=start
    ).replace("<spine>", f'<spine><gap offset="{t(start, rate)}" duration="{t(far - start, rate)}"/>')
    a, b = shots(tmp_path, made)
    assert (a.rate, a.record, a.frames, a.media.start) == (rate, (20 * HOUR, 24), range(10, 34), HOUR)
    assert (b.record, b.frames, b.media.rate) == ((20 * HOUR + 24, 7), range(110, 117), rate)


def test_a_timecode_that_is_no_whole_frame_leaves_the_rate_alone(tmp_path: Path) -> None:
    made = document(clip(0, X, 10, offset="3600s") + clip(10, X, 5, offset="")).replace(
        'tcStart="0/1s"', 'tcStart="3600s"'
    )
    assert "3600s" in made
    a, b = shots(tmp_path, made)
    assert (a.rate, a.record, b.record, list(b.frames)) == (NTSC, (0, 10), (10, 5), run(10, 5))


@pytest.mark.parametrize("version", ["1.5", "1.8", "1.9", "1.13"])
def test_media_are_found_as_every_version_names_them(version: str, tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "a b.mov", 30, NTSC, start="01:00:00:00")
    asset = media(frames=30, src=movie.as_uri())
    if version < "1.9":
        asset = (
            asset.split("<media-rep")[0].replace('hasVideo="1"', f'hasVideo="1" src="{movie.as_uri()}"') + "</asset>"
        )
    (shot,) = shots(tmp_path, document(clip(0, X, 12), asset, version=version))
    assert numbers_in(shot.media.path or Path(), shot.frames) == run(10, 12)
    assert shot.notes == ()


def test_a_bundle_is_read_with_media_beside_its_document(tmp_path: Path) -> None:
    bundle = tmp_path / "cut.fcpxmld"
    numbered_movie(bundle / "Media" / "a.mov", 30, 25)
    (bundle / "Info.fcpxml").write_text(
        document(clip(0, 3, 5, rate=25), media(start=0, rate=25, src="./Media/a.mov"), rate=25)
    )
    edit = read_edit(bundle)
    (shot,) = find_shots(edit)
    assert numbers_in(shot.media.path or Path(), shot.frames) == run(3, 5)
    assert edit.digest == read_edit(bundle).digest
    (bundle / "Info.fcpxml").unlink()
    with pytest.raises(SchemaError, match=r"Info\.fcpxml"):
        read_edit(bundle)


def test_a_missing_original_is_replaced_by_its_proxy_with_a_note(tmp_path: Path) -> None:
    proxy = numbered_movie(tmp_path / "proxy.mov", 30, NTSC)
    asset = media().replace("</asset>", f'<media-rep kind="proxy-media" src="{proxy.as_uri()}"/></asset>')
    (shot,) = shots(tmp_path, document(clip(0, X, 5), asset))
    assert shot.media.path == proxy and any("'proxy' is used" in note for note in shot.notes)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("FFVideoFormat1080p2398", NTSC), ("FFVideoFormat3840x2160p24", 24), ("FFVideoFormatDV720x576i50_16x9", 25), ("FFVideoFormat1080i5994", Fraction(30000, 1001)),
        ("FFVideoFormat720p50", 50), ("FFVideoFormat720p5994", Fraction(60000, 1001)),
    ],
)  # fmt: skip
def test_a_format_without_a_frame_duration_has_the_rate_of_its_name(name: str, rate: Fraction, tmp_path: Path) -> None:
    made = document(clip(0, X, 5, rate=rate), rate=rate).replace(
        f'<format id="seq" frameDuration="{t(1, rate)}"/>', f'<format id="seq" name="{name}"/>'
    )
    (shot,) = shots(tmp_path, made)
    assert (shot.rate, shot.record) == (rate, (0, 5))


# --- speeds ---


@pytest.mark.parametrize(
    ("points", "start", "expected"),
    [
        # 200 %, 50 %, -100 %, and -50 %, as Final Cut counts them: its own time is the content's over the speed.
        ([(HOUR / 2, HOUR), (HOUR / 2 + 200, HOUR + 400)], HOUR / 2 + 5, run(10, 8, 2)),
        ([(HOUR * 2, HOUR), (HOUR * 2 + 800, HOUR + 400)], HOUR * 2 + 20, [10, 10, 11, 11, 12, 12, 13, 13]),
        ([(HOUR, HOUR + 400), (HOUR + 400, HOUR)], HOUR + 10, run(389, 8, -1)),
        ([(HOUR, HOUR + 400), (HOUR + 800, HOUR)], HOUR + 20, [389, 389, 388, 388, 387, 387, 386, 386]),
        # A frame held.
        ([(HOUR, HOUR + 30), (HOUR + 50, HOUR + 30)], HOUR + 10, [30] * 8),
        # Forwards, held, and backwards again, in one clip.
        ([(HOUR, HOUR), (HOUR + 13, HOUR + 13), (HOUR + 15, HOUR + 13), (HOUR + 30, HOUR - 2)], HOUR + 10, [10, 11, 12, 13, 13, 12, 11, 10]),
        # A tenth faster: the earlier of two frames, as Final Cut shows it.
        ([(0, HOUR), (400, HOUR + 440)], 10, [11, 12, 13, 14, 15, 16, 17, 18]),
        ([(0, HOUR), (400, HOUR + 350)], 8, [7, 7, 8, 9, 10, 11, 12, 13]),
    ],
)  # fmt: skip
def test_time_maps_are_followed_frame_by_frame(
    points: list[tuple[int, int]], start: int, expected: list[int], tmp_path: Path
) -> None:
    (shot,) = shots(tmp_path, document(clip(0, start, 8, time_map(*points))))
    assert list(shot.frames) == expected
    assert not any("not followed" in note for note in shot.notes)


def test_an_eased_ramp_is_followed_to_the_frame_that_final_cut_shows(tmp_path: Path) -> None:
    """Keys, easing and frames as measured in Final Cut Pro 12 by the makers of another tool, at 30 frames a second."""
    keys = [
        ("0", "0", ""), ("449.4990234375", "393.3125", "1"), ("898.998046875", "674.25", "1"), ("1348.4970703125", "842.8125", "1"), ("1797.998046875", "899", ""),
    ]  # fmt: skip
    points = "".join(
        f'<timept time="{t(HOUR + Fraction(a), 30)}" value="{t(HOUR + Fraction(b), 30)}" interp="smooth2"'
        + (f' inTime="{e}s" outTime="{e}s"/>' if e else "/>")
        for a, b, e in keys
    )
    asset = media(frames=900, rate=30)
    (shot,) = shots(tmp_path, document(clip(0, HOUR, 1797, f"<timeMap>{points}</timeMap>", rate=30), asset, rate=30))
    measured = {0: 0, 1: 0, 2: 1, 424: 370, 449: 391, 1349: 841, 1374: 845}
    assert {frame: shot.frames[frame] for frame in measured} == measured
    assert any("eases" in note for note in shot.notes)


def test_a_map_that_counts_from_the_beginning_of_the_media_is_understood_and_said(tmp_path: Path) -> None:
    (shot,) = shots(tmp_path, document(clip(0, X, 4, time_map((0, 0), (100, 200)))))
    assert list(shot.frames) == [20, 22, 24, 26]
    assert sum("counts from the beginning" in n or "count from the beginning" in n for n in shot.notes) == 2


def test_a_start_that_counts_from_the_beginning_of_the_media_is_understood_and_said(tmp_path: Path) -> None:
    (shot,) = shots(tmp_path, document(clip(0, 10, 4)))
    assert list(shot.frames) == [10, 11, 12, 13] and "its start counts from the beginning of the media" in shot.notes


@pytest.mark.parametrize(
    ("inside", "word"),
    [
        (time_map((HOUR, HOUR)), "time map is not followed"),
        (time_map((HOUR + 5, HOUR), (HOUR, HOUR + 5)), "time map is not followed"),
        (time_map((HOUR, HOUR), (HOUR + 12, HOUR + 24)), "plays beyond its time map"),
        (time_map((HOUR, HOUR), (HOUR + 12, HOUR + 24), (HOUR + 50, HOUR + 50), more='interp="smooth"'), "older way"),
    ],
)  # fmt: skip
def test_what_of_a_speed_cannot_be_followed_is_said_at_the_shot(inside: str, word: str, tmp_path: Path) -> None:
    (shot,) = shots(tmp_path, document(clip(0, X, 8, inside)))
    assert any(word in note for note in shot.notes), shot.notes


@pytest.mark.parametrize(
    ("own", "rate", "inside", "expected"),
    [
        (25, 24, '<conform-rate srcFrameRate="25"/>', run(10, 8)),  # 4 % slower, frame by frame
        (Fraction(24000, 1001), 24, '<conform-rate srcFrameRate="23.98"/>', run(10, 8)),
        (50, 24, '<conform-rate srcFrameRate="50"/>', run(10, 8, 2)),
        (25, 24, '<conform-rate scaleEnabled="0" srcFrameRate="25"/>', [10, 11, 12, 13, 14, 15, 16, 17]),
        (60, 24, '<conform-rate scaleEnabled="0" srcFrameRate="60"/>', [10, 12, 15, 17, 20, 22, 25, 27]),
        (30, 24, '<conform-rate scaleEnabled="0" srcFrameRate="30"/>', [10, 11, 12, 13, 15, 16, 17, 18]),
        (30, 24, '<conform-rate scaleEnabled="0" srcFrameRate="30" frameSampling="nearest-neighbor"/>', [10, 11, 12, 14, 15, 16, 17, 19]),
    ],
)  # fmt: skip
def test_media_of_another_rate_are_conformed_or_play_in_real_time(
    own: Fraction, rate: int, inside: str, expected: list[int], tmp_path: Path
) -> None:
    made = document(clip(0, HOUR + 10, 8, inside, rate=rate, own=own), media(rate=own), rate=rate)
    assert shown(tmp_path, made) == [("V1-0001", 0, expected)]


def test_a_conform_that_final_cut_does_not_make_is_played_in_real_time_and_said(tmp_path: Path) -> None:
    (shot,) = shots(tmp_path, document(clip(0, X, 5, '<conform-rate srcFrameRate="40"/>')))
    assert any("does not" in note for note in shot.notes)


# --- lanes and storylines ---


def test_connected_clips_and_storylines_lie_on_tracks_of_their_own(tmp_path: Path) -> None:
    story = f'<spine lane="2" offset="{t(X + 12)}">{clip(0, HOUR + 200, 6)}{clip(6, HOUR + 250, 6)}</spine>'
    below = clip(X + 2, HOUR + 300, 5, lane="-1")
    above = clip(X + 30, HOUR + 100, 40, lane="1")  # longer than what it is connected to
    made = document(
        clip(0, X, 48, story + above + below)
        + f'<gap offset="{t(48)}" start="3600s" duration="{t(12)}"><asset-clip ref="m" name="G" lane="3" offset="3600s" start="{t(HOUR)}" duration="{t(3)}"/></gap>'
        + clip(60, X, 5)
    )
    assert shown(tmp_path, made) == [
        ("V1-0001", 2, run(300, 5)),
        ("V2-0001", 0, run(10, 48)), ("V2-0002", 60, run(10, 5)),
        ("V3-0001", 30, run(100, 40)),
        ("V4-0001", 12, run(200, 6)), ("V4-0002", 18, run(250, 6)),
        ("V5-0001", 48, run(0, 3)),
    ]  # fmt: skip


def test_connected_clips_of_one_lane_that_overlap_get_two_tracks(tmp_path: Path) -> None:
    made = document(
        clip(
            0,
            X,
            30,
            clip(X, HOUR, 10, lane="1") + clip(X + 5, HOUR + 50, 10, lane="1") + clip(X + 15, HOUR + 70, 5, lane="1"),
        )
    )
    assert [s[:2] for s in shown(tmp_path, made)] == [("V1-0001", 0), ("V2-0001", 0), ("V2-0002", 15), ("V3-0001", 5)]


def test_what_is_connected_to_a_retimed_clip_counts_as_that_is_used(tmp_path: Path) -> None:
    start = HOUR / 2 + 5
    inside = time_map((HOUR / 2, HOUR), (HOUR / 2 + 200, HOUR + 400)) + clip(start + 3, HOUR + 100, 4, lane="1")
    assert shown(tmp_path, document(clip(0, start, 20, inside)))[1] == ("V2-0001", 3, run(100, 4))


def test_transitions_are_in_both_shots(tmp_path: Path) -> None:
    cross = f'<transition name="Cross Dissolve" offset="{t(20)}" duration="{t(8)}"/>'
    a, b = shots(tmp_path, document(clip(0, X, 24) + cross + clip(24, HOUR + 100, 24)))
    assert (a.record, a.transitions, list(a.frames)) == ((0, 28), (0, 4), run(10, 28))
    assert (b.record, b.transitions, list(b.frames)) == ((20, 28), (4, 0), run(96, 28))


def test_a_transition_that_does_not_touch_its_cut_is_said(tmp_path: Path) -> None:
    cross = f'<transition name="Wipe" offset="{t(30)}" duration="{t(8)}"/>'
    a, b = shots(tmp_path, document(clip(0, X, 24) + cross + clip(24, HOUR + 100, 24)))
    assert a.transitions == b.transitions == (0, 0) and all("does not touch" in str(shot.notes) for shot in (a, b))


def test_holes_in_a_storyline_are_holes_and_overlaps_are_said(tmp_path: Path) -> None:
    a, b, c = shots(tmp_path, document(clip(0, X, 10) + clip(15, X, 10) + clip(20, X, 10)))
    assert [shot.record for shot in (a, b, c)] == [(0, 10), (15, 10), (25, 10)]
    assert ["its offset lies" in str(shot.notes) for shot in (a, b, c)] == [False, False, True]


def test_disabled_clips_are_not_done_and_what_is_connected_to_them_is(tmp_path: Path) -> None:
    made = document(clip(0, X, 10, clip(X, HOUR, 5, lane="1"), enabled="0") + clip(10, X, 5, enabled="1"))
    assert [(shot.id, shot.enabled) for shot in shots(tmp_path, made)] == [
        ("V1-0001", False),
        ("V1-0002", True),
        ("V2-0001", True),
    ]


def test_sound_is_no_shot_and_lies_on_sound_tracks(tmp_path: Path) -> None:
    sound = '<asset id="s" name="s" start="0s" duration="10s" hasAudio="1"><media-rep src="file:///s.wav"/></asset>'
    inside = (
        '<asset-clip ref="s" lane="-1" offset="'
        + t(X)
        + '" duration="1234567/720000s"/>'
        + clip(X, X, 5, lane="1", srcEnable="audio")
    )
    path = tmp_path / "cut.fcpxml"
    path.write_text(document(clip(0, X, 10, inside), media(hasAudio="1") + sound))
    edit = read_edit(path)
    assert [shot.id for shot in find_shots(edit)] == ["V1-0001"]
    assert [(track.kind, len([c for c in track if hasattr(c, "media_reference")])) for track in edit.timeline.tracks] == [
        ("Video", 1), ("Audio", 1), ("Audio", 1), ("Audio", 1)
    ]  # fmt: skip


def test_titles_and_stills_stand_where_they_are(tmp_path: Path) -> None:
    still = '<asset id="p" name="p" start="0s" duration="0s" hasVideo="1" format="none"><media-rep src="p.png"/></asset><format id="none" name="FFVideoFormatRateUndefined"/>'
    title = f'<title ref="fx" name="T" offset="0s" start="3600s" duration="{t(6)}"/>'
    picture = f'<video ref="p" name="p" offset="{t(6)}" start="3600s" duration="{t(7)}"/>'
    assert cv2.imwrite(str(tmp_path / "p.png"), np.zeros((8, 8, 3), np.uint8))
    a, b, c = shots(
        tmp_path, document(title + picture + clip(13, X, 5), media() + still + '<effect id="fx" name="Basic Title"/>')
    )
    assert (a.record, a.media.path) == ((0, 6), None)
    assert read_edit(tmp_path / "edit.fcpxml").notes == ("1 title: not read, and not in what export writes",)
    assert (b.record, b.media.frames, set(b.frames), b.notes) == ((6, 7), 1, {0}, ())
    assert (c.record, list(c.frames)) == ((13, 5), run(10, 5))


# --- nested ---


def test_a_clip_around_its_video_and_sound_is_one_shot(tmp_path: Path) -> None:
    video = f'<video ref="m" offset="{t(HOUR)}" start="{t(HOUR)}" duration="{t(400)}"><audio ref="m" lane="-1" offset="{t(HOUR)}" start="{t(HOUR)}" duration="{t(400)}"/></video>'
    inside = f'<clip name="A" offset="0s" start="{t(X)}" duration="{t(8)}">{video}</clip>'
    faster = f'<clip name="B" offset="{t(8)}" start="{t(HOUR / 2 + 5)}" duration="{t(4)}">{time_map((HOUR / 2, HOUR), (HOUR / 2 + 200, HOUR + 400))}{video}</clip>'
    assert shown(tmp_path, document(inside + faster)) == [("V1-0001", 0, run(10, 8)), ("V1-0002", 8, run(10, 4, 2))]


def test_synchronized_clips_show_what_is_in_them(tmp_path: Path) -> None:
    sound = '<asset id="s" name="s" start="0s" duration="100s" hasAudio="1"><media-rep src="file:///s.wav"/></asset>'
    gap = f'<gap offset="0s" start="3600s" duration="{t(50)}"><asset-clip ref="s" lane="-1" offset="3600s" duration="{t(100)}"/></gap>'
    inside = f"<spine>{gap}{clip(50, HOUR, 300)}</spine>"
    plain = clip(HOUR, HOUR, 300, offset=t(HOUR))
    made = document(
        f'<sync-clip name="S" offset="0s" start="{t(70)}" duration="{t(20)}">{inside}<sync-source sourceID="storyline"/></sync-clip>'
        f'<sync-clip name="T" offset="{t(20)}" start="{t(X)}" duration="{t(20)}">{plain}{clip(X + 5, HOUR + 200, 5, lane="1")}</sync-clip>',
        media() + sound,
    )
    assert shown(tmp_path, made) == [
        ("V1-0001.V1-0001", 0, run(20, 20)), ("V1-0002", 20, run(10, 20)), ("V2-0001", 25, run(200, 5))
    ]  # fmt: skip


def test_compound_clips_show_what_is_in_them_at_their_own_speed(tmp_path: Path) -> None:
    inner = f'<media id="c" name="C"><sequence format="seq" tcStart="{t(HOUR)}"><spine>{clip(HOUR, X, 20, offset=t(HOUR))}{clip(HOUR + 20, HOUR + 100, 20, clip(HOUR + 105, HOUR, 5, lane="1"))}</spine></sequence></media>'
    made = document(
        f'<ref-clip ref="c" name="C" offset="0s" start="{t(HOUR + 15)}" duration="{t(15)}"/>'
        f'<ref-clip ref="c" name="D" offset="{t(15)}" start="{t(HOUR)}" duration="{t(5)}">{time_map((HOUR, HOUR), (HOUR + 20, HOUR + 40))}</ref-clip>',
        media() + inner,
    )
    assert shown(tmp_path, made) == [
        ("V1-0001.V1-0001", 0, run(25, 5)), ("V1-0001.V1-0002", 5, run(100, 10)), ("V1-0001.V2-0001", 10, run(0, 5)),
        ("V1-0002.V1-0001", 15, run(10, 5, 2)),
    ]  # fmt: skip


def test_multicam_clips_show_the_angle_that_is_on(tmp_path: Path) -> None:
    angles = f'<mc-angle name="1" angleID="a">{clip(0, HOUR, 300)}</mc-angle><mc-angle name="2" angleID="b"><gap offset="0s" duration="{t(7)}"/>{clip(7, HOUR + 50, 300)}</mc-angle>'
    cameras = f'<media id="c" name="C"><multicam format="seq" tcStart="{t(500)}">{angles}</multicam></media>'

    def use(at: int, start: int, *sources: str) -> str:
        return f'<mc-clip ref="c" name="M" offset="{t(at)}" start="{t(start)}" duration="{t(10)}">{"".join(f"<mc-source {s}/>" for s in sources)}</mc-clip>'

    made = document(
        use(0, 520, 'angleID="a" srcEnable="audio"', 'angleID="b" srcEnable="video"')
        + use(10, 530, 'angleID="a" srcEnable="all"')
        + use(20, 540),
        media(hasAudio="1") + cameras,
    )
    assert [s[1:] for s in shown(tmp_path, made)] == [(0, run(63, 10)), (10, run(30, 10)), (20, run(40, 10))]


def test_an_audition_shows_its_first(tmp_path: Path) -> None:
    made = document(
        f'<audition offset="0s">{clip(0, X, 9, offset="")}{clip(0, HOUR + 200, 9, offset="")}</audition>'
        + clip(9, X, 4)
    )
    assert shown(tmp_path, made) == [("V1-0001", 0, run(10, 9)), ("V1-0002", 9, run(10, 4))]


def test_a_document_of_one_clip_without_a_project_is_an_edit_of_it(tmp_path: Path) -> None:
    made = document("", media())
    alone = made[: made.index("<library>")] + clip(0, X, 5, offset="") + "</fcpxml>"
    assert shown(tmp_path, alone) == [("V1-0001", 0, run(10, 5))]
    inner = (
        f'<media id="c" name="C"><sequence format="seq" tcStart="0s"><spine>{clip(0, X, 20)}</spine></sequence></media>'
    )
    made = document("", media() + inner)
    event = (
        made[: made.index("<library>")]
        + f'<library><event><ref-clip ref="c" name="C" duration="{t(20)}"/></event></library></fcpxml>'
    )
    assert shown(tmp_path, event) == [("V1-0001.V1-0001", 0, run(10, 20))]


def test_a_camera_s_sound_in_a_synchronized_clip_of_a_multicam_changes_no_frame(tmp_path: Path) -> None:
    sound = '<asset id="s" name="s" start="846s" duration="70s" hasAudio="1"><media-rep src="file:///s.wav"/></asset>'
    recorded = '<clip lane="-1" offset="846s" start="846s" duration="60s"><audio ref="s" offset="609120015/720000s" start="609120015/720000s" duration="70s"><audio ref="s" lane="-1" offset="609120015/720000s" start="609120015/720000s" duration="70s"/></audio></clip>'
    synced = f'<gap offset="0s" duration="{t(79)}"/><sync-clip name="S" offset="{t(79)}" start="{t(HOUR)}" duration="{t(300)}">{clip(HOUR, HOUR, 300, recorded)}</sync-clip>'
    cameras = f'<media id="c"><multicam format="seq" tcStart="{t(20495)}"><mc-angle angleID="b">{synced}</mc-angle></multicam></media>'
    made = document(
        f'<mc-clip ref="c" name="M" offset="0s" start="{t(20495 + 100)}" duration="{t(8)}"/>', media() + sound + cameras
    )
    assert [s[1:] for s in shown(tmp_path, made)] == [(0, run(21, 8))]


@pytest.mark.parametrize("tag", ["asset-clip", "video", "ref-clip", "mc-clip"])
def test_a_clip_of_what_is_not_in_the_document_is_missing_and_the_others_go_on(tag: str, tmp_path: Path) -> None:
    a, b = shots(tmp_path, document(f'<{tag} ref="gone" name="G" offset="0s" duration="{t(5)}"/>' + clip(5, X, 4)))
    assert a.record == (0, 5) and a.media.path is None and any("refers to 'gone'" in note for note in a.notes)
    assert (b.record, list(b.frames)) == ((5, 4), run(10, 4))


# --- who is replaced ---


def test_markers_notes_and_keywords_say_who_is_replaced(tmp_path: Path) -> None:
    made = document(
        clip(0, X, 10, f'<marker start="{t(X + 2)}" duration="{t(1)}" value="FACE target=ann source=ben"/>')
        + clip(10, X, 10, f'<marker start="{t(X + 2)}" value="look" note="FACE target=cat source=ben"/>')
        + clip(20, X, 10, "<note>FACE target=dan source=ben</note>")
        + clip(30, X, 10, f'<keyword start="{t(HOUR)}" duration="{t(400)}" value="FACE target=eve source=ben"/>')
        + f'<gap offset="{t(40)}" start="3600s" duration="{t(9)}">{clip(0, X, 9, offset="3600s", lane="1")}<marker start="3600s" duration="{t(9)}" value="FACE target=fay source=ben"/></gap>'
        + clip(49, X, 10, f'<marker start="{t(X + 50)}" value="FACE target=gus source=ben"/>')
    )
    found = {shot.id: [c.target for c in shot.cast] for shot in shots(tmp_path, made)}
    assert found == {
        "V1-0001": ["ann"],
        "V1-0002": ["cat"],
        "V1-0003": ["dan"],
        "V1-0004": ["eve"],
        "V1-0005": [],
        "V2-0001": [],
    }
    hidden = shots(tmp_path, made)[4]
    assert any("FACE lies outside" in note for note in hidden.notes)
    whole = document(clip(0, X, 10), before="<note>FACE target=ann source=ben</note>")
    assert [c.target for shot in shots(tmp_path, whole) for c in shot.cast] == ["ann"]


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (document(clip(0, X, 5, offset="five")), ("asset-clip 'A'", "offset", "'five'")),
        (document(clip(0, X, 5, duration="1/0s")), ("duration", "1/0s")),
        (document(clip(0, X, 5, duration="-1s")), ("asset-clip 'A'", "-1 s long")),
        (document(clip(0, X, 5, duration="99999999999s")), ("out of range",)),
        (document(clip(0, X, 5, clip(X, X, 5, lane="one"))), ("lane is 'one'",)),
        (document('<ref-clip ref="c"/>', '<media id="c"><sequence format="seq"><spine><ref-clip ref="c"/></spine></sequence></media>'), ("holds itself",)),
        ('<fcpxml version="1.9"><resources/><library><event><clip/><asset-clip ref="x"/></event></library></fcpxml>', ("no project", "2 clips")),
        ('<fcpxml version="1.9"/>', ("no project",)),
        (document("").replace("</event>", '<project name="Q"><sequence format="seq"><spine/></sequence></project></event>'), ("2 timelines", "'P', 'Q'")),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(SchemaError) as caught:
        shots(tmp_path, text)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.remedy and str(tmp_path) in str(caught.value)
