"""What has to hold, each with its figures; run in this order on a stack that has started."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus

from deploy.acceptance.compose import AcceptanceError, Compose, say
from deploy.acceptance.figures import busy_share
from deploy.acceptance.load import Answer, Client, Load
from deploy.acceptance.uploads import hostile

SAME_ANSWER = 0.01
HOSTILE_ROUNDS = 5
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    passed: bool
    text: str


@dataclass
class Stack:
    """What the checks ask."""

    compose: Compose
    new_client: Callable[[], Client]
    photos: list[bytes]
    stable: int
    """Number of the release that answers."""
    twin: int
    """The same release under another number, not yet tried."""
    seconds: float
    """Of each measured load."""
    others: int
    """Clients that ask meanwhile, where something else is tried."""
    switches: int
    clients: tuple[int, ...]
    alone: list[Answer] = field(default_factory=list)
    """What each photo got while nobody else asked, in their order."""


def difference(one: dict[str, float], other: dict[str, float]) -> float:
    """Largest difference of two answers' probabilities; 1 where they name other classes."""
    if one.keys() != other.keys() or not one:
        return 1.0
    return max(abs(one[name] - other[name]) for name in one)


def answers(stack: Stack) -> Check:
    """Every photo is answered by the release that is there."""
    with closing(stack.new_client()) as client:
        stack.alone = [client.ask(photo) for photo in stack.photos]
    wrong = [answer for answer in stack.alone if answer.status != 200 or answer.body.get("release") != stack.stable]
    text = f"{len(stack.alone) - len(wrong)} of {len(stack.alone)} photos answered by release {stack.stable}"
    return Check("answers", not wrong, text + (f"; {wrong[0].status}: {wrong[0].body}" if wrong else ""))


def bad_images(stack: Stack) -> Check:
    """Hostile uploads get a 4xx that says why, in time, while everybody else is answered."""
    refused: Counter[str] = Counter()
    wrong: list[str] = []
    with Load(stack.new_client, stack.photos, stack.others) as others, closing(stack.new_client()) as client:
        for _ in range(HOSTILE_ROUNDS):
            for name, upload in hostile(stack.photos[0]).items():
                answer = client.ask(upload)
                refused[name] += 1
                if not 400 <= answer.status < 500 or "type" not in answer.body or answer.seconds > ANSWER_WITHIN_S:
                    wrong.append(f"{name}: {answer.status} after {answer.seconds:.1f} s {answer.body}")
    text = f"{sum(refused.values())} uploads of {len(refused)} kinds, {len(wrong)} not refused as they should be; "
    text += f"{len(others.answers)} good photos beside them, {len(others.failed)} failed"
    return Check("bad images", not wrong and not others.failed, "; ".join([text, *wrong[:3], *_first(others.failed)]))


def same_under_load(stack: Stack) -> Check:
    """A photo's answer does not depend on what shares its batch."""
    with Load(stack.new_client, stack.photos, 2 * stack.others) as load:
        time.sleep(min(stack.seconds, 10))
    answered = [answer for answer in load.answers if answer.status == HTTPStatus.OK]
    apart = [difference(answer.probabilities, stack.alone[answer.photo].probabilities) for answer in answered]
    worst = max(apart, default=1.0)
    text = (
        f"{len(answered)} answers to {2 * stack.others} clients, {worst:.4f} at most from those alone ({SAME_ANSWER})"
    )
    return Check("batches", worst <= SAME_ANSWER and not load.failed, "; ".join([text, *_first(load.failed)]))


def switches(stack: Stack) -> Check:
    """The twin proves itself on the probes that export computed with PyTorch, and releases change under load without a fault."""
    faults: list[str] = []
    with Load(stack.new_client, stack.photos, stack.others) as load:
        try:
            for _ in range(stack.switches // 2):
                stack.compose.gateway("release", "promote", str(stack.twin))
                stack.compose.gateway("release", "rollback")
        except AcceptanceError as error:
            faults.append(str(error))
    seen = Counter(answer.body.get("release") for answer in load.answers if answer.status == 200)
    strange = set(seen) - {stack.stable, stack.twin}
    text = f"{stack.switches} switches, {len(load.answers)} photos meanwhile, {len(load.failed)} failed, answered by {dict(seen)}"
    passed = not (faults or load.failed or strange) and len(seen) == 2
    return Check("switches", passed, "; ".join([text, *faults, *_first(load.failed)]))


def throughput(stack: Stack) -> Iterator[Check]:
    """Photos a second by number of clients, and how busy the engines were."""
    for clients in stack.clients:
        before, start = stack.compose.triton_metrics(), time.monotonic()
        with Load(stack.new_client, stack.photos, clients) as load:
            time.sleep(stack.seconds)
        after, wall = stack.compose.triton_metrics(), time.monotonic() - start
        busy = ", ".join(f"{name} {share:.0%}" for name, share in busy_share(before, after, wall).items())
        text = f"{load.rate:.1f} photos/s, median {load.percentile(50):.1f} ms, p95 {load.percentile(95):.1f} ms, "
        text += f"p99 {load.percentile(99):.1f} ms, {len(load.failed)} failed; time in engines: {busy or 'none'}"
        yield Check(f"throughput, {clients} clients", not load.failed and bool(load.answers), text)


def _first(failed: list[Answer]) -> list[str]:
    return [f"first failure {failed[0].status}: {failed[0].body}"] if failed else []


def run(stack: Stack) -> Iterator[Check]:
    """All of them; the one that fails keeps no other from being tried."""
    for check in (answers, bad_images, same_under_load, switches):
        say(f"{check.__name__.replace('_', ' ')} ...")
        yield check(stack)
    say("throughput ...")
    yield from throughput(stack)
