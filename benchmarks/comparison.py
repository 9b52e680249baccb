"""One run from start to end: start all, compare answers, measure, stop all."""

import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import photos as pictures
from benchmarks.breakdown import collecting, stages, traces
from benchmarks.machine import hardware, say, triton_version, versions
from benchmarks.measures import answers, arrivals, bad_photos, curve, fleet, overload, rounds
from benchmarks.options import Options
from benchmarks.systems import release
from benchmarks.systems.catalog import OURS, REFERENCE, SYSTEMS
from benchmarks.systems.ours import bare_engines
from benchmarks.systems.system import Setup

Keep = Callable[[dict[str, Any]], None]


def compare(options: Options, keep: Keep) -> dict[str, Any]:
    """Every figure of the run, as `report` reads it; `keep` gets what there is after each part."""
    photos = pictures.read(options.photos, options.photo_count)
    chosen = [SYSTEMS[name] for name in options.systems]
    with tempfile.TemporaryDirectory(prefix="leaf-bench-") as folder:
        setup = Setup(options.repository, release.read(options.repository, options.members), Path(folder))
        result: dict[str, Any] = {
            "hardware": hardware(),
            "versions": versions(),
            "options": options.as_json(),
            "photos": pictures.sizes(photos),
            "members": {member.name: member.precision for member in setup.release.members},
        }
        with ExitStack() as stack:
            started = fleet.start(chosen, setup, photos[0], stack)
            result["systems"] = started.facts
            port = started.running[OURS].grpc_port
            assert port is not None
            result["versions"]["triton"]["tritonserver"] = triton_version(port)
            say(f"comparing the answers to {len(photos)} photos")
            alike = answers.check(started, REFERENCE, photos, options.clients, options.bound)
            for name, found in alike.items():
                result["systems"][name]["agreement"] = found
            rates = _measure(options, started, photos, result, keep)
        if "breakdown" in options.parts:
            result["breakdown"] = _traced(options, setup, photos)
            keep(result)
        if "overload" in options.parts:
            _overloaded(options, setup, photos, rates, result, keep)
    return result


def _measure(
    options: Options, started: fleet.Fleet, photos: list[bytes], result: dict[str, Any], keep: Keep
) -> dict[str, float]:
    """All that is asked of patient systems; returns photos per second of each."""
    systems = result["systems"]
    bare = (lambda: bare_engines(options.repository, options.seconds / 2)) if "bare" in options.parts else None
    load = (options.clients, options.rounds, options.seconds, options.patience_s)
    found, result["bare"] = rounds.run(started, photos, *load, bare)
    rates = {name: median(each["photos_per_second"] for each in figures) for name, figures in found.items()}
    for name, figures in found.items():
        systems[name]["rounds"] = figures
        systems[name]["memory_mib"] = started.running[name].memory_mib()
    keep(result)
    if "bad" in options.parts:
        for name, one in bad_photos.run(
            started, photos, options.clients, options.seconds / 2, options.patience_s
        ).items():
            systems[name]["bad"] = one
        keep(result)
    if "arrivals" in options.parts:
        for name, points in arrivals.run(
            started, photos, rates[OURS], rates, options.seconds, options.patience_s
        ).items():
            systems[name]["arrivals"] = points
        keep(result)
    if "curve" in options.parts:
        for name, points in curve.run(
            started, photos, options.levels, rates, options.seconds, options.patience_s
        ).items():
            systems[name]["curve"] = points
        keep(result)
    return rates


def _traced(options: Options, setup: Setup, photos: list[bytes]) -> dict[str, Any]:
    """Ours, in a start of its own: traces cost a little, and what was asked under them warms nothing else."""
    trace = setup.scratch / "trace.json"
    collected = {}
    with SYSTEMS[OURS].start(replace(setup, deadline_s=options.deadline_s, trace=trace)) as running:
        assert running.grpc_port is not None
        traces.switch(running.grpc_port, on=True)
        for clients in (1, options.clients):
            say(f"tracing {clients} clients")
            collected[clients] = collecting.collect(running, photos, clients, 2 * options.seconds)
        traces.switch(running.grpc_port, on=False)
    known = traces.read(trace)
    return {str(clients): stages.mean_stages(each, known) for clients, each in collected.items()}


def _overloaded(
    options: Options, setup: Setup, photos: list[bytes], rates: dict[str, float], result: dict[str, Any], keep: Keep
) -> None:
    """Each system anew, with its deadlines, alone on the machine; one that fails is told of, and the rest goes on."""
    for name in options.systems:
        strict = replace(setup, deadline_s=options.deadline_s, capacity=rates[name])
        try:
            with SYSTEMS[name].start(strict) as running:
                figures = overload.run(
                    name,
                    running,
                    photos,
                    rates[name],
                    options.clients,
                    options.seconds,
                    options.patience_s,
                    options.deadline_s,
                )
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            say(f"{name} under overload: {error}")
            figures = {"left_out": str(error).strip().splitlines()[-1]}
        result["systems"][name]["overload"] = figures
        keep(result)
