"""Which certificate signs, who stamps the time and whom this user trusts: a TOML file of the user's, never of a project's.

A project comes from somebody else as often as not; it shall not choose whom this user trusts, nor where this machine calls.

    certificate = "studio.pem"                     # the chain, the signing certificate first
    private_key = "studio.key"                     # PEM, readable by you alone
    time_stamp = "https://timestamp.example.com"   # a time-stamp server (RFC 3161)
    trust = ["partner.pem"]                        # further roots to trust when verifying

Paths are relative to the file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Self

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from nodes.errors import CredentialsError

VARIABLE = "FACEPLATE_CREDENTIALS"


class Configuration(BaseModel):
    """What the file says; empty where there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path | None = None
    private_key: Path | None = None
    time_stamp: str | None = None
    trust: tuple[Path, ...] = ()

    @field_validator("time_stamp")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("is no http address")
        return value

    @model_validator(mode="after")
    def _come_together(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        return self


def configuration_file() -> Path:
    """The file that counts, there or not: the one FACEPLATE_CREDENTIALS names, else `credentials.toml` in the user's configuration."""
    told = os.environ.get(VARIABLE)
    if told:
        return Path(told).expanduser().absolute()
    return user_config_path("faceplate", appauthor=False) / "credentials.toml"


def read_configuration() -> Configuration:
    """Read the configuration. Raises CredentialsError for a damaged one, and for one that is named and not there."""
    path = configuration_file()
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        found = Configuration.model_validate(told)
    except FileNotFoundError as e:
        if os.environ.get(VARIABLE):
            raise CredentialsError("does not exist", file=path, remedy=f"Write it, or unset {VARIABLE}") from e
        return Configuration()
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise CredentialsError(what, file=path, remedy="It knows certificate, private_key, time_stamp, trust") from e
    except (OSError, ValueError, RecursionError) as e:
        raise CredentialsError(f"cannot be read ({e})", file=path, remedy="Write it as TOML") from e

    def placed(name: Path) -> Path:
        try:
            return path.parent / name.expanduser()
        except RuntimeError as e:
            raise CredentialsError(f"{name}: there is no such user", file=path, remedy="Write the path in full") from e

    return found.model_copy(
        update={
            "certificate": found.certificate and placed(found.certificate),
            "private_key": found.private_key and placed(found.private_key),
            "trust": tuple(placed(p) for p in found.trust),
        }
    )
