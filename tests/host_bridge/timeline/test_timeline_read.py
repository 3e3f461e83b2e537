"""Edits of every kind are read: Resolve's own files, bundles, other formats; rates however they are spelt; media wherever they are."""

from __future__ import annotations

import os
import re
import zipfile
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime

from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.read.places import Places, media_root, plain_paths
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.write.fcp7 import fcp7_of
from nodes.errors import FaceplateError, SchemaError
from nodes.footage.rates import snap_rate
from tests import ROOT
from tests.support.cuts import clip, dissolve, gap, read_again, shots_of, span, timeline, written
from tests.support.numbered import numbered_images, numbered_movie, numbers_in

RESOLVE = ROOT.parent / "shared" / "otio"
needs_resolve_files = pytest.mark.skipif(
    not RESOLVE.is_dir(), reason="Resolve's own files (../shared/otio) are not here"
)


@needs_resolve_files
def test_a_cut_that_resolve_wrote_is_read_as_it_is(tmp_path: Path) -> None:
    (shot,) = find_shots(read_edit(RESOLVE / "resolve21_base.otio"))
    assert (shot.id, shot.where, shot.rate, shot.record) == ("V1-0001", (0, 0), 50, (0, 1500))
    assert (shot.media.start, shot.media.frames, shot.frames) == (1_800_000, 1500, range(1500))
    assert shot.media.url.startswith("E:\\SHOWREEL")


@needs_resolve_files
def test_a_dissolve_that_resolve_wrote_is_in_both_shots() -> None:
    a, b = find_shots(read_edit(RESOLVE / "resolve21_ref2.otio"), handles=10)
    assert (a.record, a.transitions, a.frames, a.span) == ((0, 646), (0, 50), range(646), (0, 655))
    assert (b.record, b.transitions, b.frames, b.span) == ((546, 954), (50, 0), range(546, 1500), (536, 1499))


@needs_resolve_files
def test_the_frames_of_resolve_s_half_speed_clip_are_the_right_ones_in_media_found_by_name(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "moved" / "1128797.mov", 1500, 50, start="10:00:00:00")
    movie.rename(movie.with_suffix(".mxf"))  # what is in it, not its name, tells what it is
    (shot,) = find_shots(
        read_edit(RESOLVE / "resolve21_ref4_retime_50pct.otio", media_roots=[media_root(str(tmp_path))])
    )
    assert shot.media.path == movie.with_suffix(".mxf")
    picks = [0, 1, 2, 3, 700, 701, 1498, 1499]
    assert numbers_in(shot.media.path, [shot.frames[i] for i in picks]) == [0, 0, 1, 1, 350, 350, 749, 749]


def like_resolve(folder: Path, *, speed: float | None = None, two: bool = False) -> Path:
    """What the three files say, over media that are a numbered movie."""
    media = numbered_movie(folder / "media" / "interview.mov", 120, 50, start="10:00:00:00")
    available, begin = span(1_800_000, 120, 50), 1_800_000
    children = [clip(media, begin, 100, 50, available=available, speed=speed)]
    if two:
        children = [
            clip(media, begin, 40, 50, available=available), dissolve(10, 10, 50),
            clip(media, begin + 60, 50, 50, available=available),
        ]  # fmt: skip
    made = timeline(children, rate=50, start=180_000)
    made.metadata["Resolve_OTIO"] = {"Resolve OTIO Meta Version": "1.0"}
    return written(made, folder / "edit.otio")


def test_edits_shaped_as_resolve_writes_them_show_the_right_frames(tmp_path: Path) -> None:
    (plain,) = find_shots(read_edit(like_resolve(tmp_path)))
    assert numbers_in(plain.media.path, plain.frames) == list(range(100))  # type: ignore[arg-type]
    (slow,) = find_shots(read_edit(like_resolve(tmp_path, speed=0.5)))
    assert numbers_in(slow.media.path, slow.frames) == [i // 2 for i in range(100)]  # type: ignore[arg-type]
    a, b = find_shots(read_edit(like_resolve(tmp_path, two=True)))
    assert numbers_in(a.media.path, a.frames) == list(range(50))  # type: ignore[arg-type]
    assert numbers_in(b.media.path, b.frames) == list(range(50, 110))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spelt", "rate"),
    [
        (23.976, (24000, 1001)), (23.98, (24000, 1001)), (23.976024627685547, (24000, 1001)),
        (23.976023976023978, (24000, 1001)), (24, (24, 1)), (25.0, (25, 1)), (29.97, (30000, 1001)),
        (29.97002997, (30000, 1001)), (30, (30, 1)), (47.952, (48000, 1001)), (47.95, (48000, 1001)), (48, (48, 1)),
        (50, (50, 1)), (59.94, (60000, 1001)), (59.94005994, (60000, 1001)), (60, (60, 1)), (119.88, (120000, 1001)),
        (120, (120, 1)), (12.5, (25, 2)), (14.985, (15000, 1001)), (1, (1, 1)), (48000, (48000, 1)),
    ],
)  # fmt: skip
def test_every_spelling_of_a_rate_is_one_fraction(spelt: float, rate: tuple[int, int]) -> None:
    assert snap_rate(spelt) == Fraction(*rate)
    assert snap_rate(float(snap_rate(spelt))) == snap_rate(spelt)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 1e9])
