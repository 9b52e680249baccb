"""One photo from its bytes to its outcome: check, infer, look. Single photos, batches and diagnoses all go through here."""

import asyncio
import hashlib
import time
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gateway.errors import (
    DeadlineExceeded,
    InferenceFailed,
    MalformedUpload,
    ReleaseGone,
    TritonUnavailable,
    UndecodableImage,
    UploadTooLarge,
)
from gateway.images.checking import ImageChecker, MemoryBudget
from gateway.images.decoding import CheckedImage
from gateway.images.overlay import overlay_png, shows
from gateway.images.quality import quality_hints
from gateway.languages import choose_language
from gateway.observe.traces import Traces
from gateway.predictions.outcome import Outcome
from gateway.predictions.question import Question
from gateway.predictions.replies import decide_on
from gateway.releases.guarding import Guard
from gateway.releases.routing import routing_key
from gateway.releases.shadowing import Shadowing
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.readiness import Readiness
from gateway.triton.release import Answer, Release
from gateway.triton.releases import Releases
from gateway.uploads.multipart import Upload


class Answering:
    """Shared by all requests of the process."""

    def __init__(
        self,
        settings: Settings,
        triton: Triton,
        releases: Releases,
        readiness: Readiness,
        traces: Traces,
        memory: MemoryBudget,
        shadowing: Shadowing,
        guard: Guard,
    ) -> None:
        self._shadowing = shadowing
        self._guard = guard
        self._releases = releases
        self._triton = triton
        self._readiness = readiness
        self._traces = traces
        self._checker = ImageChecker(settings, memory)
        # Threads of their own: what is quick here must not wait behind the decode of somebody's large photo.
        self._threads = ThreadPoolExecutor(settings.check_threads, thread_name_prefix="look")
        self._one_suspect = asyncio.Lock()

    def close(self) -> None:
        """Wait for running checks and stop the threads."""
        self._checker.close()
        self._threads.shutdown(cancel_futures=True)

    def choose(self, question: Question) -> Release:
        """The release that a new request asks; the same for a caller while the route stays.

        Raises:
            NotReady: there is none, or it does not answer.
        """
        return self._readiness.open_release(routing_key(question.caller, question.request_id))

    async def answer(
        self, upload: Upload, release: Release, question: Question, pinned: bool = False, turn_s: float = 0.0
    ) -> Outcome:
        """Check one photo and ask about it.

        Args:
            upload: the photo, not empty.
            release: asked; where it was unloaded meanwhile its successor is, unless `pinned`.
            question: what else is asked for.
            pinned: raise ReleaseGone instead of asking another release.
            turn_s: seconds that it has waited for other photos of its request.

        Raises:
            Problem: of the photo, or of Triton.
        """
        began_ns, began = time.time_ns(), time.perf_counter()
        _require_size(upload, release)
        with self._traces.stage("check"):
            image = await self._checker.check(upload.data, release.limits)
        self._traces.waited("queue", began_ns, image.queued_s)
        checked = time.perf_counter()
        looking = asyncio.get_running_loop().run_in_executor(self._threads, _look, upload.data, image)
        try:
            with self._traces.stage("infer"):
                release, answer = await self._ask(release, image.encoded, question, pinned)
            inferred = time.perf_counter()
            self._shadowing.offer(release, answer, image.encoded, inferred - checked)
            quality, sha256 = await looking
        finally:
            looking.cancel()
        return Outcome(
            upload=upload,
            sha256=sha256,
            width=image.width,
            height=image.height,
            release=release,
            answer=answer,
            quality=quality,
            queue_s=turn_s + image.queued_s,
            check_s=checked - began - image.queued_s,
            infer_s=inferred - checked,
            inferred_at=inferred,
        )

    async def explain(self, outcome: Outcome, class_id: int, question: Question) -> dict[str, Any] | None:
        """An `Explanation`: where in the photo the members saw a class; None where none of them can say."""
        release, answer = outcome.release, outcome.answer
        if not answer.activation_maps:
            return None
        with self._traces.stage("explain"):
            png = await asyncio.get_running_loop().run_in_executor(
                self._threads, overlay_png, outcome.width, outcome.height, answer, release, class_id
            )
        if png is None:
            return None
        language = choose_language(question.accept_language, release.languages)
        return {
            "class_name": release.names[language][class_id],
            "overlay_png": b64encode(png).decode(),
            "members": [member.name for member in release.members if shows(member, answer)],
        }

    async def _ask(self, release: Release, image: bytes, question: Question, pinned: bool) -> tuple[Release, Answer]:
        """The answer, and the release it came from: another one where the first was unloaded meanwhile."""
        try:
            answer = await self._infer(release, image, question)
        except ReleaseGone:
            if pinned:
                raise
            successor = await self.successor(release)
            release, answer = successor, await self._infer(successor, image, question)
        self._guard.note(release.number, refused=decide_on(release, answer)[0] == "rejected")
        self._readiness.answered(release)
        return release, answer

    async def successor(self, release: Release) -> Release:
        """The release that answers now that `release` was unloaded.

        Raises:
            ReleaseGone: none has taken its place yet.
            Problem: Triton does not say.
        """
        await self._releases.refresh()
        successor = self._releases.chosen()
        if successor is release:
            raise ReleaseGone("The release was just unloaded. Try again in a second.")
        return successor

    async def _infer(self, release: Release, image: bytes, question: Question) -> Answer:
        """Ask, and once more alone where the image may only have shared a batch with a broken one."""
        headers = self._traces.headers()
        arguments = (release, image, question.request_id, question.explain, headers)
        try:
            return await self._triton.infer(*arguments)
        except UndecodableImage:
            async with self._one_suspect:
                return await self._triton.infer(*arguments)
        except InferenceFailed:
            self._guard.note(release.number, failed=True)
            raise
        except (DeadlineExceeded, TritonUnavailable) as problem:
            self._readiness.doubt()
            if isinstance(problem, DeadlineExceeded):
                if self._readiness.is_silent():
                    raise TritonUnavailable(
                        "The inference server does not answer. Try again in a few seconds."
                    ) from problem
                self._guard.note(release.number, failed=True)
            raise


def _require_size(upload: Upload, release: Release) -> None:
    if not upload.data:
        raise MalformedUpload("This photo is empty. Choose it again.")
    if len(upload.data) > release.limits.max_bytes:
        raise UploadTooLarge(
            f"A photo may have at most {release.limits.max_bytes} bytes. Send a smaller or more strongly compressed one."
        )


def _look(data: bytes, image: CheckedImage) -> tuple[Sequence[str], str]:
    """Quality hints and the upload's hash, while Triton works."""
    return quality_hints(image.preview, image.width, image.height), hashlib.sha256(data).hexdigest()
