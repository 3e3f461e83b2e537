"""`faceplate credentials`: show, verify, sign, certificate, off, on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from host_bridge.cli.options import Json
from host_bridge.cli.output import print_json
from host_bridge.jobs.consent import CredentialsResult
from nodes.credentials.identity import configuration_file, load_identity, load_trust, local_root
from nodes.credentials.verdict import Verdict
from nodes.credentials.verify import verify as find_verdicts
from nodes.errors import CredentialsError
from nodes.files import whole_file
from nodes.text import printable

credentials = App(name="credentials", help_format="plaintext")
Paths = Annotated[tuple[Path, ...], Parameter(negative_iterable=(), show_default=False)]
Project = Annotated[
    Path | None, Parameter(help="The project's folder; by default the one that holds the folder you are in.")
]
Results = Annotated[
    Path,
    Parameter(
        help="A picture, a movie, a .c2pa file, a sequence as name.%04d.exr, or a folder with the results of a shot."
    ),
]
_SOURCE_TYPES = {
    "compositeWithTrainedAlgorithmicMedia": "edited with a trained model (generative AI)",
    "trainedAlgorithmicMedia": "made by a trained model (generative AI)",
    "compositeSynthetic": "a composite with parts made by generative AI",
    "composite": "a composite",
    "compositeCapture": "a composite of captures of real life",
    "humanEdits": "edited by hand",
    "digitalCapture": "captured from real life",
}


@credentials.command
def show(path: Results, /, *, json: Json = False) -> None:
    """Show what the Content Credentials of a file say, and how far they can be believed."""
    verdicts = _verdicts(path, ())
    if json:
        result = CredentialsResult.of(verdicts).model_dump(mode="json")
        for file, verdict in zip(result["files"], verdicts, strict=True):
            file["manifest"] = verdict.manifest and asdict(verdict.manifest)
        print_json(result)
        return
    for verdict in verdicts:
        _print(verdict)
        if verdict.manifest is None:
            continue
        if not verdict.intact:
            print("  so what it says is not to be believed:")
        for name, value in _rows(verdict):
            print(f"  {name:<11} {printable(value)}")


@credentials.command
def verify(path: Results, /, *, trust: Paths = (), json: Json = False) -> int:
    """Verify that nothing was changed since it was signed. Ends with status 0 if so.

    Else 11: changed, cut off, or stripped of its credentials; 12: there are none; 13: intact, but signed with a certificate that this
    machine does not know.

    Parameters
    ----------
    trust
        A root certificate to trust as well, as PEM, as `faceplate credentials certificate` writes it. May be given more than once.
    """
    result = CredentialsResult.of(_verdicts(path, trust))
    if json:
        print_json(result)
    else:
        for verdict in result.files:
            _print(verdict)
    return result.status


@credentials.command
def sign(render: Path, /, *, of: Paths, json: Json = False) -> None:
    """Sign what you rendered in another program with results of Faceplate in it: a movie, a picture or a sequence.

    It says then what the results say: the plates, the models, the consents; and that an artist finished it elsewhere.

    Parameters
    ----------
    render
        What was rendered. A sequence as name.%04d.exr, or its folder.
    of
        A shot's folder, or that of an edit's run, of which all shots count that are done. Can be repeated.
    """
    from host_bridge.timeline.document import shot_folders
    from nodes.credentials.sign import sign_render
    from nodes.shot_document import load_shot

    shots = [shot for folder in of for shot in shot_folders(folder.expanduser())]
    signed = sign_render(render.expanduser(), [load_shot(shot) for shot in shots])
    manifest = signed.sidecar or signed.file
    if json:
        print_json({"schema": "faceplate.signed/1", "manifest": str(manifest), "time_stamped": signed.stamped})
    else:
        print(f"signed; the manifest is in {manifest}")


@credentials.command
def certificate(*, out: Path | None = None, json: Json = False) -> None:
    """Say with which certificate results are signed here, and write its root for others to trust. Makes one if there is none.

    Parameters
    ----------
    out
        Write the root of this machine's own certificate to this file, as PEM. It holds no key.
    """
    identity, configuration = load_identity(), configuration_file()
    if out is not None:
        root = local_root() if identity.local else None
        if root is None:
            what = "a production's own certificate is configured; whoever issued it has the root"
            raise CredentialsError(what, file=configuration, remedy="Ask them for it")
        with whole_file(out.expanduser()) as temporary:
            temporary.write_text(root, "ascii")
    document = {
        "schema": "faceplate.certificate/1",
        "name": identity.name,
        "serial": str(identity.certificate.serial_number),
        "sha256": identity.fingerprint,
        "until": identity.certificate.not_valid_after_utc.date().isoformat(),
        "local": identity.local,
        "time_stamp": identity.time_stamp,
        "configuration": str(configuration),
    }
    if json:
        print_json(document)
        return
    print(f"{document['name']}, certificate {document['serial']}, until {document['until']}")
    print(f"SHA-256 {document['sha256']}")
    if identity.local:
        print("made on this machine: it shows that nothing was changed since it signed, and is known to nobody else")
    print(f"time-stamps: {f'by {identity.time_stamp}' if identity.time_stamp else 'none'}")
    print(f"configured in {configuration}" + ("" if configuration.exists() else ", which is not there"))


@credentials.command
def off(*, reason: str, project: Project = None) -> None:
    """Write results without Content Credentials from now on. It is a setting of the project, and each result says so.

    Parameters
    ----------
    reason
        Why. Each result says it.
    """
    _switch(project, signed=False, reason=reason)


@credentials.command
def on(*, project: Project = None) -> None:
    """Write results with Content Credentials again."""
    _switch(project, signed=True, reason="")


def _switch(told: Path | None, *, signed: bool, reason: str) -> None:
    from host_bridge.cli.commands.performer import the_project
    from nodes.credentials.sign import switch

    project = the_project(told)
    switched_off = switch(project, signed, reason)
    if switched_off is None:
        print(f"results of {project} carry Content Credentials")
    else:
        since, why = switched_off.since, switched_off.reason
        print(f"results of {project} carry no Content Credentials since {since}: {why}")


def _verdicts(path: Path, trust: tuple[Path, ...]) -> list[Verdict]:
    from host_bridge.cli.progress import show_progress

    with show_progress() as watch:
        return find_verdicts(path.expanduser(), load_trust(trust), watch.progress)


def _print(verdict: Verdict) -> None:
    frames = f" ({verdict.frames} frames)" if verdict.frames and verdict.frames > 1 else ""
    print(f"{printable(str(verdict.file))}{frames}: {verdict.what}")
    for fault in verdict.faults:
        print(f"  {printable(fault)}")


def _rows(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Yield the entries of a manifest, by name."""
    from nodes.parts import PARTS

    manifest = verdict.manifest
    assert manifest is not None
    swap = manifest.swap
    yield (
        "what",
        next((part.meaning for name, part in PARTS.items() if name == swap.get("part")), manifest.title or "not said"),
    )
    yield "made with", manifest.software
    for action in manifest.actions:
        kind = f", {_SOURCE_TYPES.get(action.source_type, action.source_type)}" if action.source_type else ""
        description = f": {action.description}" if action.description else ""
        when = f" ({action.when})" if action.when else ""
        yield "done", f"{action.action}{kind}{description}{when}"
    for name in ("plate", "source", "model"):
        yield from ((name, str(digest)) for digest in _list(swap.get(f"{name}s")))
    for consent in _list(swap.get("consents")):
        if isinstance(consent, dict):
            records = ", ".join(map(str, _list(consent.get("records"))))
            yield "consent", f"{consent.get('role')}: {records or 'none is recorded'}"
    for digest in _list(swap.get("unknown")):
        yield "warning", f"whom the model {digest} was trained on is not known"
    for ingredient in manifest.ingredients if not swap else ():
        yield "made from", " ".join(filter(None, (ingredient.get("title"), ingredient.get("relationship"))))
    yield "signed by", f"{manifest.signer} ({manifest.issuer}), certificate {manifest.serial}"
    server = "that this machine trusts" if verdict.time_trusted else "that this machine does not know"
    none = "none: when it was signed is only as sure as the clock of who signed"
    yield "time-stamp", f"{manifest.time}, by a server {server}" if manifest.time else none


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