def test_what_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        snap_rate(rate)


def test_numbers_are_those_that_a_writer_meant() -> None:
    assert exact(0.43) == Fraction(43, 100)
    assert exact(1 / 3) == Fraction(1, 3)
    assert exact(1800000.5) == Fraction(3600001, 2)
    assert exact(86400.00000000001) == 86400
    assert [nearest(Fraction(n, 4)) for n in range(-3, 7)] == [-1, -1, 0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/Users/an na/b.mov", "/Users/an na/b.mov"), ("/x/100%25.mov", "/x/100%25.mov"),
        ("file:///Users/an%20na/b.mov", "/Users/an na/b.mov"), ("file://localhost/x/b.mov", "/x/b.mov"),
        ("file:///x/S%C3%B6hne.mov", "/x/Söhne.mov"), ("file:///x/a#b?c.mov", "/x/a#b?c.mov"),
        ("file:/x/b.mov", "/x/b.mov"), ("C:\\a b\\c.mov", "C:/a b/c.mov"), ("file:///C:/a%20b/c.mov", "C:/a b/c.mov"),
        ("file://C:/a/c.mov", "C:/a/c.mov"), ("file:///C%3A/a/c.mov", "C:/a/c.mov"), ("file:///c|/a.mov", "c:/a.mov"),
        ("file://localhost/C:/a.mov", "C:/a.mov"), ("\\\\nas\\share\\a.mov", "//nas/share/a.mov"),
        ("file://nas/share/a.mov", "//nas/share/a.mov"), ("file:////nas/share/a.mov", "//nas/share/a.mov"),
        ("media/a.mov", "media/a.mov"), ("media\\a.mov", "media/a.mov"), ("./a.mov", "./a.mov"),
        ("shot.[0001-0100].exr", "shot.%04d.exr"), ("/x/back\\slash.mov", "/x/back\\slash.mov"),
    ],
)  # fmt: skip
def test_places_are_understood_as_every_system_writes_them(url: str, path: str) -> None:
    assert plain_paths(url)[0] == path


def test_web_addresses_are_no_files() -> None:
    assert plain_paths("https://example.com/a.mov") == plain_paths("s3://bucket/a.mov") == plain_paths("") == []


@pytest.mark.parametrize("form", ["bare", "address", "relative", "relative, encoded", "sloppy address"])
def test_media_are_found_where_the_document_says(form: str, tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "me dia" / "a 100%.mov", 5)
    encoded = str(movie).replace("%", "%25").replace(" ", "%20")
    urls = {
        "bare": str(movie), "address": f"file://{encoded}", "relative": "me dia/a 100%.mov",
        "relative, encoded": "./me%20dia/a%20100%25.mov", "sloppy address": f"file://{movie}",
    }  # fmt: skip
    (shot,) = shots_of(timeline([clip(urls[form], 0, 5, 25)]), tmp_path)
    assert shot.media.path is not None
    assert shot.media.path.resolve() == movie
    assert (shot.notes, shot.media.url) == ((), urls[form])


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("D:\\Footage\\day 1\\a.mov", "D:\\Footage={}"), ("D:\\Footage\\day 1\\a.mov", "d:/footage/={}"),
        ("file:///D:/Footage/day%201/a.mov", "D:\\Footage={}"), ("\\\\nas\\show\\day 1\\a.mov", "\\\\NAS\\show={}"),
        ("/Volumes/RAID/day 1/a.mov", "/Volumes/RAID={}"), ("file:///Volumes/RAID/day%201/a.mov", "/Volumes/RAID/={}"),
        ("old/day 1/a.mov", "old={}"), ("/anywhere/else/a.mov", "{}"), ("E:\\lost\\A.MOV", "{}"),
    ],
)  # fmt: skip
def test_media_that_were_moved_are_found(url: str, root: str, tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "now" / "day 1" / "a.mov", 5)
    (shot,) = shots_of(
        timeline([clip(url, 0, 5, 25)]), tmp_path, media_roots=[media_root(root.format(tmp_path / "now"))]
    )
    assert shot.media.path == movie


