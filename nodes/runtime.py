"""ONNX Runtime outside the trainer: choice of the provider that runs a model, and the embedded weights, verified.

The weights' manifest (`nodes/weights/manifest.json`, schema `faceplate.weights/1`) lists each file with its SHA-256; a
file is verified once per process, when first loaded, and an error names a corrupt one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path
from threading import RLock
from typing import Any

import onnxruntime as ort

from nodes.errors import ModelError, SchemaError
from nodes.files import check_schema

_log = logging.getLogger(__name__)
WEIGHTS = Path(__file__).parent / "weights"
SCHEMA = "faceplate.weights/1"

# Fastest first. Without TensorRT, which compiles a model for minutes at its first run.
_PREFERRED = ("CUDAExecutionProvider", "ROCMExecutionProvider", "CoreMLExecutionProvider", "DmlExecutionProvider")
_CPU = "CPUExecutionProvider"

_lock = RLock()
_sessions: dict[tuple[Any, ...], ort.InferenceSession] = {}


def choose_providers(*, cpu: bool = False) -> list[str]:
    """List the execution providers to use, fastest first, out of those that this ONNX Runtime reports; CPU is last."""
    available = ort.get_available_providers()
    preferred = () if cpu else _PREFERRED
    return [p for p in preferred if p in available] + [_CPU]


def create_session(
    model: Path | str | bytes,
    *,
    threads: int | None = None,
    cpu: bool = False,
    name: Path | str | None = None,
) -> ort.InferenceSession:
    """Make a session for an ONNX file (cached until the file changes) or for a model in memory (not cached).

    threads: threads within one operator, default one per core. cpu: use no accelerator. name: of a model in memory,
    for errors. Raises ModelError for a file that is missing or that ONNX Runtime cannot load.
    """
    providers = choose_providers(cpu=cpu)
    if isinstance(model, bytes):
        return _session(model, name or "model in memory", providers, threads)
    path = Path(model)
    try:
        stat = path.stat()
    except OSError as e:
        raise ModelError("no such model", file=path, remedy="Check the path of the model") from e
    key = (path.resolve(), stat.st_mtime_ns, stat.st_size, tuple(providers), threads)
    with _lock:
        if key not in _sessions:
            # The path, not its bytes: a model may keep its tensors in files beside it.
            _sessions[key] = _session(str(path), path, providers, threads)
        return _sessions[key]


def load_weights(name: str, *, threads: int | None = 1, cpu: bool = False) -> ort.InferenceSession:
    """Return the session of an embedded model by its name in the manifest, verified and cached.

    threads: one by default, because these networks are small: beside a decoding thread on two cores the face mesh ran at
    275 frames/s with one thread and 214 with two.
    Raises ModelError when the model is not in the manifest, or its file is missing or corrupt; SchemaError when the
    manifest is damaged or newer.
    """
    key = (WEIGHTS, name, threads, cpu)
    with _lock:
        if key not in _sessions:
            _sessions[key] = create_session(read_weights(name), threads=threads, cpu=cpu, name=weights_file(name))
        return _sessions[key]


def read_manifest() -> dict[str, dict[str, Any]]:
    """Read the weights' manifest: model name → file, sha256, license, source, conversion, inputs, outputs."""
    path = WEIGHTS / "manifest.json"
    remedy = "Install Faceplate again, or check that file out again"
    try:
        document = json.loads(path.read_bytes())
        check_schema(document["schema"], SCHEMA, path)
        models: dict[str, dict[str, Any]] = document["models"]
        if not all({"file", "sha256"} <= m.keys() for m in models.values()):
            raise SchemaError("the list of embedded models lacks a file or a checksum", file=path, remedy=remedy)
    except OSError as e:
        raise ModelError("the list of embedded models is missing", file=path, remedy=remedy) from e
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise SchemaError("the list of embedded models is damaged", file=path, remedy=remedy) from e
    return models


def weights_file(name: str) -> Path:
    """Return the file of an embedded model; raises ModelError when the manifest has no such name."""
    models = read_manifest()
    if name not in models:
        raise ModelError(f"there is no embedded model '{name}'", remedy=f"There are: {', '.join(sorted(models))}")
    return WEIGHTS / str(models[name]["file"])


def check_weights() -> dict[str, bool]:
    """Check of each embedded model whether its file is there and has the SHA-256 of the manifest."""
    return {name: _intact(WEIGHTS / m["file"], m["sha256"]) for name, m in read_manifest().items()}


def _intact(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256.lower()
    except OSError:
        return False


def read_weights(name: str) -> bytes:
    """Read the bytes of an embedded model, verified; raises as :func:`load_weights`."""
    # Read once, so that the verified bytes are the ones loaded.
    path = weights_file(name)
    remedy = "Install Faceplate again, or check that file out again"
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ModelError(f"the embedded model '{name}' is missing", file=path, remedy=remedy) from e
    if hashlib.sha256(data).hexdigest() != str(read_manifest()[name]["sha256"]).lower():
        raise ModelError(f"the embedded model '{name}' is corrupt (its SHA-256 differs)", file=path, remedy=remedy)
    return data


def _session(model: str | bytes, name: Path | str, providers: list[str], threads: int | None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # errors are raised; ONNX Runtime's own messages are for its developers
    options.intra_op_num_threads = threads or 0
    # Idle workers that spin take the core that decodes the next frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(model, options, providers=providers)
        _log.info("%s runs on %s; ONNX Runtime has %s", name, session.get_providers()[0], ", ".join(providers))
        return session
    except Exception as e:  # ONNX Runtime's exceptions share no base class of their own
        _log.exception("%s cannot be loaded for %s", name, providers[0])
        if providers != [_CPU]:
            warnings.warn(f"{name}: {providers[0]} cannot run this model, the CPU does", RuntimeWarning, stacklevel=3)
            return _session(model, name, [_CPU], threads)
        reason = str(e).splitlines()[0][:200] if str(e) else type(e).__name__
        raise ModelError(
            f"is not an ONNX model that can be loaded ({reason})", file=name, remedy="Export or copy the model again"
        ) from e
