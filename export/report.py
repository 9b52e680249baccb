"""The release's report, `report.json` and `report.html` beside its ensemble: what it is made of and what it proved."""

import hashlib
import html
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import torch

from export import probes, sessions
from export.calibration import Calibration
from export.configuration import StepNames
from export.durable import write
from export.gates import Gates
from export.members import Member
from export.stages import stages
from export.timing import by_batch, machine

LIBRARIES = ("torch", "timm", "onnx", "onnxruntime", "numpy")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2a1b}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{border:1px solid #c5cfc5;padding:.25rem .6rem;text-align:left;
vertical-align:top}th{background:#eef3ee;font-weight:600}h2{margin-top:2rem}.no{color:#a11}.yes{color:#175c17}"""


def of_member(
    member: Member,
    file: Path,
    temperature: float,
    precision: str,
    difference: float,
    pixels: torch.Tensor,
    seconds: float,
) -> dict[str, Any]:
    """A member's part: where it comes from, its size, its speed in ONNX Runtime (`seconds` as in `timing.by_batch`)."""
    return {
        "architecture": member.architecture,
        "temperature": round(temperature, 4),
        "cpu_precision": precision,
        "onnx_bytes": file.stat().st_size,
        "largest_difference_to_torch": difference,
        "milliseconds_by_batch": latencies(member, file, pixels, seconds),
        "inputs_sha256": {p.name: sha256(p) for p in sorted(member.folder.iterdir()) if p.is_file()},
    }


def of_release(
    members: list[Member],
    folder: Path,
    names: StepNames,
    calibration: Calibration,
    facts: dict[str, Any],
    gates: Gates,
) -> dict[str, Any]:
    """What concerns the release as a whole."""
    version = str(facts["release"])
    files = sorted(p for step in folder.iterdir() for p in (step / version).glob("*") if p.name != ".gitkeep")
    return {
        "task": facts["task"],
        "classes": [c["key"] for c in facts["classes"]],
        "weights": dict(zip((m.name for m in members), calibration.weights, strict=True)),
        "temperature_after_averaging": calibration.after_averaging,
        "steps": [names.preprocess, *(m.name for m in members), names.average],
        "thresholds": facts["thresholds"],
        "outlier": facts["outlier"],
        "metrics": facts["metrics"],
        "probes": probes.said(facts["probes"]) if "probes" in facts else None,
        "gates": gates.said(),
        "files": {p.relative_to(folder).as_posix(): {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files},
        "machine": machine(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def latencies(member: Member, file: Path, pixels: torch.Tensor, seconds: float) -> dict[str, float]:
    """Milliseconds of a whole batch in ONNX Runtime on this machine's CPU, the best of a few; of the member alone."""
    session = sessions.on_cpu(file)
    photo = pixels[:1].numpy()

    def run(size: int) -> object:
        return session.run([member.probabilities], {member.pixels: photo.repeat(size, axis=0)})

    return {size: float(taken["least"]) for size, taken in by_batch(run, seconds).items()}


def sha256(file: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Both forms, into the ensemble's folder; there is no plan yet."""
    report = {**report, "stages": stages(report, {})}
    write(folder / "report.json", (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    write(folder / "report.html", to_html(report).encode())


def to_html(report: dict[str, Any]) -> str:
    """One page without anything from elsewhere."""
    title = f"Release {report['release']} · {html.escape(report['task'])}"
    comparison = report.get("comparison")
    verdict = "" if comparison is None else f"<p>{html.escape(comparison['verdict'])}</p>"
    parts = [
        f"<h1>{title}</h1>{verdict}",
        "<h2>Stages</h2>",
        _stages(report),
        "<h2>Gates</h2>",
        _gates(report["gates"]),
    ]
    for key, value in report.items():
        if key not in ("release", "gates", "stages"):
            parts.append(f"<h2>{html.escape(key.replace('_', ' ').capitalize())}</h2>{_value(value)}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _stages(report: dict[str, Any]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in ("", *report["members"], "photos", ""))
    rows = [
        [step["stage"], *map(_difference, step["differences"].values()), step["photos"] or "", step["note"]]
        for step in report["stages"]
    ]
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<p>Largest difference of a probability.</p><table><tr>{head}</tr>{body}</table>"


def _difference(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1e}"


def _gates(verdicts: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{v['gate']}</td><td>{v['figure']:.3g}</td><td>{_range(v['interval'])}</td>"
        f"<td>{'off' if v['bound'] is None else format(v['bound'], 'g')}{' (overridden)' if v['overridden'] else ''}</td>"
        f"<td class={'yes' if v['passed'] else 'no'}>{'passed' if v['passed'] else 'closed'}</td></tr>"
        for v in verdicts
    )
    return f"<table><tr><th>gate</th><th>figure</th><th>95 % interval</th><th>bound</th><th></th></tr>{rows}</table>"


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        rows = "".join(f"<tr><th>{html.escape(str(k))}</th><td>{_value(v)}</td></tr>" for k, v in value.items())
        return f"<table>{rows}</table>"
    if isinstance(value, list):
        return ", ".join(_value(v) for v in value)
    return "not measured" if value is None else html.escape(f"{value:.4g}" if isinstance(value, float) else str(value))
