"""What writers ask before they begin: facesets, trainings, swaps, exports; and what they then say of where it comes from."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import onnx
import pytest

from nodes.consent.edit import revoke
from nodes.consent.gate import NOBODY, RECORD, SAMPLES, Clip, Earlier
from nodes.consent.provenance import (
    PerformerPart,
    Provenance,
    read_document,
    read_metadata_of,
    read_model,
)
from nodes.definitions import ConsentParameters, SwapParameters
from nodes.errors import ConsentError
from tests.support.consents import NOON, apart, consent, for_faceset, for_swap, for_training, onnx_file, still_given

CAST, CONSENT = SwapParameters(), ConsentParameters()
PLATE, SOURCE = Clip(Path("plate.mov"), "aa"), Clip(Path("source.mov"), "bb")
FRANCK, CAP12, CAP13 = (Clip(Path(f"{name}.mp4"), digest) for digest, name in SAMPLES.items())


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return apart(monkeypatch, tmp_path)


def cast(target: str | None = None, source: str | None = None) -> SwapParameters:
    return SwapParameters(target_performer=target, source_performer=source)


def trained(show: Path, source: str, target: str) -> Provenance:
    sets = [(name, for_faceset(name, [Clip(Path("x"), name)], CONSENT, show, now=NOON)) for name in (source, target)]
    return for_training(sets, CONSENT, show, now=NOON)


def model(provenance: Provenance | None) -> Clip:
    return Clip(onnx_file(Path("model.onnx"), provenance), "mm")


def test_a_faceset_says_whose_it_is_by_which_consents_and_from_which_clips(show: Path) -> None:
    anna = consent(show, "Anna", "train")
    made = for_faceset("Anna", [SOURCE, PLATE, PLATE], CONSENT, show / "out", now=NOON)
    assert made.performers == (PerformerPart(id=anna.performer.id, role="performer", consents=(anna.consent.id,)),)
    assert made.footage == ("aa", "bb") and "Anna" not in made.model_dump_json()


def test_a_faceset_of_one_who_may_not_be_trained_on_is_refused(show: Path) -> None:
    consent(show, "Anna", "replaced", "replacement")
    with pytest.raises(ConsentError, match=r"Anna .* may not be trained on: .* allows replaced, replacement alone"):
        for_faceset("Anna", [SOURCE], CONSENT, show / "out", now=NOON)


def test_a_faceset_is_of_one_performer(show: Path) -> None:
    consent(show, "Anna", footage=(("aa", "plate.mov"),))
    consent(show, "Ben", footage=(("bb", "source.mov"),))
    with pytest.raises(ConsentError, match=r"source.mov: shows Ben .*, as is recorded, not Anna"):
        for_faceset("Anna", [PLATE, SOURCE], CONSENT, show, now=NOON)
    with pytest.raises(ConsentError, match=r"franck.mp4: shows franck \(sample-franck\), other clips Anna"):
        for_faceset("Anna", [PLATE, FRANCK], CONSENT, show, now=NOON)


def test_a_model_says_who_is_put_on_whom_and_a_base_only_who_is_in_it(show: Path) -> None:
    ids = {name: consent(show, name).performer.id for name in ("Anna", "Ben", "Carl")}
    pair = trained(show, "Anna", "Ben")
    assert [(p.id, p.role) for p in pair.performers] == [(ids["Anna"], "source"), (ids["Ben"], "target")]
    assert pair.footage == ("Anna", "Ben")
    sets = [(n, for_faceset(n, [Clip(Path("x"), n)], CONSENT, show, now=NOON)) for n in ids]
    base = for_training(sets, CONSENT, show, now=NOON)
    assert [(p.id, p.role) for p in base.performers] == [(id, "performer") for id in ids.values()]


def test_training_asks_again_by_the_faceset_or_by_the_name_where_that_says_nothing(show: Path) -> None:
    consent(show, "Anna")
    ben = consent(show, "Ben", until=(NOON + timedelta(days=30)).date())
    of_ben = for_faceset("Ben", [PLATE], CONSENT, show, now=NOON)
    assert [p.id for p in for_training([("Anna", None), ("x", of_ben)], CONSENT, show, now=NOON).performers][
        1
    ] == ben.performer.id
    later = NOON + timedelta(days=31)
    with pytest.raises(ConsentError, match=r"Ben .* may not be trained on: .* ended on 2026-07-15"):
        for_training([("Anna", None), ("Ben", of_ben)], CONSENT, show, later)
    with pytest.raises(ConsentError, match="no performer 'Carl'"):
        for_training([("Anna", None), ("Carl", None)], CONSENT, show, later)


def test_a_swap_asks_for_both_and_says_both(show: Path) -> None:
    anna, ben = consent(show, "Anna", "replacement"), consent(show, "Ben", "replaced")
    made = for_swap(PLATE, SOURCE, None, CAST, show / "out", NOON)
    assert made.performers == (
        PerformerPart(id=ben.performer.id, role="target", consents=(ben.consent.id,)),
        PerformerPart(id=anna.performer.id, role="source", consents=(anna.consent.id,)),
    )
    assert made.footage == ("aa", "bb") and made.unknown == ()
    with pytest.raises(ConsentError, match=r"Anna .* may not be replaced"):
        for_swap(PLATE, SOURCE, None, cast(target="Anna"), show / "out", NOON)
    with pytest.raises(ConsentError, match=r"Ben .* may not be put in"):
        for_swap(PLATE, SOURCE, None, cast(source="Ben"), show / "out", NOON)


def test_the_project_is_that_of_the_result_or_of_the_footage_or_the_one_we_are_in(
    show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent(show, "Anna")
    monkeypatch.chdir(tmp_path)
    inside = Clip(show / "plate.mov", "aa")
    for_swap(PLATE, SOURCE, None, CAST, show / "out", NOON)
    for_swap(inside, SOURCE, None, CAST, tmp_path / "out", NOON)
    for_swap(PLATE, SOURCE, None, SwapParameters(project=show), tmp_path / "out", NOON)
    with pytest.raises(ConsentError, match="nobody may be replaced here"):
        for_swap(PLATE, SOURCE, None, CAST, tmp_path / "out", NOON)
    monkeypatch.chdir(show)
    for_swap(PLATE, SOURCE, None, CAST, tmp_path / "out", NOON)


def test_a_model_tells_who_is_who_and_its_consents_and_footage_go_on(show: Path) -> None:
    for name in ("Anna", "Ben", "Carl"):
        consent(show, name)
    pair = trained(show, "Anna", "Ben")
    made = for_swap(PLATE, None, model(pair), CAST, show, NOON)
    assert {(p.id, p.role) for p in made.performers} == {(p.id, p.role) for p in pair.performers}
    assert set(made.footage) == {"aa", "Anna", "Ben"} and set(made.consents) == set(pair.consents)
    with pytest.raises(ConsentError, match=r"model.onnx: puts in the face of p-.*, not of Carl"):
        for_swap(PLATE, None, model(pair), cast(source="Carl"), show, NOON)


def test_a_model_by_a_revoked_consent_is_refused_by_one_that_has_ended_it_is_not(show: Path) -> None:
    learned = consent(show, "Anna", "train", until=(NOON + timedelta(days=1)).date())
    consent(show, "Anna", "replacement", "replaced")
    consent(show, "Ben")
    pair, later = trained(show, "Anna", "Ben"), NOON + timedelta(days=3)
    for_swap(PLATE, None, model(pair), CAST, show, later)
    revoke(show, learned.consent.id, now=later)
    with pytest.raises(
        ConsentError,
        match=rf"model.onnx: it was made by the consent {learned.consent.id}, which was revoked on 2026-06-18. Delete it",
    ):
        for_swap(PLATE, None, model(pair), CAST, show, later)


def test_a_model_of_another_project_is_refused(show: Path, tmp_path: Path) -> None:
    consent(show, "Anna")
    other = tmp_path / "other"
    other.mkdir()
    consent(other, "Anna")
    pair = trained(show, "Anna", "Anna")
    with pytest.raises(ConsentError, match=r"no performer 'p-"):
        for_swap(PLATE, None, model(pair), CAST, other, NOON)
    with pytest.raises(ConsentError, match=r"made by the consent c-.*, which is not in the project .*other"):
        for_swap(
            PLATE,
            None,
            model(
                pair.model_copy(
                    update={"performers": (PerformerPart(id="p-1", role="performer", consents=pair.consents),)}
                )
            ),
            CAST,
            other,
            NOON,
        )


def test_a_model_that_says_nothing_is_noted_in_what_it_makes(show: Path) -> None:
    consent(show, "Anna")
    made = for_swap(PLATE, None, model(None), CAST, show, NOON)
    assert made.unknown == ("mm",) and len(made.performers) == 2
    assert Provenance.joined(made, for_swap(PLATE, SOURCE, None, CAST, show, NOON)).unknown == ("mm",)


def test_the_samples_need_no_project_from_clip_to_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch, tmp_path)
    sets = [
        ("franck", for_faceset("franck", [FRANCK], CONSENT, tmp_path)),
        ("cap12", for_faceset("x", [CAP12], CONSENT, tmp_path)),
    ]
    pair = for_training(sets, CONSENT, tmp_path)
    made = for_swap(CAP13, FRANCK, model(pair), CAST, tmp_path)
    assert made.consents == (RECORD,) and still_given(made, CONSENT, tmp_path) == made
    with pytest.raises(ConsentError, match="nobody may be replaced here"):
        for_swap(PLATE, FRANCK, model(pair), CAST, tmp_path)


def test_what_goes_out_must_be_allowed_still(show: Path) -> None:
    consent(show, "Anna", "replacement")
    ben = consent(show, "Ben", "replaced", until=(NOON + timedelta(days=1)).date())
    made = for_swap(PLATE, SOURCE, None, CAST, show, NOON)
    assert still_given(made, CONSENT, show, now=NOON) == made
    with pytest.raises(ConsentError, match=rf"Ben .* may not be replaced: {ben.consent.id} ended on"):
        still_given(made, CONSENT, show, now=NOON + timedelta(days=2))


def test_what_was_made_by_a_revoked_consent_does_not_go_out_by_another_one(show: Path) -> None:
    consent(show, "Anna", "replacement")
    first = consent(show, "Ben", "replaced").consent.id
    made = for_swap(PLATE, SOURCE, None, CAST, show, NOON)
    consent(show, "Ben", "replaced", until=None)
    revoke(show, first, now=NOON)
    file = show / "shot"
    with pytest.raises(ConsentError, match=rf"shot: it was made by the consent {first}, which was revoked on"):
        still_given(made, CONSENT, show, file=file, now=NOON)
    anew = for_swap(PLATE, SOURCE, None, CAST, show, NOON)
    assert still_given(anew, CONSENT, show, file=file, now=NOON) == anew


# What was made by it


def test_the_metadata_of_an_onnx_file_is_read_without_its_graph(tmp_path: Path) -> None:
    said = Provenance(performers=(PerformerPart(id="p-1", role="source", consents=("c-1",)),), footage=("ü",))
    path = onnx_file(tmp_path / "m.onnx", said, 5_000_000)
    metadata = read_metadata_of(path)
    assert metadata == {p.key: p.value for p in onnx.load(path).metadata_props} and metadata["faceplate.size"] == "128"
    assert read_model(path) == said
    assert read_model(onnx_file(tmp_path / "n.onnx", None)) is None


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 50, b"not a model", b"\x72\xff\xff\xff\xff\x7f", b"\xff" * 40, b"\x0b"]
)
def test_a_file_that_is_no_model_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert read_model(path) is None


def test_what_cannot_be_understood_is_no_provenance(tmp_path: Path) -> None:
    damaged = onnx_file(tmp_path / "damaged.onnx", None, text="{")
    for document in ({}, {"provenance": None}, {"provenance": {"performers": [{"id": "p-1", "role": "king"}]}}):
        assert read_document(document) is None
    assert read_model(damaged) is None
    newer = {"performers": [], "footage": [], "version": "9", "more": 1}
    assert read_document({"provenance": newer}) == Provenance(version="9")


def test_a_faceset_or_model_that_names_others_than_its_footage_shows_was_edited(show: Path) -> None:
    anna = consent(show, "Anna", footage=(("aa", "plate.mov"),)).performer.id
    ben = consent(show, "Ben").performer.id
    of_anna = for_faceset("Anna", [PLATE], CONSENT, show, now=NOON)
    of_ben = for_faceset("Ben", [Clip(Path("x"), "cc")], CONSENT, show, now=NOON)
    edited = of_anna.model_copy(update={"performers": of_ben.performers})
    said = f"the faceset of Ben does not name, but was made from the footage of, {anna}"
    with pytest.raises(ConsentError, match=said):
        for_training([("Ben", edited), ("Ben", of_ben)], CONSENT, show, now=NOON)
    pair = trained(show, "Ben", "Ben").model_copy(update={"footage": ("aa",)})
    with pytest.raises(ConsentError, match=f"model.onnx: it does not name, but was made from the footage of, {anna}"):
        for_swap(PLATE, None, model(pair), cast(source=ben), show, NOON)


def test_nobody_is_said_to_be_a_sample(show: Path) -> None:
    with pytest.raises(ConsentError, match="nobody may be replaced here"):
        for_swap(PLATE, FRANCK, None, cast(target="sample-franck"), show, NOON)
    consent(show, "Ben")
    with pytest.raises(ConsentError, match="there is no performer 'sample-franck'"):
        for_swap(PLATE, FRANCK, None, cast(target="sample-franck"), show, NOON)
    pair = trained(show, "Ben", "Ben").model_copy(
        update={"performers": (PerformerPart(id="sample-franck", role="target", consents=(RECORD,)),)}
    )
    with pytest.raises(ConsentError, match="there is no performer 'sample-franck'"):
        for_swap(PLATE, FRANCK, model(pair), CAST, show, NOON)


@pytest.mark.parametrize(("name", "given"), [("source", NOBODY), ("franck", RECORD)])
def test_a_model_of_clips_that_are_free_is_used_without_a_project(name: str, given: str) -> None:
    made = Provenance(performers=(PerformerPart(id=f"sample-{name}", role="source", consents=(given,)),))
    assert Earlier(made).checked(None, None) == made
