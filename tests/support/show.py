"""A project with a run of an edit, for tests of what is told of it: records, models and results that are signed, without a picture in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from host_bridge.timeline.document import EditRecord, ShotRecord, TimelineRun, save
from host_bridge.timeline.shots.shot import Media
from nodes.cache import digest_file
from nodes.consent import records as clock
from nodes.consent.edit import Added
from nodes.consent.provenance import PerformerPart, Provenance, Role
from nodes.credentials.identity import load_identity
from nodes.credentials.sign import sign_shot
from nodes.shot_document import ShotDocument
from tests.support.consents import apart, consent
from tests.support.shot_documents import shot_document
from tests.support.timeline_results import done_shot

TODAY = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
NAME = "Jürgen <b>Weiß</b>"
MEDIA = Media(url="plate.mov", path=None, rate=Fraction(25), start=1000, frames=100)


@dataclass(frozen=True)
class Show:
    """ann is replaced; put_in, with a name that is no text for a page to trust, is put in."""

    folder: Path
    edit: Path
    ann: Added
    put_in: Added

    @property
    def out(self) -> Path:
        return self.edit.with_name("cut.faceplate")

    def save(self, *shots: ShotRecord) -> None:
        digest = hashlib.sha256(self.edit.read_bytes()).hexdigest()
        save(self.out, TimelineRun(edit=EditRecord(path=self.edit, digest=digest), shots=shots))

    def shot(self, name: str, place: int = 0, **more: Any) -> ShotRecord:
        """A finished shot of ten frames, with its result."""
        self.result(name)
        return done_shot(name, (0, place), MEDIA, (0, 9), **more)

    def result(
        self,
        name: str,
        method: str = "model",
        *,
        target: Added | None = None,
        source: Added | None = None,
        model: str = "ann.onnx",
        **more: Any,
    ) -> Path:
        """A shot's folder as a swap leaves it, signed unless `credentials` are told. target, source: ann and put_in."""
        folder = self.out / "shots" / name
        folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / model
        file.write_bytes(f"a model {model}".encode())
        plate = hashlib.sha256(name.encode()).hexdigest()
        inputs: dict[str, Any] = {"plate": {"path": f"/plates/{name}.mov", "digest": plate}}
        if method == "model":
            inputs["model"] = {"path": str(file), "digest": digest_file(file)}
        parts = (part(target or self.ann, "target"), part(source or self.put_in, "source"))
        provenance = Provenance(performers=parts, footage=(plate, "bb" * 32)).document()
        shot = ShotDocument.model_validate(shot_document(inputs, method, **{"provenance": provenance} | more))
        if "credentials" not in more:
            (folder / "composite.mkv").write_bytes(f"the finished picture of {name}".encode())
            shot = shot.model_copy(update={"credentials": sign_shot(folder, shot, load_identity())})
        shot.save(folder)
        return folder

    def tell(self, name: str, **more: Any) -> None:
        """Change what a shot's document says."""
        file = self.out / "shots" / name / "shot.json"
        file.write_text(json.dumps(json.loads(file.read_bytes()) | more))


def part(who: Added, role: Role) -> PerformerPart:
    """Somebody in a result, by the consent that was given."""
    return PerformerPart(id=who.performer.id, role=role, consents=(who.consent.id,))


def new_show(patch: pytest.MonkeyPatch, place: Path) -> Show:
    """A show of its own, on the first of July 2026."""
    folder = apart(patch, place)
    patch.setattr("nodes.credentials.identity.user_config_path", lambda *_, **__: place / "config")
    patch.setattr(clock, "now", lambda: TODAY)
    ann = consent(folder, "Ann", "replaced", until=date(2027, 12, 31))
    put_in = consent(folder, NAME, "replacement", "train", until=None)
    edit = folder / "cut.otio"
    edit.write_text("an edit that the report does not look into")
    return Show(folder, edit, ann, put_in)


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """A show for one test."""
    return new_show(monkeypatch, tmp_path)
