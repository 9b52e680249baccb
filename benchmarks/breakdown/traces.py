"""Triton's own trace of each request: when each step of the ensemble waited, and when it computed.

Format: Triton's `docs/user_guide/trace.md`, mode `triton`, level TIMESTAMPS; times in nanoseconds.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tritonclient.grpc as grpc

_NS_PER_MS = 1e6


@dataclass
class Step:
    """One model's part of one request."""

    model: str
    request_id: str
    parent: int | None
    moments: dict[str, int] = field(default_factory=dict)

    def between(self, first: str, last: str) -> float:
        """Milliseconds from one moment to another.

        Raises:
            KeyError: the trace lacks one of them.
        """
        return (self.moments[last] - self.moments[first]) / _NS_PER_MS

    @property
    def queue_ms(self) -> float:
        """Waiting for the step, for other photos of its batch, and for an instance."""
        return self.between("QUEUE_START", "COMPUTE_START")

    @property
    def compute_ms(self) -> float:
        """In the backend, with its input and output."""
        return self.between("COMPUTE_START", "COMPUTE_END")


@dataclass(frozen=True)
class Request:
    """The ensemble's trace and those of its steps."""

    ensemble: Step
    steps: tuple[Step, ...]


def switch(port: int, on: bool) -> None:
    """Have Triton trace every request from now on, or none."""
    client = grpc.InferenceServerClient(f"127.0.0.1:{port}")
    client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"] if on else ["OFF"], "trace_rate": "1"})
    client.close()


def read(file: Path) -> dict[str, Request]:
    """Whole traces by request id, from a file that Triton has finished.

    Raises:
        SystemExit: Triton wrote none.
    """
    files = [path for path in (file, *sorted(file.parent.glob(f"{file.name}.*"))) if path.is_file()]
    entries = [entry for path in files for entry in objects(path.read_text())]
    if not entries:
        raise SystemExit("bench: Triton wrote no trace, so there is no breakdown.")
    return requests(entries)


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The entries of a trace file: Triton forgets commas between arrays that it writes at once, so each is read by itself."""
    decoder, at = json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        try:
            entry, at = decoder.raw_decode(text, at)
        except ValueError:
            at += 1  # of an entry that was cut off
        else:
            yield entry


def requests(entries: Sequence[dict[str, Any]]) -> dict[str, Request]:
    """Traces by request id; a request with no step, or without an id, is left out."""
    steps: dict[int, Step] = {}
    for entry in entries:
        if "model_name" in entry:
            parent = entry.get("parent_id") or None
            steps[entry["id"]] = Step(entry["model_name"], str(entry.get("request_id", "")), parent)
    for entry in entries:
        for stamp in entry.get("timestamps", ()):
            if entry["id"] in steps:
                steps[entry["id"]].moments[stamp["name"]] = int(stamp["ns"])
    found = {}
    for number, step in steps.items():
        inner = tuple(each for each in steps.values() if each.parent == number)
        if step.parent is None and inner and step.request_id:
            found[step.request_id] = Request(step, inner)
    return found
