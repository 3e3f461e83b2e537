"""Loader of models for Swap's method `model`: ours, after `docs/model-contract.md`, or DeepFaceLab's `.dfm`."""

from __future__ import annotations

import logging
from pathlib import Path

from nodes.errors import ModelError
from nodes.runtime import create_session
from nodes.swap.contract import load_contract
from nodes.swap.dfm import is_dfm, load_dfm
from nodes.swap.runner import DOCS, SwapModel

_log = logging.getLogger(__name__)
__all__ = ["SwapModel", "load_model"]


def load_model(
    path: Path | str,
    *,
    subject: str | None = "face",
    template: str | None = None,
    cpu: bool = False,
) -> SwapModel:
    """Load a swap model and check that it fits.

    subject, template: of the crops; None takes any. Raises ModelError for a file that is missing, corrupt, or made for
    something else; SchemaError for one made for a newer Faceplate.
    """
    file = Path(path)
    session = create_session(file, cpu=cpu)
    metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
    _log.info(
        "model %s: %s",
        file,
        "with a contract" if "faceplate.schema" in metadata else "without a contract: a .dfm, if it is one",
    )
    if "faceplate.schema" in metadata:
        return load_contract(file, session, metadata, subject, template)
    if is_dfm(session):
        return load_dfm(file, session, metadata)
    raise ModelError(
        "is an ONNX model, but no swap model: its metadata has no 'faceplate.schema'", file=file, remedy=DOCS
    )
