"""How far answers move on the way from the trained network to the client, step by step; what was not measured says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.plan_files import read_manifest

Report = Mapping[str, Any]
Plans = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By member, then by the plan's file name: its entry in the manifest."""


def plans_of(repository: Path, report: Report) -> Plans:
    """The plans of a release that its manifests know; of damaged ones none (`verify` names them)."""
    found: dict[str, dict[str, Any]] = {}
    for name in report["members"]:
        try:
            found[name] = read_manifest(repository / name / str(report["release"]))
        except ValueError:
            found[name] = {}
    return found


def stages(report: Report, plans: Plans) -> list[dict[str, Any]]:
    """Each step's largest difference of a probability by member (null: not measured), the photos, and a note."""
    members: Mapping[str, Mapping[str, Any]] = report["members"]
    served = report["served"]
    on_cuda = {name: of.get("largest_difference_on_cuda") for name, of in members.items()}
    measured = any(difference is not None for difference in on_cuda.values())
    halved = any(of["half_precision_difference"] is not None for of in members.values())
    return [
        {
            "stage": "torch to ONNX",
            "photos": report["check_photos"],
            "differences": {name: of["largest_difference_to_torch"] for name, of in members.items()},
            "note": "ONNX Runtime on the CPU",
        },
        {
            "stage": "torch to ONNX on a GPU",
            "photos": report["check_photos"] if measured else None,
            "differences": on_cuda,
            "note": "ONNX Runtime's CUDA provider"
            if measured
            else "no GPU, or no onnxruntime-gpu, where it was exported",
        },
        {
            "stage": "ONNX to half precision",
            "photos": report["check_photos"] if halved else None,
            "differences": {name: of["half_precision_difference"] for name, of in members.items()},
            "note": "float16 simulated on the CPU" if halved else "not asked for (--half-precision)",
        },
        {
            "stage": "ONNX to TensorRT plan",
            "photos": _compared_photos(plans),
            "differences": {name: _compared(plans.get(name, {})) for name in members},
            "note": _planned(report["release"], plans),
        },
        {
            "stage": "torch to the answer through Triton",
            "photos": None if served is None else served["photos"],
            "differences": dict.fromkeys(members) if served is None else served["differences"],
            "note": "not asked for (--triton-python)" if served is None else "the CPU's engine in the plan's place",
        },
    ]


def _planned(number: int, plans: Plans) -> str:
    built = sorted({_kind(entry) for member in plans.values() for entry in member.values()})
    missing = f"`python -m export plan --release {number}` on each kind of GPU host"
    if not built:
        return f"no plan yet: {missing}"
    lacking = [name for name, member in plans.items() if not member]
    said = f"built {', '.join(built)}"
    entries = [entry for member in plans.values() for entry in member.values()]
    failed = [fault for entry in entries for fault in entry.get("compared", {}).get("faults", [])]
    if failed:
        said += f"; FAILED: it {'; it '.join(failed)}"
    if any("compared" not in entry and entry.get("compute_capability") is not None for entry in entries):
        said += f"; not all compared yet: `python -m export compare --release {number} --photos FOLDER` there"
    return f"{said}; none of {', '.join(lacking)}: {missing}" if lacking else said


def _compared(plans: Mapping[str, Mapping[str, Any]]) -> float | None:
    """The largest difference of a member's plans that were compared; None where none was, or one gave no numbers."""
    found = [entry["compared"]["largest_difference"] for entry in plans.values() if "compared" in entry]
    return max(found) if found and None not in found else None


def _compared_photos(plans: Plans) -> int | None:
    """Fewest photos that a plan was compared on; None where none was."""
    found = [e["compared"]["photos"] for member in plans.values() for e in member.values() if "compared" in e]
    return min(found, default=None)


def _kind(entry: Mapping[str, Any]) -> str:
    capability = entry.get("compute_capability")
    where = "without a GPU, to prove that it can be" if capability is None else f"for {capability} ({entry.get('gpu')})"
    return f"{where} by TensorRT {entry.get('tensorrt')}"
