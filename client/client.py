"""Async calls of the gateway: one method a route, every call with a timeout."""

import asyncio
import random
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast

import httpx2

from client.errors import Refused, Unreachable
from client.replies import Batch, Diagnosis, Prediction, Verdict

_LONGEST_WAIT_S = 10.0
_JITTER = 0.5


class GatewayClient:
    """Use as `async with GatewayClient("http://127.0.0.1:8080", key="leaf_...") as gateway:`.

    Args:
        url: of the gateway.
        key: API key or JWT; None where the gateway is open.
        timeout_s: of one attempt, from connecting to the last byte of the answer.
        retries: further attempts after 429, 503 or a refused connection; waits as long as `Retry-After` says, or up to half as
            long again.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout_s: float = 30.0, retries: int = 1) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.AsyncClient(base_url=url, headers=headers, timeout=timeout_s)
        self._timeout_s = timeout_s
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def predict(
        self,
        photo: bytes,
        *,
        file_name: str = "photo",
        explain: bool = False,
        keep_photo: bool = False,
        language: str | None = None,
        end_user: str | None = None,
    ) -> Prediction:
        """Diagnose one leaf photo.

        Args:
            photo: an image file (JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF).
            explain: also ask where the evidence lies.
            keep_photo: the owner agrees that the photo is kept.
            language: tag such as `sw`, for names and advice; so in every method.
            end_user: whom one asks for; needs a key that may delegate; so in every method.

        Raises:
            Refused, Unreachable
        """
        query = _flags(explain=explain, keep_photo=keep_photo)
        return cast(
            Prediction,
            await self._call(
                "POST", "/v1/predict", _identity(language, end_user), params=query, files=[_part(file_name, photo)]
            ),
        )

    async def predict_batch(
        self,
        photos: Sequence[tuple[str, bytes]],
        *,
        explain: bool = False,
        keep_photo: bool = False,
        language: str | None = None,
        end_user: str | None = None,
    ) -> Batch:
        """Diagnose up to 16 photos, given as (file name, bytes), each for itself."""
        query = _flags(explain=explain, keep_photo=keep_photo)
        files = [_part(*photo) for photo in photos]
        identity = _identity(language, end_user)
        return cast(Batch, await self._call("POST", "/v1/predict:batch", identity, params=query, files=files))

    async def diagnose(
        self,
        photos: Sequence[tuple[str, bytes]],
        *,
        explain: bool = False,
        keep_photo: bool = False,
        language: str | None = None,
        end_user: str | None = None,
    ) -> Diagnosis:
        """Diagnose one plant from up to ten photos, given as (file name, bytes)."""
        query = _flags(explain=explain, keep_photo=keep_photo)
        files = [_part(*photo) for photo in photos]
        return cast(
            Diagnosis,
            await self._call("POST", "/v1/diagnoses", _identity(language, end_user), params=query, files=files),
        )

    async def feedback(
        self,
        prediction_id: str,
        verdict: Verdict,
        *,
        class_key: str | None = None,
        comment: str | None = None,
        photo: bytes | None = None,
        language: str | None = None,
        end_user: str | None = None,
    ) -> dict[str, Any]:
        """Say whether an answer was right; `photo` (the same file as before) only if its owner lets it be kept."""
        said = {"prediction_id": prediction_id, "verdict": verdict, "class_key": class_key, "comment": comment}
        fields = {name: value for name, value in said.items() if value is not None}
        if photo is None:
            return await self._call("POST", "/v1/feedback", _identity(language, end_user), json=fields)
        form = {**fields, "keep_photo": "true"}
        return await self._call(
            "POST", "/v1/feedback", _identity(language, end_user), data=form, files=[("photo", ("photo", photo))]
        )

    async def delete(self, prediction_id: str, language: str | None = None, end_user: str | None = None) -> None:
        """Delete one answer and what was kept with it."""
        await self._call("DELETE", f"/v1/predictions/{prediction_id}", _identity(language, end_user))

    async def forget(self, language: str | None = None, end_user: str | None = None) -> int:
        """Delete all that is remembered of `end_user`; returns the number of answers."""
        return int((await self._call("DELETE", "/v1/predictions", _identity(language, end_user)))["deleted"])

    async def classes(self, language: str | None = None, end_user: str | None = None) -> dict[str, Any]:
        """The classes of the current release with names and advice."""
        return await self._call("GET", "/v1/classes", _identity(language, end_user))

    async def release(self, language: str | None = None, end_user: str | None = None) -> dict[str, Any]:
        """The current release: members, quality figures, limits."""
        return await self._call("GET", "/v1/release", _identity(language, end_user))

    async def ready(self) -> bool:
        """Whether the gateway can answer photos now; False where it cannot be reached either."""
        try:
            return (await self._http.get("/health/ready")).is_success
        except httpx2.TransportError:
            return False

    async def _call(self, method: str, path: str, headers: dict[bytes, bytes], **parts: Any) -> dict[str, Any]:
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                async with asyncio.timeout(self._timeout_s):
                    reply = await self._http.request(method, path, headers=headers, **parts)
            except httpx2.ConnectError as error:
                if last:
                    raise Unreachable(f"{self._http.base_url} cannot be reached: {error}") from error
                await asyncio.sleep(1)
                continue
            except (httpx2.TransportError, TimeoutError) as error:  # it may have been worked on: not sent a second time
                raise Unreachable(f"{self._http.base_url} did not answer: {error or type(error).__name__}") from error
            if reply.is_success:
                return _body(reply)
            refusal = _refusal(reply)
            wait_s = refusal.retry_after_s
            if last or reply.status_code not in (429, 503) or wait_s is None or wait_s > _LONGEST_WAIT_S:
                raise refusal
            # those who were refused together do not come back as one wave
            await asyncio.sleep(wait_s * random.uniform(1, 1 + _JITTER))
        raise AssertionError("the last attempt returns or raises")


def _part(file_name: str, photo: bytes) -> tuple[str, tuple[str, bytes]]:
    return "file", (file_name, photo)


def _flags(**flags: bool) -> dict[str, str]:
    return {name: "true" for name, value in flags.items() if value}


def _identity(language: str | None, end_user: str | None) -> dict[bytes, bytes]:
    headers = {b"Accept-Language": language, b"X-End-User": end_user}
    return {name: value.encode() for name, value in headers.items() if value is not None}


def _body(reply: httpx2.Response) -> dict[str, Any]:
    if not reply.content:
        return {}
    try:
        body = reply.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(reply.status_code, {"detail": "The answer is not the gateway's. Check the address."}, None)
    return body


def _refusal(reply: httpx2.Response) -> Refused:
    try:
        body = reply.json()
    except ValueError:
        body = {}
    seconds = reply.headers.get("retry-after", "")
    wait_s = float(seconds) if seconds.isdecimal() else None
    return Refused(reply.status_code, body if isinstance(body, dict) else {}, wait_s)
