"""One broken photo in twenty: it must fail alone, and cost little."""

from collections.abc import Sequence
from typing import Any

from benchmarks.loads import closed
from benchmarks.loads.samples import failures
from benchmarks.machine import say
from benchmarks.measures.fleet import Fleet
from benchmarks.photos import with_bad_ones
from benchmarks.targets import OK

FEWEST = 60
"""Photos, good and broken: three of them broken."""


def run(
    fleet: Fleet, photos: Sequence[bytes], clients: int, seconds: float, patience_s: float
) -> dict[str, dict[str, Any]]:
    """Under the rounds' load: good photos per second (19 in 20 of its usual rate would be no loss), good ones that failed,
    broken ones by status (`answers`)."""
    found = {}
    turn = with_bad_ones(photos)
    for name in fleet.names():
        with fleet.turn(name) as running, closed.clients(running.target, turn) as these:
            window = closed.measure(these, clients, seconds, patience_s, running.cpu_s, FEWEST)
        # those that came before and after the window tell as much of who failed
        samples = these.samples
        answers: dict[str, int] = {}
        for each in samples:
            if each.bad:
                answers[str(each.status)] = answers.get(str(each.status), 0) + 1
        found[name] = {
            "photos_per_second": window.photos_per_second,
            "good": sum(not each.bad for each in samples),
            "good_failed": failures(samples),
            "bad": sum(each.bad for each in samples),
            "bad_answered_ok": sum(each.bad and each.status == OK for each in samples),
            "answers": answers,
        }
        say(f"{name} with broken photos: {found[name]['good_failed']} of {found[name]['good']} good ones failed")
    return found
