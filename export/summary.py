"""A release on half a page of Markdown, to be pasted into a change request, and the command to type next."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export.configuration import ENSEMBLE
from export.errors import MemberError
from export.stages import plans_of, stages

FIGURES = {"accuracy": "accuracy", "f1_macro": "macro-F1", "calibration_error": "ECE"}


def of_release(repository: Path, number: int) -> str:
    """The summary of a release as it stands now, its plans included.

    Raises:
        MemberError: there is no such release, or it was written before reports had what is said here.
    """
    file = repository / f"{ENSEMBLE}_{number}" / "report.json"
    try:
        return to_markdown(
            report := json.loads(file.read_text(encoding="utf-8")), stages(report, plans_of(repository, report))
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MemberError(
            f"{file} cannot be summed up ({error!r}): name a release of this version of export, or export it again."
        ) from error


def next_command(repository: Path, number: int) -> str:
    """What one types after an export."""
    others = [p for p in repository.glob(f"{ENSEMBLE}_*") if p.name != f"{ENSEMBLE}_{number}"]
    if others:
        return f"make promote N={number} REPOSITORY={repository}"
    return f"make serve REPOSITORY={repository}"


def to_markdown(report: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> str:
    """The release's report in short.

    Args:
        steps: as `stages`.
    """
    parts = [f"### Release {report['release']} of {report['task']}", _registered(report["members"]), *_evidence(report)]
    parts.append(_stages(report, steps))
    parts += [_latency(report["served"]), _gates(report["gates"]), _size(report["files"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _evidence(report: Mapping[str, Any]) -> list[str]:
    comparison, refusal = report["comparison"], report["refusal"]
    if comparison is None:
        return ["The members were not evaluated: no test figures, no prediction sets."]
    rows = {"together": comparison["ensemble"], **comparison["members"]}
    head = f"{comparison['test_photos']} test photos, 95 % interval"
    table = _table(
        [head, *FIGURES.values()], [[name, *(_value(of[key]) for key in FIGURES)] for name, of in rows.items()]
    )
    said = [comparison["verdict"], table]
    covered = report["metrics"].get("prediction_set_coverage")
    if covered is not None:
        aim, fitted = report["thresholds"]["coverage"], _fitted(report["thresholds"])
        said.append(f"Prediction sets hold the truth for {covered:.1%} (aim {aim:.0%}{fitted}).")
    if refusal is not None:
        kinds = {"unseen leaves": "leaves", "far pictures": "others_far", "near pictures": "others_near"}
        shares = [f"{_share(refusal[key])} of {name}" for name, key in kinds.items() if refusal[key] is not None]
        said.append(f"Refused: {', '.join(shares)}." if shares else "")
    return said


def _registered(members: Mapping[str, Mapping[str, Any]]) -> str:
    """Which members came from the registry; older reports do not say."""
    found = [of["registered"] for of in members.values() if of.get("registered")]
    said = [f"{one['model']} version {one['version']} (run {one['run']})" for one in found]
    return f"From the registry: {', '.join(said)}." if said else ""


def _fitted(thresholds: Mapping[str, Any]) -> str:
    """On what the threshold was fitted; older reports do not say."""
    on = thresholds.get("fitted_on")
    return "" if on is None else f", fitted on {on['photos']} {on['predictions'].replace('_', '-')} photos"


def _stages(report: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for step in steps:
        name = step["stage"] if step["photos"] is None else f"{step['stage']}, {step['photos']} photos"
        differences = ["-" if d is None else f"{d:.1e}" for d in step["differences"].values()]
        rows.append([name, *differences, step["note"]])
    return _table(["largest difference of a probability", *report["members"], ""], rows)


def _latency(served: Mapping[str, Any] | None) -> str:
    if served is None or not served["milliseconds_by_batch"]:
        return ""
    by_batch, here = served["milliseconds_by_batch"], served["machine"]
    cells = [f"{of['median']:.0f} ({of['least']:.0f}-{of['most']:.0f})" for of in by_batch.values()]
    head = f"photos in one request, through Triton on {here['cores']} cores of {here['processor']}"
    return _table([head, *by_batch], [["median milliseconds (range)", *cells]])


def _gates(gates: Sequence[Mapping[str, Any]]) -> str:
    changed = sorted({f"{v['gate']} ({_bound(v['bound'])})" for v in gates if v["overridden"]})
    return f"{len(gates)} gate checks passed{', overridden: ' + ', '.join(changed) if changed else ''}."


def _bound(bound: float | None) -> str:
    return "off" if bound is None else format(bound, "g")


def _size(files: Mapping[str, Mapping[str, Any]]) -> str:
    return f"{sum(of['bytes'] for of in files.values()) / 1e6:.0f} MB in {len(files)} files, hashes in report.json."


def _value(of: Mapping[str, Any]) -> str:
    return f"{of['value']:.3f} ({of['interval'][0]:.3f}-{of['interval'][1]:.3f})"


def _share(of: Mapping[str, Any]) -> str:
    return f"{of['refused']:.1%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
