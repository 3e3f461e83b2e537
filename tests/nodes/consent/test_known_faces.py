"""Faces of performers who are known by registered footage: theirs are used, and a stranger's never, wherever the cuts lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host_bridge.jobs import swap
from host_bridge.reporting import Watch
from nodes.cache import digest_footage
from nodes.consent.edit import register
from nodes.consent.known import known_footage
from nodes.definitions import SwapParameters
from nodes.errors import ConsentError
from nodes.footage.footage import open_footage
from nodes.shot.still import Stills
from nodes.shot_document import ShotDocument
from tests.support.clips import pictures, write_movie
from tests.support.consents import in_project
from tests.support.reports import without_report
from trainer.faceset.build import build_faceset
from trainer.faceset.parameters import FacesetParameters

Clips = dict[str, Path]


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clips]:
    """A project in which Ann and Ben are known by a clip each; `two`: Ann, Ben, and Ann again; `more`: Ben alone, in other footage."""
    with in_project(
        tmp_path_factory.mktemp("known"), dict.fromkeys(("Ann", "Ben"), ("replaced", "replacement", "train"))
    ) as project:
        ann, ben = (list(pictures(samples / f"{name}.mp4", 60, 40, (400, 300))) for name in ("cap13_edit2", "franck"))
        made: Clips = {"project": project}
        (project / "casting").mkdir()
        for name, frames in (("ann", ann[20:]), ("ben", ben[20:])):
            made[name] = write_movie(project / "casting" / f"{name}.mp4", frames)
            register(project, name.title(), [(digest_footage(made[name]), f"{name}.mp4")])
        made["two"] = write_movie(project / "two.mp4", [*ann[:8], *ben[:6], *ann[8:11]])
        made["more"] = write_movie(project / "more.mp4", ben[:12])
        yield made


def shot(clips: Clips, plate: str, target: str, out: Path, source: str = "ben", **more: object) -> ShotDocument:
    other = "Ben" if source in ("ben", "more") else "Ann"
    told = {
        "plate": clips[plate],
        "source": clips[source],
        "out": out,
        "settings": {"swap": {"target_performer": target, "source_performer": other}},
        **more,
    }
    return swap.swap(swap.SwapRequest.model_validate(told), Watch()).shot


@pytest.mark.parametrize(
    ("target", "source", "frames"), [("Ann", "more", [(0, 7), (14, 16)]), ("Ben", "ann", [(8, 13)])]
)
def test_the_target_alone_is_replaced_over_all_cuts(
    clips: Clips,
    tmp_path: Path,
    target: str,
    source: str,
    frames: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_report(monkeypatch)
    made = shot(clips, "two", target, tmp_path / "out", source)
    assert [(track.first, track.last) for track in made.tracks] == frames


def test_a_stranger_is_refused_and_nothing_is_left_behind(clips: Clips, tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match=r"more\.mp4.*shows nobody who looks like the performer in ann\.mp4") as e:
        shot(clips, "more", "Ann", tmp_path / "out")
    assert e.value.remedy is not None and "--sheet" in e.value.remedy and e.value.exit_status == 10
    assert not list(tmp_path.glob("out*/*"))
    with pytest.raises(ConsentError, match=r"track 0 shows somebody else than the performer in ann\.mp4"):
        shot(clips, "more", "Ann", tmp_path / "out", tracks=(0,))


def test_a_preview_asks_the_same(clips: Clips, tmp_path: Path) -> None:
    settings = {"target_performer": "Ann", "source_performer": "Ben"}
    with pytest.raises(ConsentError, match="nobody who looks like"):
        request = swap.PreviewRequest.model_validate(
            {
                "plate": clips["more"],
                "frame": 2,
                "source": clips["ben"],
                "out": tmp_path / "a.png",
                "settings": {"swap": settings},
            }
        )
        stills = Stills()
        stills.still(request.plate, request.frame, request.source, request.settings, out=request.out)
    stills.close()


def test_a_faceset_takes_the_performer_s_face_alone(clips: Clips, tmp_path: Path) -> None:
    with open_footage(clips["two"]) as footage:
        made = build_faceset([footage], tmp_path / "ben", "Ben", FacesetParameters(size=64))
        with open_footage(clips["ben"]) as registered:
            more = build_faceset([registered, footage], tmp_path / "more", "Ben", FacesetParameters(size=64))
    assert set(made.frame.tolist()) <= set(range(8, 14))
    assert set(more.frame[more.clip == 1].tolist()) <= set(range(8, 14)), (
        "the other clip is registered, and not this one"
    )


def test_footage_that_is_registered_itself_needs_no_comparison(clips: Clips) -> None:
    from nodes.consent.gate import Clip, of_swap, permit

    parameters = SwapParameters(target_performer="Ann", source_performer="Ben")

    def known(plate: str, source: str) -> dict[str, str]:
        faces = of_swap(*(Clip(clips[name], digest_footage(clips[name])) for name in (plate, source)), None, parameters)
        found = known_footage(permit(faces, parameters, clips["project"] / "out"), parameters, clips["project"] / "out")
        return {role: path.name for role, path in found.items()}

    assert known("ann", "more") == {"source": "ben.mp4"}
    assert known("two", "more") == {"target": "ann.mp4", "source": "ben.mp4"}
    clips["ann"].rename(clips["ann"].with_name("gone.mov"))
    try:
        assert known("two", "ben") == {}, "footage that is not there is not compared with"
    finally:
        clips["ann"].with_name("gone.mov").rename(clips["ann"])