def test_a_root_is_a_folder_not_the_beginning_of_a_name(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "now" / "a.mov", 5)
    places = Places(tmp_path, (media_root(f"/foot={tmp_path / 'now'}"),))
    assert places.find("/footage/b.mov")[0] is None
    assert places.find("/foot/../secret/a.mov")[0] != tmp_path / "now" / ".." / "secret" / "a.mov"


def test_of_files_of_one_name_the_one_in_the_like_folder_is_taken_and_no_other_guessed(tmp_path: Path) -> None:
    for day in ("day1", "day2"):
        numbered_movie(tmp_path / "now" / day / "a.mov", 5)
    roots = [media_root(str(tmp_path / "now"))]
    one, unclear = shots_of(
        timeline([clip("E:\\show\\day2\\a.mov", 0, 5, 25), clip("E:\\a.mov", 0, 5, 25, available=span(0, 9, 25))]),
        tmp_path, media_roots=roots,
    )  # fmt: skip
    assert one.media.path == tmp_path / "now" / "day2" / "a.mov"
    assert unclear.media.path is None
    assert "2 files are called a.mov" in unclear.notes[0]


def test_a_sequence_that_was_moved_is_found_by_its_name(tmp_path: Path) -> None:
    pattern = numbered_images(tmp_path / "now" / "plates", 6, first=1001)
    reference = otio.schema.ImageSequenceReference(
        target_url_base="file:///old/place", name_prefix="plate.", name_suffix=".png", start_frame=1001,
        frame_zero_padding=4, rate=25, available_range=span(0, 6, 25),
    )  # fmt: skip
    made = timeline([otio.schema.Clip("p", reference, span(2, 3, 25))])
    (shot,) = shots_of(made, tmp_path, media_roots=[media_root(str(tmp_path / "now"))])
    assert shot.media.path == pattern
    assert numbers_in(pattern, shot.frames) == [1003, 1004, 1005]
    resolve_s = timeline([clip("/old/plate.[1001-1006].png", 1002, 3, 25)])
    (shot,) = shots_of(resolve_s, tmp_path, media_roots=[media_root(str(tmp_path / "now"))])
    assert numbers_in(pattern, shot.frames) == [1002, 1003, 1004]


def test_missing_media_are_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "a.mov", 10)
    broken = tmp_path / "broken.mov"
    broken.write_bytes(b"no movie")
    made = timeline(
        [clip("E:\\gone.mov", 90000, 5, 25, available=span(90000, 50, 25)), clip(movie, 0, 5, 25),
         clip(broken, 0, 5, 25), otio.schema.Clip("Text+", otio.schema.MissingReference(), span(0, 5, 25)),
         otio.schema.Clip("bars", otio.schema.GeneratorReference(generator_kind="SMPTEBars"), span(0, 5, 25)),
         otio.schema.Clip("a.mov", otio.schema.MissingReference(), span(0, 5, 25))]
    )  # fmt: skip
    gone, there, bad, title, bars, named = shots_of(made, tmp_path)
    assert (gone.media.path, gone.frames, gone.notes) == (None, range(5), ("media is missing",))
    assert there.media.path == movie
    assert bad.media.path is None
    assert "cannot be used" in bad.notes[0]
    assert (title.media.path, bars.media.path) == (None, None)
    assert named.media.path == movie  # an EDL says no more than the name
    assert [shot.record[0] for shot in (gone, there, bad, title, bars, named)] == [0, 5, 10, 15, 20, 25]


def test_another_media_reference_stands_in_for_the_active_one_that_is_missing(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "proxy.mov", 20)
    made = clip("E:\\gone.mov", 3, 5, 25, available=span(0, 20, 25))
    references = made.media_references()
    references["proxy"] = otio.schema.ExternalReference(str(movie), span(0, 20, 25))
    made.set_media_references(references, "DEFAULT_MEDIA")
    (shot,) = shots_of(timeline([made]), tmp_path)
    assert (shot.media.path, shot.media.key) == (movie, "proxy")
    assert any("'proxy' is used" in note for note in shot.notes)


