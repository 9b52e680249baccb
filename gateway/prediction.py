"""One prediction from request to answer: receive, check, infer, word."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from starlette.requests import Request

from gateway.checking import ImageChecker
from gateway.disconnects import cancelled_on_disconnect
from gateway.errors import DeadlineExceeded, Overloaded, ReleaseGone, UndecodableImage
from gateway.languages import choose_language
from gateway.readiness import Readiness
from gateway.release import Answer, Release
from gateway.releases import Releases
from gateway.replies import word_prediction
from gateway.settings import Settings
from gateway.triton import Triton
from gateway.uploads import UploadReader


class Predictor:
    """Answers photos; the parts it uses are shared by all requests of the process."""

    def __init__(self, settings: Settings, triton: Triton, releases: Releases, readiness: Readiness) -> None:
        self._triton = triton
        self._releases = releases
        self._readiness = readiness
        self._uploads = UploadReader(settings)
        self._checker = ImageChecker(settings)
        self._deadline_s = settings.request_deadline_s
        self._free_slots = settings.max_in_flight
        self._one_suspect = asyncio.Lock()

    def close(self) -> None:
        """Stop the checking threads."""
        self._checker.close()

    async def predict(self, request: Request, request_id: str) -> tuple[dict[str, Any], str]:
        """Answer one upload.

        Returns:
            The body of a `Prediction`, and the language of its names.

        Raises:
            Problem: any but NotFound, MethodNotAllowed, InvalidRequest and InternalError.
        """
        started = time.perf_counter()
        with self._slot(), self._uploads.lease() as lease:
            release = self._releases.chosen()
            data = await self._uploads.read(request, release.limits, lease)
            received = time.perf_counter()
            try:
                async with cancelled_on_disconnect(request.receive), asyncio.timeout(self._deadline_s):
                    image = await self._checker.check(data, release.limits)
                    checked = time.perf_counter()
                    release, answer = await self._ask(release, image, request_id)
                    inferred = time.perf_counter()
            except TimeoutError as error:
                raise DeadlineExceeded("The answer took too long. Try again in a few seconds.") from error
        language = choose_language(request.headers.get("accept-language", ""), release.languages)
        reply = word_prediction(release, answer, language)
        reply["prediction_id"] = uuid.uuid4().hex
        reply["request_id"] = request_id
        reply["timings_ms"] = {
            "receive": _milliseconds(received - started),
            "check": _milliseconds(checked - received),
            "infer": _milliseconds(inferred - checked),
            "total": _milliseconds(time.perf_counter() - started),
        }
        structlog.contextvars.bind_contextvars(
            prediction_id=reply["prediction_id"],
            release=release.number,
            decision=reply["decision"],
            upload_bytes=len(data),
            timings_ms=reply["timings_ms"],
        )
        return reply, language

    async def _ask(self, release: Release, image: bytes, request_id: str) -> tuple[Release, Answer]:
        """The answer, and the release it came from: another one where the first was unloaded meanwhile."""
        try:
            answer = await self._infer(release, image, request_id)
        except ReleaseGone:
            await self._releases.refresh()
            successor = self._releases.chosen()
            if successor is release:
                raise
            release = successor
            answer = await self._infer(release, image, request_id)
        self._readiness.answered(release)
        return release, answer

    async def _infer(self, release: Release, image: bytes, request_id: str) -> Answer:
        """Ask, and once more alone where the image may only have shared a batch with a broken one."""
        try:
            return await self._triton.infer(release, image, request_id)
        except UndecodableImage:
            async with self._one_suspect:
                return await self._triton.infer(release, image, request_id)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._free_slots == 0:
            raise Overloaded("Too many photos are in work. Try again in a second.")
        self._free_slots -= 1
        try:
            yield
        finally:
            self._free_slots += 1


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
