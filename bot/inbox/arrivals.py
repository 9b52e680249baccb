"""From an update as Telegram sends it to a row of the inbox."""

import json
from dataclasses import dataclass
from typing import Any

WANTED = ("message", "callback_query")
"""Kinds of updates that are asked for."""


@dataclass(frozen=True)
class Arrival:
    """An update that is to be stored.

    Attributes:
        lane: what goes in order: a chat's messages, or its buttons, which shall not wait behind a photo.
        album: `media_group_id`, where the message is part of an album.
        content: the update as JSON.
    """

    update_id: int
    lane: str
    album: str | None
    content: str


def arrival(update: dict[str, Any]) -> Arrival | None:
    """The row for an update; None where it is none that this bot works on."""
    update_id = update.get("update_id")
    if not isinstance(update_id, int):
        return None
    message, press = update.get("message"), update.get("callback_query")
    try:
        if message is not None:
            return Arrival(update_id, str(message["chat"]["id"]), message.get("media_group_id"), json.dumps(update))
        if press is not None:
            return Arrival(update_id, f"{press['from']['id']}/buttons", None, json.dumps(update))
    except (KeyError, TypeError, AttributeError):
        return None
    return None