def test_results_of_faceplate_are_never_taken_for_the_plate(tmp_path: Path) -> None:
    plate, result = numbered_movie(tmp_path / "plate.mov", 20), numbered_movie(tmp_path / "result.mov", 20)
    made = clip(plate, 3, 5, 25)
    references = made.media_references()
    references["faceplate"] = otio.schema.ExternalReference(str(result))
    made.set_media_references(references, "faceplate")
    (shot,) = shots_of(timeline([made]), tmp_path)
    assert (shot.media.path, shot.notes) == (plate, ())


def test_a_bundle_is_unpacked_once_with_its_media(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "a.mov", 10)
    made = timeline([clip(f"file://{movie}", 2, 5, 25, available=span(0, 10, 25))])
    path = tmp_path / "hand" / "cut.otioz"
    path.parent.mkdir()
    otio.adapters.write_to_file(made, str(path))
    movie.unlink()
    (shot,) = find_shots(read_edit(path))
    place = tmp_path / "hand" / "cut.faceplate" / "bundle" / "media" / "a.mov"
    assert shot.media.path == place
    assert numbers_in(place, shot.frames) == [2, 3, 4, 5, 6]
    before = place.stat().st_mtime_ns
    find_shots(read_edit(path))
    assert place.stat().st_mtime_ns == before
    place.write_bytes(bytes(place.stat().st_size))
    find_shots(read_edit(path))
    assert numbers_in(place) == list(range(10))


def test_a_bundle_without_its_media_is_read_and_they_are_missing(tmp_path: Path) -> None:
    made = timeline([clip("media/a.mov", 2, 5, 25, available=span(0, 10, 25))])
    with zipfile.ZipFile(tmp_path / "cut.otioz", "w") as archive:
        archive.writestr("content.otio", made.to_json_string())
    (shot,) = find_shots(read_edit(tmp_path / "cut.otioz"))
    assert (shot.media.path, shot.notes) == (None, ("media is missing",))


def test_a_bundle_s_folder_is_read_where_it_is(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "a.mov", 10)
    made = timeline([clip(f"file://{movie}", 2, 5, 25, available=span(0, 10, 25))])
    otio.adapters.write_to_file(made, str(tmp_path / "cut.otiod"))
    (shot,) = find_shots(read_edit(tmp_path / "cut.otiod"))
    assert shot.media.path == tmp_path / "cut.otiod" / "media" / "a.mov"
    assert not (tmp_path / "cut.faceplate").exists()


@pytest.mark.parametrize("kind", ["xml", "aaf"])
def test_other_formats_are_read_to_the_frame(kind: str, tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "a.mov", 48, 24, start="01:00:00:00")
    url = f"file://{movie}"
    made = timeline(
        [clip(url, 86404, 10, 24, available=span(86400, 48, 24)), clip(url, 86430, 8, 24, available=span(86400, 48, 24))],
        rate=24, start=86400,
    )  # fmt: skip
    made.name = "cut"
    path = tmp_path / f"cut.{kind}"
    if kind == "aaf":
        pytest.importorskip("otio_aaf_adapter", reason="the extra `timeline` is not installed")
        otio.adapters.write_to_file(made, str(path), use_empty_mob_ids=True)
    else:
        path.write_bytes(fcp7_of(made, Places(tmp_path), made.name))
    a, b = find_shots(read_edit(path))
    assert numbers_in(movie, a.frames) == list(range(4, 14))
    assert numbers_in(movie, b.frames) == list(range(30, 38))
    assert (a.record, b.record) == ((0, 10), (10, 8))


@pytest.mark.parametrize(
    ("ends", "rate"),
    [
        ("01:00:00:23", (24, 1)), ("01:00:00:24", (25, 1)), ("01:00:00:29", (30, 1)), ("01:00:00;29", (30000, 1001)),
        ("01:00:00:49", (50, 1)), ("01:00:00:59", (60, 1)), ("01:00:00;58", (60000, 1001)),
    ],
)  # fmt: skip
def test_the_rate_of_an_edl_without_media_is_the_lowest_that_has_its_timecodes(
    ends: str, rate: tuple[int, int], tmp_path: Path
) -> None:
    begins = ends[:-2] + "02"
    (tmp_path / "cut.edl").write_text(
        f"TITLE: cut\n\n001  AX V C {begins} {ends} {begins} {ends}\n* FROM CLIP NAME: a.mov\n"
        f"* LOC: {begins} RED     FACE target=ann source=ben\n",
        "utf-8",
    )
    (shot,) = find_shots(read_edit(tmp_path / "cut.edl"))
    assert shot.rate == Fraction(*rate)
    assert shot.record == (0, int(ends[-2:]) - 2)
    assert shot.frames == range(int(ends[-2:]) - 2)
    assert [(c.target, c.source) for c in shot.cast] == [("ann", "ben")]


