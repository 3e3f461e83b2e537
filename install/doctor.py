"""Check of this machine: `diagnose()` lists findings as data, which `faceplate doctor` prints as a table or as JSON.

Checks are independent: a missing or broken part is a finding, never an exception.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

_log = logging.getLogger(__name__)
Status = Literal["ok", "warn", "fail"]

REINSTALL = "Run `python3 install/bootstrap.py demo` again; if it stays so, remove .venv first"
BUILTIN_OCIO_CONFIG = "ocio://default"

_DECODERS = ("h264", "hevc", "prores", "ffv1", "aac", "flac")
_ENCODERS = ("h264", "hevc", "prores", "ffv1", "aac", "flac")
_REQUIRED = {("decode", "h264"), ("decode", "ffv1"), ("encode", "ffv1"), ("encode", "h264"), ("encode", "aac")}
_TRAINER = ("torch", "safetensors", "filelock", "onnx", "onnxscript")
_IMAGES = {"exr": "openexr", "dpx": "dpx", "png": "png", "tiff": "tiff"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: ok, warn (works, but less well) or fail (something of Faceplate does not work), with a remedy."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return the finding as a JSON object with the keys name, status, detail and remedy."""
        return asdict(self)


def diagnose() -> list[Check]:
    """Check everything that Faceplate needs or can use; takes a second or two, writes nothing and never raises."""
    checks: tuple[Callable[[], Iterator[Check]], ...] = (
        check_python,
        check_onnxruntime,
        check_trainer,
        check_codecs,
        check_image_formats,
        check_colour,
        check_weights,
        check_disk,
        check_hosts,
    )
    return [finding for check in checks for finding in _run(check)]


def worst(findings: list[Check]) -> Status:
    """Return the gravest status among `findings`; "ok" for none."""
    order: tuple[Status, ...] = ("ok", "warn", "fail")
    return max((c.status for c in findings), key=order.index, default="ok")


