"""`faceplate credentials`: show, verify, sign, certificate, off, on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json

if TYPE_CHECKING:
    from nodes.credentials.verdict import Verdict

credentials = App(name="credentials", help_format="plaintext")
Paths = Annotated[tuple[Path, ...], Parameter(negative_iterable=(), show_default=False)]


@credentials.command
def show(path: Path, /, *, json: Flag = False) -> None:
    """Show what the Content Credentials of a file say, and how far they can be believed.

    Parameters
    ----------
    path
        A picture, a movie, a .c2pa file, a sequence as name.%04d.exr, or a folder with the results of a shot.
    json
        Print it as JSON.
    """
    from host_bridge.cli.credentials_view import print_said
    from nodes.credentials.verdict import as_document

    found = _verified(path, ())
    if json:
        print_json(as_document(found, whole=True))
        return
    for verdict in found:
        print_said(verdict)


@credentials.command
def verify(path: Path, /, *, trust: Paths = (), json: Flag = False) -> int:
    """Verify that nothing was changed since it was signed. Ends with status 0 if so.

    Else 11: changed, cut off, or stripped of its credentials; 12: there are none; 13: intact, but signed with a certificate that this
    machine does not know.

    Parameters
    ----------
    path
        A picture, a movie, a .c2pa file, a sequence as name.%04d.exr, or a folder with the results of a shot.
    trust
        A root certificate to trust as well, as PEM, as `faceplate credentials certificate` writes it. May be given more than once.
    json
        Print what was found as JSON.
    """
    from host_bridge.cli.credentials_view import print_verdicts
    from nodes.credentials.verdict import as_document, exit_status

    found = _verified(path, trust)
    if json:
        print_json(as_document(found))
    else:
        print_verdicts(found)
    return exit_status(found)


@credentials.command
def sign(render: Path, /, *, of: Paths, json: Flag = False) -> None:
    """Sign what you rendered in another program with results of Faceplate in it: a movie, a picture or a sequence.

    It says then what the results say: the plates, the models, the consents; and that an artist finished it elsewhere.

    Parameters
    ----------
    render
        What was rendered. A sequence as name.%04d.exr, or its folder.
    of
        A shot's folder, or that of an edit's run, of which all shots count that are done. Can be repeated.
    json
        Print it as JSON.
    """
    from host_bridge.timeline.document import shot_folders
    from nodes.credentials.render import sign_render

    signed = sign_render(render.expanduser(), [shot for folder in of for shot in shot_folders(folder.expanduser())])
    manifest = signed.sidecar or signed.file
    if json:
        print_json({"schema": "faceplate.signed/1", "manifest": str(manifest), "time_stamped": signed.stamped})
    else:
        print(f"signed; the manifest is in {manifest}")


@credentials.command
def certificate(*, out: Path | None = None, json: Flag = False) -> None:
    """Say with which certificate results are signed here, and write its root for others to trust. Makes one if there is none.

    Parameters
    ----------
    out
        Write the root of this machine's own certificate to this file, as PEM. It holds no key.
    json
        Print it as JSON.
    """
    from nodes.credentials.config import configuration_file
    from nodes.credentials.identity import load_identity
    from nodes.credentials.local import local_root
    from nodes.errors import CredentialsError
    from nodes.files import whole_file

    identity = load_identity()
    if out is not None:
        root = local_root() if identity.local else None
        if root is None:
            raise CredentialsError(
                "a production's own certificate is configured; whoever issued it has the root",
                file=configuration_file(),
                remedy="Ask them for it",
            )
        with whole_file(out.expanduser()) as temporary:
            temporary.write_text(root, "ascii")
    told = {
        "schema": "faceplate.certificate/1",
        "name": identity.name,
        "serial": str(identity.certificate.serial_number),
        "sha256": identity.fingerprint,
        "until": identity.certificate.not_valid_after_utc.date().isoformat(),
        "local": identity.local,
        "time_stamp": identity.time_stamp,
        "configuration": str(configuration_file()),
    }
    if json:
        print_json(told)
        return
    print(f"{told['name']}, certificate {told['serial']}, until {told['until']}")
    print(f"SHA-256 {told['sha256']}")
    if identity.local:
        print("made on this machine: it shows that nothing was changed since it signed, and is known to nobody else")
    stamp = f"by {identity.time_stamp}" if identity.time_stamp else "none"
    print(f"time-stamps: {stamp}")
    print(f"configured in {told['configuration']}" + ("" if configuration_file().exists() else ", which is not there"))


@credentials.command
def off(*, reason: str, project: Path | None = None) -> None:
    """Write results without Content Credentials from now on. It is a record of the project, signed, and each result names it.

    Parameters
    ----------
    reason
        Why. It is recorded.
    project
        The project's folder; by default the one that holds the folder you are in.
    """
    _switch(project, signed=False, reason=reason)


@credentials.command
def on(*, project: Path | None = None) -> None:
    """Write results with Content Credentials again. It is a record of the project as well.

    Parameters
    ----------
    project
        The project's folder; by default the one that holds the folder you are in.
    """
    _switch(project, signed=True, reason="")


def _switch(told: Path | None, *, signed: bool, reason: str) -> None:
    from host_bridge.cli.commands.performer import the_project
    from nodes.credentials.setting import switch

    project = the_project(told)
    found = switch(project, signed, reason)
    if found is None:
        print(f"results of {project} carry Content Credentials")
    else:
        print(f"results of {project} carry no Content Credentials since {found.since}: {found.reason}")


def _verified(path: Path, trust: tuple[Path, ...]) -> list[Verdict]:
    from host_bridge.cli.progress import show_progress
    from host_bridge.jobs.credentials import verified

    with show_progress() as shown:
        return verified(path.expanduser(), trust, shown.progress)
