"""One run from start to end: start all, compare answers, measure, stop all."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import photos as pictures
from benchmarks.breakdown import collecting, stages, traces
from benchmarks.machine import hardware, say
from benchmarks.measures import answers, arrivals, bad_photos, curve, fleet, overload, rounds
from benchmarks.options import Options
from benchmarks.systems import release
from benchmarks.systems.catalog import OURS, REFERENCE, SYSTEMS
from benchmarks.systems.ours import bare_engines
from benchmarks.systems.system import Setup

_COMPARED = 6


def compare(options: Options) -> dict[str, Any]:
    """Every figure of the run, as `report` reads it."""
    photos = pictures.read(options.photos, options.photo_count)
    chosen = [SYSTEMS[name] for name in options.systems]
    with tempfile.TemporaryDirectory(prefix="leaf-bench-") as folder:
        setup = Setup(options.repository, release.read(options.repository, options.members), Path(folder))
        result: dict[str, Any] = {
            "hardware": hardware(),
            "options": options.as_json(),
            "photos": pictures.sizes(photos),
            "members": {member.name: member.precision for member in setup.release.members},
        }
        with ExitStack() as stack:
            started = fleet.start(chosen, setup, photos[0], stack)
            result["systems"] = started.facts
            say("comparing answers")
            alike = answers.check(started, REFERENCE, photos[:_COMPARED], options.bound)
            rates = _measure(options, started, photos, result)
            for name, found in alike.items():
                result["systems"][name]["agreement"] = found
        _under_deadlines(options, setup, photos, rates, result)
    return result


def _measure(options: Options, started: fleet.Fleet, photos: list[bytes], result: dict[str, Any]) -> dict[str, float]:
    """All that is asked of patient systems; returns photos per second of each."""
    systems = result["systems"]
    bare = (lambda: bare_engines(options.repository, options.seconds / 2)) if "bare" in options.parts else None
    load = (options.clients, options.rounds, options.seconds, options.patience_s)
    found, result["bare"] = rounds.run(started, photos, *load, bare)
    rates = {name: median(each["photos_per_second"] for each in figures) for name, figures in found.items()}
    for name, figures in found.items():
        systems[name]["rounds"] = figures
        systems[name]["memory_mib"] = started.running[name].memory_mib()
    if "bad" in options.parts:
        for name, one in bad_photos.run(
            started, photos, options.clients, options.seconds / 2, options.patience_s
        ).items():
            systems[name]["bad"] = one
    if "arrivals" in options.parts:
        for name, points in arrivals.run(
            started, photos, rates[OURS], rates, options.seconds, options.patience_s
        ).items():
            systems[name]["arrivals"] = points
    if "curve" in options.parts:
        for name, points in curve.run(
            started, photos, options.levels, rates, options.seconds, options.patience_s
        ).items():
            systems[name]["curve"] = points
    return rates


def _under_deadlines(
    options: Options, setup: Setup, photos: list[bytes], rates: dict[str, float], result: dict[str, Any]
) -> None:
    """Each system anew, with its deadlines, alone on the machine: ours under its traces, then all under overload."""
    wanted = [OURS] if "breakdown" in options.parts or "overload" in options.parts else []
    if "overload" in options.parts:
        wanted = list(options.systems)
    for name in wanted:
        traced = name == OURS and "breakdown" in options.parts
        trace = setup.scratch / "trace.json"
        strict = Setup(setup.repository, setup.release, setup.scratch, options.deadline_s, trace if traced else None)
        collected = {}
        with SYSTEMS[name].start(strict) as running:
            if traced:
                assert running.grpc_port is not None
                traces.switch(running.grpc_port, on=True)
                for clients in (1, options.clients):
                    say(f"tracing {clients} clients")
                    collected[clients] = collecting.collect(running, photos, clients, 2 * options.seconds)
                traces.switch(running.grpc_port, on=False)
            if "overload" in options.parts:
                result["systems"][name]["overload"] = overload.run(
                    name, running, photos, rates[name], options.seconds, options.deadline_s
                )
        if traced:
            known = traces.read(trace)
            result["breakdown"] = {str(clients): stages.mean_stages(each, known) for clients, each in collected.items()}