def check_python() -> Iterator[Check]:
    """The interpreter and Faceplate's own version."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    yield Check("Python", "ok", f"{platform.python_version()}, {machine}")
    try:
        yield Check("Faceplate", "ok", version("faceplate"))
    except PackageNotFoundError:
        yield Check("Faceplate", "warn", "not installed, run from its sources", REINSTALL)


def check_onnxruntime() -> Iterator[Check]:
    """ONNX Runtime with its execution providers, and the NVIDIA GPU that it could use."""
    ort = import_module("onnxruntime")
    providers = [p.removesuffix("ExecutionProvider") for p in ort.get_available_providers()]
    yield Check("ONNX Runtime", "ok", f"{ort.__version__}: {', '.join(providers)}")
    gpu = nvidia_gpu()
    if gpu is None:
        yield Check("NVIDIA GPU", "ok", "none found: models run on " + _without_cuda(providers))
    elif "CUDA" in providers and _cuda_starts(ort):
        yield Check("NVIDIA GPU", "ok", gpu)
    else:
        yield Check(
            "NVIDIA GPU",
            "warn",
            f"{gpu}, but ONNX Runtime cannot use it: models run on {_without_cuda(providers)}",
            "Update the NVIDIA driver to one with CUDA 13, remove .venv and run install/bootstrap.py again",
        )


def _cuda_starts(ort: Any) -> bool:
    """Return True if a model really runs on the GPU: the provider is listed even without CUDA's own libraries."""
    ort.set_default_logger_severity(4)  # a provider that does not load is a finding, not a page of red text
    ort.preload_dlls()
    model = min(_weights_folder().glob("*.onnx"), key=lambda file: file.stat().st_size)
    session = ort.InferenceSession(str(model), providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
    return "CUDAExecutionProvider" in session.get_providers()


def nvidia_gpu() -> str | None:
    """Name the NVIDIA GPUs with driver and memory, as nvidia-smi tells; None when there is none or no driver."""
    facts = (line.split(", ") for line in _ask_gpus("name,driver_version,memory.total"))
    return "; ".join(f"{f[0]} (driver {f[1]}, {f[2]})" for f in facts if len(f) == 3) or None


def _ask_gpus(fields: str) -> list[str]:
    """Query each GPU through nvidia-smi; empty without one."""
    tool = shutil.which("nvidia-smi")
    output = tool and _output([tool, f"--query-gpu={fields}", "--format=csv,noheader"])
    return output.splitlines() if output else []


def check_trainer() -> Iterator[Check]:
    """Libraries of the trainer, and its device; none is loaded, which would take seconds."""
    versions: dict[str, str] = {}
    for name in _TRAINER:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    missing = [name for name in _TRAINER if name not in versions]
    if missing:
        detail = f"{', '.join(missing)} not installed: `faceplate train` does not work, all else does"
        yield Check("Trainer", "warn", detail, "Run `pip install 'faceplate[train]'` in Faceplate's environment")
        return
    spec = find_spec("torch")
    libraries = Path(spec.origin).parent / "lib" if spec and spec.origin else Path()
    cuda = any(libraries.glob("*torch_cuda*"))
    build, gpu = f"torch {versions['torch']}, built for {'CUDA' if cuda else 'the CPU'}", nvidia_gpu()
    if cuda and gpu:
        numbers = "bf16" if _gpu_has_bf16() else "fp16"
        yield Check("Trainer", "ok", f"{build}: trains on the GPU, in {numbers}")
        return
    on = f"trains on {os.cpu_count()} cores, which {'have' if _cpu_has_bf16() else 'lack'} bf16"
    remedy = "Install the build of torch for the driver's CUDA: see docs/install.md" if gpu else None
    yield Check("Trainer", "warn" if gpu else "ok", f"{build}: {on}", remedy)


def _gpu_has_bf16() -> bool:
    """Return True if all NVIDIA GPUs compute in bfloat16: those of capability 8.0 (Ampere) and newer."""
    majors = [int(line.split(".")[0]) for line in _ask_gpus("compute_cap") if line[:1].isdigit()]
    return bool(majors) and min(majors) >= 8


def _cpu_has_bf16(facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Return True if the system reports that the processor multiplies in bfloat16."""
    try:
        return bool(re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", facts.read_text("utf-8", "replace")))
    except OSError:
        return False


def check_codecs() -> Iterator[Check]:
    """Codecs that this build of FFmpeg, through PyAV, decodes and encodes."""
    av = import_module("av")
    for way, mode, codecs in (("decode", "r", _DECODERS), ("encode", "w", _ENCODERS)):
        missing = [codec for codec in codecs if not _has_codec(av, codec, mode)]
        required = any((way, codec) in _REQUIRED for codec in missing)
        library = f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}"
        yield _formats(f"Video and audio: {way}", codecs, missing, library, "fail" if required else "warn")


def check_image_formats() -> Iterator[Check]:
    """Image sequences that OpenImageIO reads and writes."""
    oiio = import_module("OpenImageIO")
    reads, writes = (
        set(str(oiio.get_string_attribute(f"{way}_format_list")).split(",")) for way in ("input", "output")
    )
    missing = [name for name, format in _IMAGES.items() if format not in reads & writes]
    yield _formats("Image sequences", tuple(_IMAGES), missing, f"OpenImageIO {oiio.VERSION_STRING}", "fail")


def _formats(name: str, names: tuple[str, ...], missing: list[str], library: str, without: Status) -> Check:
    present = f"{', '.join(each for each in names if each not in missing)} ({library})"
    if missing:
        return Check(name, without, f"{present}; missing: {', '.join(missing)}", REINSTALL)
    return Check(name, "ok", present)


def check_colour() -> Iterator[Check]:
    """OpenColorIO and the configuration that it would use: the one $OCIO names, else a built-in one."""
    ocio = import_module("PyOpenColorIO")
    path = os.environ.get("OCIO")
    try:
        config = ocio.Config.CreateFromFile(path or BUILTIN_OCIO_CONFIG)
        yield Check("OpenColorIO", "ok", f"{ocio.GetVersion()}, {path or 'built-in'}: {config.getName() or 'unnamed'}")
    except Exception as e:
        _log.exception("OpenColorIO")
        detail = f"{ocio.GetVersion()}, cannot read {path or BUILTIN_OCIO_CONFIG}: {_first_line(e)}"
        remedy = "Point the environment variable OCIO to a readable config.ocio, or unset it"
        yield Check("OpenColorIO", "fail", detail, remedy if path else REINSTALL)


def check_weights(folder: Path | None = None) -> Iterator[Check]:
    """Every file of the weights' manifest against its SHA-256."""
    folder = folder or _weights_folder()
    restore = "Restore it: `git checkout -- nodes/weights`"
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        models: Mapping[str, Mapping[str, str]] = manifest["models"]
        if manifest["schema"] != "faceplate.weights/1":
            yield Check("Weights", "fail", f"manifest.json has the schema {manifest['schema']!r}", "Update Faceplate")
            return
        files = [(name, folder / model["file"], model["sha256"]) for name, model in models.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        yield Check("Weights", "fail", f"{folder / 'manifest.json'} cannot be read: {_first_line(e)}", restore)
        return
    for name, path, digest in files:
        try:
            data = path.read_bytes()
        except OSError as e:
            yield Check(f"Weights: {name}", "fail", f"{path}: {e.strerror or e}", restore)
            continue
        if hashlib.sha256(data).hexdigest() == digest:
            yield Check(f"Weights: {name}", "ok", f"{path.name}, {len(data) / 1e6:.1f} MB, sha256 {digest[:12]}")
        else:
            detail = f"{path} is corrupt: its SHA-256 is not the manifest's"
            yield Check(f"Weights: {name}", "fail", detail, restore)


def _weights_folder() -> Path:
    return Path(str(import_module("nodes").__file__)).parent / "weights"


def check_disk() -> Iterator[Check]:
    """Free space of the cache and of the current folder."""
    cache = Path(str(import_module("platformdirs").user_cache_path("faceplate")))
    for name, folder in (("Disk: cache", cache), ("Disk: current folder", Path.cwd())):
        existing = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(existing).free / 1e9
        status: Status = "ok" if free >= 5 else "warn" if free >= 1 else "fail"
        remedy = None if status == "ok" else "Free some space: a minute of lossless 1080p takes 2 to 5 GB"
        yield Check(name, status, f"{free:.1f} GB free for {folder}", remedy)


def check_hosts() -> Iterator[Check]:
    """The hosts that are installed, with their versions."""
    hosts = find_hosts(platform.system(), Path.home(), os.environ)
    for host, programs in hosts.items():
        if not programs:
            yield Check(f"Host: {host}", "ok", "not found (needed only to work inside it)")
        for program in programs:
            number = _host_version(host, program)
            yield Check(f"Host: {host}", "ok", f"{number or 'version unknown'}, {program}")


def find_hosts(
    system: str, home: Path, environ: Mapping[str, str], root: Path | None = None
) -> dict[str, tuple[Path, ...]]:
    """Find the programs of Blender, DaVinci Resolve and Fusion Studio where their installers put them, and on PATH.

    system: as `platform.system()` names it. root: base of the absolute places.
    """
    root = root or Path(Path(environ.get("PROGRAMFILES", "/")).anchor)  # on Windows, the drive that has the programs
    on_path = shutil.which("blender", path=environ.get("PATH", ""))
    hosts: dict[str, dict[Path, Path]] = {}
    for host, patterns in _places(system, environ).items():
        hits = [Path(on_path)] if on_path and host == "Blender" else []
        for pattern in patterns:
            base = home if pattern.startswith("~/") else root
            hits += sorted(base.glob(pattern.removeprefix("~/").lstrip("/")))
        hosts[host] = {hit.resolve(): hit for hit in reversed(hits) if hit.exists()}
    return {host: tuple(reversed(hits.values())) for host, hits in hosts.items()}


def _places(system: str, environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    if system == "Darwin":
        blender = "Applications/Blender*.app/Contents/MacOS/Blender"
        return {
            "Blender": (f"/{blender}", f"~/{blender}"),
            "DaVinci Resolve": ("/Applications/DaVinci Resolve/DaVinci Resolve.app",),
            "Fusion Studio": ("/Applications/Blackmagic Fusion */Fusion.app",),
        }
    if system == "Windows":
        programs = Path(environ.get("PROGRAMFILES", r"C:\Program Files"))
        base = programs.as_posix().removeprefix(programs.drive)
        return {
            "Blender": (f"{base}/Blender Foundation/Blender*/blender.exe",),
            "DaVinci Resolve": (f"{base}/Blackmagic Design/DaVinci Resolve/Resolve.exe",),
            "Fusion Studio": (f"{base}/Blackmagic Design/Fusion */Fusion.exe",),
        }
    return {
        "Blender": (
            "/opt/blender*/blender",
            "~/blender*/blender",
            "~/.local/opt/blender*/blender",
            "~/.steam/steam/steamapps/common/Blender/blender",
            "/snap/bin/blender",
            "/var/lib/flatpak/exports/bin/org.blender.Blender",
            "~/.local/share/flatpak/exports/bin/org.blender.Blender",
        ),
        "DaVinci Resolve": ("/opt/resolve/bin/resolve",),
        "Fusion Studio": ("/opt/BlackmagicDesign/Fusion*/Fusion",),
    }


def _host_version(host: str, program: Path) -> str | None:
    """Ask the program when that is cheap, else read its version off its folder; None if unknown."""
    if host == "Blender":
        match = re.search(r"Blender (\d+\.\d+(?:\.\d+)?)", _output([str(program), "--version"]) or "")
        if match:
            return match.group(1)
    readme = program.parent.parent / "docs/ReadMe.html"
    if host == "DaVinci Resolve" and readme.is_file():
        match = re.search(r"DaVinci Resolve (?:Studio )?(\d+(?:\.\d+)*)", readme.read_text("utf-8", "replace"))
        return match.group(1) if match else None
    match = re.search(r"(?:blender|fusion)\D{0,12}(\d+(?:\.\d+)*)", str(program.parent), re.IGNORECASE)
    return match.group(1) if match else None


def _run(check: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Run a check; its exception (a library that does not load, say) is a finding too."""
    try:
        yield from check()
    except Exception as e:
        name = (check.__doc__ or check.__name__).split(".")[0]
        _log.exception("%s", name)
        yield Check(name, "fail", f"{type(e).__name__}: {_first_line(e)}", REINSTALL)


def _has_codec(av: Any, codec: str, mode: str) -> bool:
    try:
        av.codec.Codec(codec, mode)
    except ValueError:  # base of PyAV's UnknownCodecError
        return False
    return True


def _without_cuda(providers: list[str]) -> str:
    return next((p for p in providers if p in ("CoreML", "Dml")), "the CPU")


def _output(command: list[str]) -> str | None:
    """Return the output of `command`, None when it cannot be run, fails or hangs."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=15, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
