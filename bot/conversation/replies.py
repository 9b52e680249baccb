"""What the gateway's reply holds beside words: predictions to speak about later, and where the evidence lies."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, cast

from bot.wording.answers import names_disease, overlay
from bot.wording.picture import is_light, marked
from client import Diagnosis, Prediction


def predictions_in(reply: Prediction | Diagnosis) -> tuple[tuple[str, ...], str | None]:
    """Ids of the predictions that the answer stands on, and the one of the first photo, if it is among them."""
    if "photos" not in reply:
        single = reply["prediction_id"]
        return (single,), single
    photos = cast(Diagnosis, reply)["photos"]
    answered = {photo["index"]: photo["prediction"]["prediction_id"] for photo in photos if "prediction" in photo}
    used = tuple(answered[photo["index"]] for photo in photos if photo["used"]) or tuple(answered.values())
    first = answered.get(0)
    return used, first if first in used else None


def other_classes(told: dict[str, Any] | None, reply: Prediction | Diagnosis) -> tuple[str, ...]:
    """Keys of the classes that it could be but for the one named, in the release's order; none where they are not known."""
    if told is None or told["release"] != reply["release"]:
        return ()
    named = reply["predicted_class_id"] if names_disease(reply) else None
    return tuple(str(one["key"]) for one in told["classes"] if one["id"] != named)


async def picture_for(reply: Prediction | Diagnosis, files: Sequence[bytes], heavy: asyncio.Lock) -> bytes | None:
    """The photo that shows the evidence best, marked (JPEG); None where no disease is named or nothing can be marked.

    Args:
        heavy: held while a large picture is marked, which may take hundreds of megabytes.
    """
    found = overlay(reply) if names_disease(reply) else None
    if found is None:
        return None
    index, png = found
    async with nullcontext() if await asyncio.to_thread(is_light, files[index]) else heavy:
        return await asyncio.to_thread(marked, files[index], png)
