"""Settings of a training, defined once, as the nodes' parameters are. Nothing heavy is imported."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import field_validator

from nodes.spec import Parameters, parameter

DEFAULT_MINUTES = 15.0


class Precision(StrEnum):
    """Number format of the network's computations; its weights are always float32."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class Until(StrEnum):
    """Condition that ends a training by itself."""

    PLATEAU = "plateau"


class TrainSettings(Parameters):
    """Train a model that puts the source's face on the target. It ends at the first of steps, minutes and plateau that is asked for."""

    model: str = parameter("shot", help="The network, by name.")
    steps: int | None = parameter(None, ge=1, unit="steps", help="Stop after this many steps, all resumes counted.")
    minutes: float | None = parameter(
        None,
        gt=0,
        unit="minutes",
        help=f"Stop after this many minutes, all resumes counted; {DEFAULT_MINUTES:g} when no other end is asked for.",
    )
    until: Until | None = parameter(None, help="plateau: stop when the loss has all but stopped falling.")
    batch: int | None = parameter(None, ge=1, unit="crops of each performer", help="Batch; the model's own by default.")
    learning_rate: float | None = parameter(None, gt=0, le=1, help="Learning rate; the model's own by default.")
    seed: int = parameter(0, ge=0, lt=2**31, help="Seed of all that is random in the training.")
    precision: Precision = parameter(
        Precision.AUTO,
        help="Numbers to compute in; auto: bf16 where the processor has it, else fp16 on a GPU and fp32 on a CPU.",
    )
    device: str = parameter("auto", help="auto (a GPU if there is one), cpu, cuda or cuda:N.")
    size: int | None = parameter(
        None,
        ge=32,
        le=1024,
        multiple_of=8,
        unit="pixels",
        help="Side of the model's crops; the model's own by default.",
    )
    preview_every: float = parameter(30.0, ge=0, unit="seconds", help="Time between two previews; 0 makes none.")
    checkpoint_every: float = parameter(60.0, gt=0, unit="seconds", help="Time between two checkpoints.")
    base: Path | None = parameter(
        None,
        option="from",
        help="Start from the weights of an earlier training of the same model: its folder or a checkpoint in it.",
    )

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if value in ("auto", "cpu", "cuda") or (value.startswith("cuda:") and value[5:].isdecimal()):
            return value
        raise ValueError("auto, cpu, cuda or cuda:N")

    @property
    def seconds(self) -> float | None:
        """Seconds after which to stop, or None without a time limit."""
        if self.minutes is None and (self.steps is not None or self.until is not None):
            return None
        return 60 * (DEFAULT_MINUTES if self.minutes is None else self.minutes)
