"""The photos of one batch or diagnosis: some in work at a time, each with its own result or problem."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from gateway.errors import DeadlineExceeded, Problem
from gateway.predictions.parts import Parts
from gateway.predictions.question import Question
from gateway.predictions.slots import Slots
from gateway.problems import problem_body
from gateway.settings import Settings
from gateway.triton.release import Release
from gateway.uploads.multipart import Upload

_REPLY_RESERVE_S = 0.5
_REPLY_RESERVE_SHARE = 0.1
_SERVICE_FAILED = 500

T = TypeVar("T")


class Deadline:
    """When the photos of a request must be done, so that its answer still goes out in time; runs from now."""

    def __init__(self, settings: Settings) -> None:
        self._photo_s = settings.request_deadline_s
        whole_s = max(settings.group_deadline_s, settings.request_deadline_s)
        self.whole = asyncio.get_running_loop().time() + whole_s
        """The end of the request, as of the event loop's clock."""
        self.photos = self.whole - min(_REPLY_RESERVE_S, whole_s * _REPLY_RESERVE_SHARE)
        """The end of the last photo."""

    def photo(self) -> float:
        """The end of a photo whose turn is now."""
        return min(asyncio.get_running_loop().time() + self._photo_s, self.photos)


@dataclass(frozen=True, slots=True)
class Group:
    """The photos of one request as they have arrived.

    Attributes:
        uploads: the photos.
        release: that was chosen when the request came.
        receive_s: seconds until all had arrived.
        received_at: the moment, as of time.perf_counter().
        deadline: of their answer.
        width: photos in work at a time.
    """

    uploads: Sequence[Upload]
    release: Release
    receive_s: float
    received_at: float
    deadline: Deadline
    width: int


@asynccontextmanager
async def received_group(parts: Parts, request: Request, question: Question, most_photos: int) -> AsyncIterator[Group]:
    """Receive a form of photos and hold what they need until the block ends.

    Its first photo counts before anything is read, and whoever sends slowly takes no slot from others.

    Raises:
        Overloaded, NotReady, RateLimited, TooManyPhotos, UploadTooLarge, MalformedUpload, ReceiveTimeout, ClientGone
    """
    started = time.perf_counter()
    parts.slots.require_group()
    with parts.uploads.lease(request.state.caller.identity) as lease:
        release = parts.answering.choose(question)
        await parts.charge(request, 1, 0)
        uploads = await parts.uploads.read_several(request, most_photos, lease)
        with parts.slots.group():
            if len(uploads) > 1:
                await parts.charge(request, len(uploads) - 1, 1)
            received_at = time.perf_counter()
            yield Group(
                uploads,
                release,
                received_at - started,
                received_at,
                Deadline(parts.settings),
                parts.slots.photos_of_a_group,
            )


async def for_each(slots: Slots, group: Group, work: Callable[[Upload, float], Awaitable[T]]) -> list[T | Problem]:
    """What `work` makes of each photo, or why it could not, in their order.

    Args:
        slots: where each photo counts while it is in work.
        work: gets a photo, and the seconds that it has waited for its turn.
    """
    turns = asyncio.Semaphore(group.width)

    async def one(upload: Upload) -> T | Problem:
        try:
            async with asyncio.timeout_at(group.deadline.photos), turns:
                turn_s = time.perf_counter() - group.received_at
                with slots.photo():
                    async with asyncio.timeout_at(group.deadline.photo()):
                        return await work(upload, turn_s)
        except TimeoutError:
            return DeadlineExceeded("There was no time left for this photo. Send it again, or fewer at once.")
        except Problem as problem:
            return problem

    tasks = [asyncio.create_task(one(upload)) for upload in group.uploads]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:  # the client has left, or a defect: nobody waits for the other photos any more
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def service_failed(problem: Problem) -> bool:
    """Whether the photo is not to blame: sent again later, it may be answered."""
    return problem.status >= _SERVICE_FAILED


def failed_item(parts: Parts, group: Group, index: int, problem: Problem, request: Request) -> dict[str, Any]:
    """The item of a photo that was not answered; counted here, since its request may well succeed."""
    parts.count_problem(problem.type, request.state.caller.kind)
    body = problem_body(problem, instance=request.url.path, request_id=request.state.request_id)
    return {"index": index, "file_name": group.uploads[index].file_name, "problem": body}