NTSC = "<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate>"
XMEML = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xmeml>
<xmeml version="5"><sequence><name>Cut</name><duration>60</duration>{NTSC}
<timecode><string>01:00:00:00</string><frame>86400</frame><displayformat>NDF</displayformat>{NTSC}</timecode>
<media><video><track>
<clipitem id="c1"><name>a.mov</name><duration>100</duration>{NTSC}<start>0</start><end>30</end><in>10</in><out>40</out>
<file id="f1"><name>a.mov</name><duration>100</duration>{NTSC}<pathurl>file://localhost/E%3a/show/a.mov</pathurl>
<timecode><string>01:00:00:00</string><frame>86400</frame>{NTSC}</timecode><media><video/></media></file>
<marker><name>M</name><comment>FACE target=ann source=ben</comment><in>12</in><out>-1</out></marker></clipitem>
<clipitem id="c2"><name>a.mov</name><duration>100</duration>{NTSC}<start>40</start><end>60</end><in>50</in><out>70</out>
<file id="f1"/></clipitem>
</track></video></media></sequence></xmeml>"""


def test_final_cut_s_xml_at_23_976_is_read_to_the_frame_with_its_markers(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "now" / "a.mov", 100, Fraction(24000, 1001), start="01:00:00:00")
    (tmp_path / "cut.xml").write_text(XMEML, "utf-8")
    a, b = find_shots(read_edit(tmp_path / "cut.xml", media_roots=[media_root(f"E:\\show={tmp_path / 'now'}")]))
    assert a.rate == Fraction(24000, 1001)
    assert (a.record, numbers_in(movie, a.frames)) == ((0, 30), list(range(10, 40)))
    assert (b.record, numbers_in(movie, b.frames)) == ((40, 20), list(range(50, 70)))
    assert [(c.target, c.source) for c in a.cast] == [("ann", "ben")]


def test_an_edl_s_events_lie_where_they_are_recorded(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "a.mov", 100, 25, start="10:00:00:00")
    (tmp_path / "cut.edl").write_text(
        "TITLE: cut\nFCM: NON-DROP FRAME\n\n"
        "001  AX V C 10:00:00:05 10:00:01:00 01:00:00:00 01:00:00:20\n* FROM CLIP NAME: a.mov\n\n"
        "002  AX V C 10:00:02:00 10:00:02:24 01:00:01:00 01:00:01:24\n* FROM CLIP NAME: a.mov\n\n"
        "003  AX V C 10:00:00:00 10:00:00:10 01:00:01:24 01:00:02:19\nM2   AX 012.5 10:00:00:00\n"
        "* FROM CLIP NAME: a.mov\n",
        "utf-8",
    )
    edit = read_edit(tmp_path / "cut.edl")
    a, b, c = find_shots(edit)
    assert edit.timeline.global_start_time == RationalTime(90000, 25)
    assert (a.record, numbers_in(movie, a.frames)) == ((0, 20), list(range(5, 25)))
    assert (b.record, numbers_in(movie, b.frames)) == ((25, 24), list(range(50, 74)))
    assert (c.record, numbers_in(movie, c.frames)) == ((49, 20), [i // 2 for i in range(20)])


def test_an_edit_s_digest_is_of_its_bytes(tmp_path: Path) -> None:
    one = read_again(timeline([gap(5, 25)]), tmp_path)
    same = read_again(timeline([gap(5, 25)]), tmp_path)
    other = read_again(timeline([gap(6, 25)]), tmp_path)
    assert re.fullmatch("[0-9a-f]{64}", one.digest)
    assert one.digest == same.digest != other.digest


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaceplateError, match="is no folder"):
        media_root(f"/a={tmp_path / 'none'}")


def test_an_edit_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("this user may read everything")
    path = written(timeline([gap(5, 25)]), tmp_path / "edit.otio")
    path.chmod(0)
    with pytest.raises(SchemaError, match="permission"):
        read_edit(path)


def test_edits_in_the_middle_of_which_time_is_counted_otherwise_are_placed_to_the_frame(tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "a.mov", 48, 24)
    odd = otio.schema.Gap(source_range=otio.opentime.TimeRange(RationalTime(0, 1), RationalTime(2.5, 1)))  # seconds
    (shot,) = shots_of(timeline([odd, clip(movie, 4, 24, 24)], rate=24), tmp_path)
    assert shot.record == (60, 24)
