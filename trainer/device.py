"""Device and precision selection."""

from __future__ import annotations

import ctypes
import platform
from importlib.util import find_spec

import torch
from torch import nn

from nodes.errors import FaceplateError
from trainer.settings import Precision

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 2**31 - 1  # bytes


def choose_device(name: str) -> torch.device:
    """Choose the device for `auto`, `cpu`, `cuda` or `cuda:N`. Raises FaceplateError when there is no such GPU."""
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(name)
    if device.type == "cuda":
        number = device.index or 0
        if number >= (count := torch.cuda.device_count()):
            raise FaceplateError(
                f"there is no GPU {number}: torch sees {count}",
                remedy="Choose --device cpu, or install a torch that fits the GPU's driver",
            )
        return torch.device("cuda", number)
    return device


def choose_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Choose the number format; auto is bf16 where the processor has it, else fp16 on a GPU and float32 on a CPU."""
    if precision is Precision.AUTO:
        if device.type != "cuda":
            able = torch.cpu.get_capabilities()
            return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}[precision]


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network to its device, channels last; on a GPU it is compiled at its first step."""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch leaves it out of its stubs
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        if find_spec("triton"):
            network.compile()
    elif platform.libc_ver()[0] == "glibc":
        # Keep freed blocks for the next step: glibc would return each large one to the system, which then clears it
        # page by page, an eighth of a step.
        libc = ctypes.CDLL(None)
        for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            libc.mallopt(option, _KEPT)


def autocast_for(number: torch.dtype, device: torch.device) -> torch.autocast | None:
    """Return the context that computes in `number`, or None for float32."""
    return None if number is torch.float32 else torch.autocast(device.type, dtype=number)
