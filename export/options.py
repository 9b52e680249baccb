"""How a release is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from export.errors import ExportError
from export.members import Member
from export.refusal import RefusalOptions
from export.timing import SECONDS

CPU_PRECISIONS = ("float32", "bfloat16", "int8")


@dataclass(frozen=True)
class ReleaseOptions:
    """How a release is made."""

    cpu_precision: str = "float32"
    """What members compute in on a machine without a GPU: `float32`, `bfloat16` or `int8`."""
    cpu_precision_of: Mapping[str, str] = field(default_factory=dict)
    """The same for single members, by name."""
    calibration_photos: Sequence[Image.Image] = ()
    """What the activations of int8 members are measured on: other photos than those of the checks."""
    float16_weights: bool = False
    """Store ONNX weights as float16: half the file, the same arithmetic."""
    coverage: float = 0.9
    """Share of prediction sets that shall hold the true class."""
    weigh: str = "equal"
    """Weights of the mean: `equal`, or `fitted` on validation photos."""
    refusal: RefusalOptions = field(default_factory=RefusalOptions)
    """What the outlier score is fitted and measured on."""
    gates: Mapping[str, float | None] = field(default_factory=dict)
    """Bounds by gate that differ from the defaults; None switches a gate off."""
    half_precision: bool = False
    """Write `model_float16.onnx` beside each member's `model.onnx`, for TensorRT plans."""
    latency_seconds: float = SECONDS
    """Repeats of each batch size whose latency the report says; 0 measures none."""
    follows: int | None = None
    """Release of the same repository that this one must not be clearly worse than, by macro-F1 on test photos."""
    probe_photos: Sequence[Image.Image] = ()
    """Photos that travel with the release, at most three; empty: the first on which the conversion is checked."""
    registered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By member the registered model, its version and its run, for the report; members that are folders have none."""
    triton_python: Path | None = None
    """Python of an environment with Triton: the release is served from aside and compared with torch before it exists."""

    def precision(self, member: str) -> str:
        """What a member computes in on a machine without a GPU."""
        return self.cpu_precision_of.get(member, self.cpu_precision)

    def check(self, members: Sequence[Member]) -> None:
        """Raises ExportError where a member is to compute in int8 and there are no photos to calibrate it on."""
        uncalibrated = [m.name for m in members if self.precision(m.name) == "int8" and not self.calibration_photos]
        if uncalibrated:
            raise ExportError(
                f"int8 ({', '.join(uncalibrated)}) is calibrated on photos: say where some lie with --photos, or choose bfloat16."
            )


def cpu_precisions(words: list[str], members: list[str]) -> tuple[str, dict[str, str]]:
    """`bfloat16 vit_base_384=int8` to the precision of all members and of single ones.

    Raises:
        ExportError: an unknown precision or member.
    """
    whole, single = "float32", {}
    for word in words:
        name, equals, precision = word.rpartition("=")
        if precision not in CPU_PRECISIONS or (equals and name not in members):
            raise ExportError(
                f"--cpu-precision {word}: say one of {', '.join(CPU_PRECISIONS)}, or MEMBER=PRECISION with a member of "
                f"this release ({', '.join(members)})."
            )
        if equals:
            single[name] = precision
        else:
            whole = precision
    return whole, single
