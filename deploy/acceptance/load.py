"""Asks the gateway: once, or by many clients at a time."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

TIMEOUT_S = 30
RETRY_S = 0.5
"""A caller that is refused comes again after this; one that does not wait takes the machine from those who are answered."""


@dataclass(frozen=True)
class Answer:
    """What one photo got."""

    status: int
    """0 where the connection failed."""
    seconds: float
    body: dict[str, Any]
    photo: int = 0
    """Which of the photos it was."""

    @property
    def probabilities(self) -> dict[str, float]:
        """By class; empty where it was no answer."""
        return dict(self.body.get("probabilities") or {})


@dataclass
class Client:
    """One connection, kept open."""

    address: str
    key: str
    connection: http.client.HTTPConnection | None = None

    def ask(self, photo: bytes) -> Answer:
        """Send a photo as the body."""
        start = time.perf_counter()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
            self.connection.request("POST", "/v1/predict", photo, {"Authorization": f"Bearer {self.key}"})
            reply = self.connection.getresponse()
            body, status = reply.read(), reply.status
            if reply.getheader("Connection", "").lower() == "close":
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(0, time.perf_counter() - start, {"detail": f"{type(error).__name__}: {error}"})
        try:
            said = json.loads(body)
        except ValueError:
            said = {"detail": body[:200].decode(errors="replace")}
        return Answer(status, time.perf_counter() - start, said)

    def close(self) -> None:
        """The next photo gets a new connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@dataclass
class Load:
    """Many clients, each sending its next photo as soon as the last one is answered, for as long as the block lasts."""

    new_client: Callable[[], Client]
    photos: Sequence[bytes]
    clients: int
    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _start: float = 0.0

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self.clients)]
        self._start = time.perf_counter()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.seconds = time.perf_counter() - self._start

    def _work(self, number: int) -> None:
        client = self.new_client()
        while not self._ended.is_set():
            photo = number % len(self.photos)
            answer = client.ask(self.photos[photo])
            self.answers.append(replace(answer, photo=photo))
            if answer.status != http.client.OK:
                self._ended.wait(RETRY_S)
            number += 1
        client.close()

    @property
    def failed(self) -> list[Answer]:
        """Photos without an answer."""
        return [answer for answer in self.answers if answer.status != http.client.OK]

    @property
    def rate(self) -> float:
        """Answered photos a second."""
        return (len(self.answers) - len(self.failed)) / self.seconds

    def percentile(self, percent: int) -> float:
        """Of the answered photos' times, milliseconds."""
        times = sorted(answer.seconds for answer in self.answers if answer.status == http.client.OK)
        return 1000 * times[min(len(times) - 1, len(times) * percent // 100)] if times else float("nan")
