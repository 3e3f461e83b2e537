"""Who may be used for what, today: each refusal, with its reason and the command that mends it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from install.samples import FACES
from nodes.cache import digest_footage
from nodes.consent.edit import ANY, Terms, add, clean_name, register, rename, revoke
from nodes.consent.gate import RECORD, SAMPLES, Clip, Face, Grant, is_sample
from nodes.consent.records import Use, find_project
from nodes.errors import ConsentError
from tests.support.consents import NOON, apart, consent, granted, require


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return apart(monkeypatch, tmp_path)


def test_whoever_agreed_may_be_used_so_and_the_record_is_told(show: Path) -> None:
    added = consent(show, "Anna", "replaced", "train")
    given = Grant(added.performer.id, "Anna", (added.consent.id,))
    assert require("replaced", "Anna", show, now=NOON) == require("train", added.performer.id, show, now=NOON) == given


def test_nobody_may_be_used_where_nothing_is_recorded(show: Path) -> None:
    with pytest.raises(
        ConsentError, match=r"nobody may be trained on here.*faceplate performer add Anna --document REL"
    ) as e:
        require("train", "Anna", None)
    assert e.value.exit_status == 10


def test_a_stranger_is_refused_with_the_command_that_adds_him(show: Path) -> None:
    consent(show, "Anna")
    with pytest.raises(
        ConsentError,
        match=r"no performer 'Carl D\.' .* add 'Carl D\.' --project .* --document RELEASE.pdf --use replace",
    ):
        require("replaced", "Carl D.", show, now=NOON)


@pytest.mark.parametrize(("use", "may"), [("replacement", "be put in"), ("train", "be trained on")])
def test_another_use_than_was_allowed_is_refused(show: Path, use: Use, may: str) -> None:
    added = consent(show, "Anna", "replaced")
    wanted = rf"Anna \({added.performer.id}\) may not {may}: {added.consent.id} allows replaced alone"
    with pytest.raises(ConsentError, match=wanted):
        require(use, "Anna", show, now=NOON)


def test_a_consent_counts_on_its_first_and_its_last_day_by_utc_and_on_no_other(show: Path) -> None:
    consent(show, "Anna", from_=date(2026, 7, 1), until=date(2026, 7, 31))
    midnight = datetime(2026, 7, 1, tzinfo=UTC)
    with pytest.raises(ConsentError, match="begins on 2026-07-01"):
        require("train", "Anna", show, now=midnight - timedelta(seconds=1))
    require("train", "Anna", show, now=midnight)
    require("train", "Anna", show, now=datetime(2026, 7, 31, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(ConsentError, match="ended on 2026-07-31"):
        require("train", "Anna", show, now=datetime(2026, 8, 1, tzinfo=UTC))


def test_another_production_is_refused_but_not_where_any_is_allowed(show: Path) -> None:
    consent(show, "Anna", production="Sequel")
    consent(show, "Ben", production=ANY)
    require("train", "Anna", show, " sequel ", now=NOON)  # the first record names the project's production too
    with pytest.raises(ConsentError, match=r"is for the production 'Sequel', this is 'Prequel'.*--production Prequel"):
        require("train", "Anna", show, "Prequel", now=NOON)
    require("train", "Ben", show, "Prequel", now=NOON)


def test_a_revoked_consent_is_none_and_another_one_counts_on(show: Path) -> None:
    first, second = consent(show, "Anna"), consent(show, "Anna", "train", until=None)
    book, taken = revoke(show, first.consent.id, "contract ended", now=NOON)
    assert taken == (first.consent.id,) and book.revoked[first.consent.id].reason == "contract ended"
    assert require("train", "Anna", show, now=NOON).consents == (second.consent.id,)
    with pytest.raises(ConsentError, match=rf"{first.consent.id} was revoked on 2026-06-15 \(contract ended\)"):
        require("replaced", "Anna", show, now=NOON)
    assert revoke(show, "Anna", now=NOON)[1] == (second.consent.id,)
    assert revoke(show, "Anna", now=NOON)[1] == ()


def test_all_reasons_are_told_the_newest_first(show: Path) -> None:
    consent(show, "Anna", "train", until=date(2026, 6, 20))
    consent(show, "Anna", "replaced")
    with pytest.raises(ConsentError, match=r"allows replaced alone; c-.* ended on 2026-06-20"):
        require("train", "Anna", show, now=NOON + timedelta(days=30))


def test_names_are_compared_without_case_spaces_and_spelling_in_unicode(show: Path) -> None:
    id = consent(show, "Zoë  Ångström").performer.id
    for name in ("zoë ångström", "Zoe\u0308 A\u030angstro\u0308m", " ZOË ÅNGSTRÖM "):
        assert require("train", name, show, now=NOON).performer == id
        assert consent(show, name, "train").performer.id == id


@pytest.mark.parametrize(
    "name", ["李小龍", "محمد علی", "می\u200cخواهم", "Ó'Brien-Smith, Jr.", "🦊", "-- --use", "../../etc"]
)
def test_any_name_will_do(show: Path, name: str) -> None:
    assert consent(show, name).performer.name == name
    require("train", name, show, now=NOON)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\u202eb", "x" * 201, "\ud800"])
def test_what_cannot_be_read_is_no_name(show: Path, name: str) -> None:
    with pytest.raises(ConsentError, match="is no name"):
        clean_name(name)
    with pytest.raises(ConsentError, match="is no name"):
        consent(show, name)
    assert not (show / "performers").exists()


def test_a_name_is_one_performers_and_a_further_consent_is_added_by_the_id(show: Path) -> None:
    anna = consent(show, "A. Name").performer
    for add_anew in (lambda: add(show, "a. name", Terms(("train",)), now=NOON), lambda: rename(show, "Ben", "a. name")):
        with pytest.raises(
            ConsentError, match=rf"there is a performer 'A. Name' already, {anna.id}.* add {anna.id} --"
        ):
            consent(show, "Ben")
            add_anew()
    more = add(show, anna.id, Terms(("train",)), now=NOON)
    assert more.performer == anna and len(more.book.consents_of(anna.id)) == 2
    with pytest.raises(ConsentError, match="there is no performer p-000000000000"):
        add(show, "p-000000000000", Terms(("train",)), now=NOON)


def test_a_renamed_performer_is_found_by_the_new_name_and_another_may_have_the_old_one(show: Path) -> None:
    id = consent(show, "Ben").performer.id
    rename(show, "Ben", "Ben B.", now=NOON)
    assert require("train", "BEN B.", show, now=NOON).performer == id
    with pytest.raises(ConsentError, match="there is no performer 'Ben'"):
        require("train", "Ben", show, now=NOON)
    assert consent(show, "Ben").performer.id != id
    assert rename(show, id, "ben b.", now=NOON).performers[id].name == "ben b."


@pytest.mark.parametrize(
    ("from_", "until", "why"),
    [
        (None, date(2026, 6, 14), r"in the past \(today is 2026-06-15, UTC\)"),
        (date(2027, 1, 2), date(2027, 1, 1), r"before it begins \(2027-01-02\)"),
    ],
)
def test_a_consent_that_could_never_count_is_not_recorded(
    show: Path, from_: date | None, until: date, why: str
) -> None:
    with pytest.raises(ConsentError, match=why):
        consent(show, from_=from_, until=until)
    assert not (show / "performers").exists()


def test_the_document_must_be_one(show: Path) -> None:
    empty = show / "empty.pdf"
    empty.touch()
    for paper, why in ((empty, "the document is empty"), (show, "cannot be read"), (show / "none.pdf", "No such file")):
        with pytest.raises(ConsentError, match=why):
            add(show, "Anna", Terms(("train",), paper=paper), now=NOON)
    assert not (show / "performers").exists()


def test_the_project_is_the_nearest_that_holds_a_place_or_the_one_that_is_named(
    show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent(show)
    inner, other = show / "a/inner", tmp_path / "other"
    for folder in (inner, other):
        folder.mkdir(parents=True)
        consent(folder)
    assert find_project(inner / "not/yet/there") == inner
    assert find_project(show / "a") == find_project(tmp_path, show) == show
    assert find_project(tmp_path) is find_project() is None
    assert find_project(inner, given=other) == other
    monkeypatch.setenv("FACEPLATE_PROJECT", str(other))
    assert find_project(inner) == other and find_project(given=inner) == inner
    with pytest.raises(ConsentError, match=r"is no project.*--project"):
        find_project(given=tmp_path)
    (tmp_path / "actors/performers").mkdir(parents=True)  # a folder that happens to be called so
    assert not (found := find_project(given=other)) or found == other
    monkeypatch.delenv("FACEPLATE_PROJECT")
    assert find_project(tmp_path / "actors") is None


# Who is in a clip


def face(use: Use = "replaced", name: str | None = None, digest: str | None = None, model: str | None = None) -> Face:
    return Face(use, "target", "--target-performer", name, Clip(Path("shot.mov"), digest or ""), model=model)


def test_the_only_one_who_may_be_used_so_need_not_be_named(show: Path) -> None:
    anna = consent(show, "Anna", "replaced").performer.id
    consent(show, "Ben", "train")
    assert granted(face(), show, now=NOON).performer == anna
    consent(show, "Carl", "replaced")
    with pytest.raises(
        ConsentError,
        match=r"shot.mov: whose face this is is not known; .*Anna .*Carl .*--target-performer NAME.*performer footage",
    ):
        granted(face(), show, now=NOON)
    assert granted(face(name="Carl"), show, now=NOON).name == "Carl"


def test_a_registered_clip_need_not_be_named_and_cannot_be_named_wrongly(show: Path) -> None:
    consent(show, "Anna", footage=(("digest", "shot.mov"),))
    ben = consent(show, "Ben").performer.id
    assert granted(face(digest="digest"), show, now=NOON).name == "Anna"
    with pytest.raises(ConsentError, match=rf"shot.mov: shows Anna \(p-.*\), as is recorded, not Ben \({ben}\)"):
        granted(face(digest="digest", name="Ben"), show, now=NOON)
    register(show, "Ben", [("digest", "shot.mov")], now=NOON)  # the latest word counts
    assert granted(face(digest="digest"), show, now=NOON).name == "Ben"


def test_what_a_model_says_of_whose_face_it_is_comes_last_but_for_guessing(show: Path) -> None:
    anna = consent(show, "Anna", footage=(("digest", "shot.mov"),)).performer.id
    ben = consent(show, "Ben").performer.id
    assert granted(face(model=ben), show, now=NOON).performer == ben
    assert granted(face(model=ben, digest="digest"), show, now=NOON).performer == anna
    with pytest.raises(ConsentError, match="no performer 'p-000000000000'"):
        granted(face(model="p-000000000000"), show, now=NOON)


def test_one_who_may_not_is_refused_with_the_reason_and_many_with_their_names(show: Path) -> None:
    consent(show, "Anna", "train")
    with pytest.raises(ConsentError, match=r"Anna .* may not be replaced: .* allows train alone"):
        granted(face(), show, now=NOON)
    consent(show, "Ben", "train")
    with pytest.raises(
        ConsentError, match=r"Anna .* allows train alone; Ben .* may not be replaced: .* allows train alone"
    ):
        granted(face(), show, now=NOON)


def test_the_sample_clips_speak_for_themselves_and_need_no_project(samples: Path, show: Path) -> None:
    for digest, name in SAMPLES.items():
        assert digest_footage(samples / f"{name}.mp4") == digest
        given = granted(face(digest=digest), None)
        assert given == Grant(f"sample-{name}", name, (RECORD,)) and is_sample(given.performer)
    assert {f"{name}.mp4" for name in SAMPLES.values()} == {name for name in FACES.files if name.endswith(".mp4")}
    assert not is_sample("p-000000000000")
