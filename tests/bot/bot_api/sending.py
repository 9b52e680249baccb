"""Methods that send: messages, photos, chat actions; and the answer to a pressed button."""

import time
from typing import Any

from bot_api.calls import Call
from bot_api.entities import parse, units
from bot_api.errors import bad_request
from bot_api.files import check_photo
from bot_api.keyboards import checked
from bot_api.world import QUERY_LIFE_S, World

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_TOAST = 200
ACTIONS = (
    "typing",
    "upload_photo",
    "upload_document",
    "find_location",
    "record_voice",
    "upload_voice",
    "choose_sticker",
)


def words(text: str, parse_mode: str) -> dict[str, Any]:
    """`text` and `entities` of a message; raises ApiError where it is empty or too long."""
    plain, entities = parse(text, parse_mode)
    if not plain:
        raise bad_request("message text is empty")
    if units(plain) > MAX_TEXT:
        raise bad_request("message is too long")
    return {"text": plain, **({"entities": entities} if entities else {})}


def caption(text: str, parse_mode: str) -> dict[str, Any]:
    """`caption` and `caption_entities`; nothing where it is empty."""
    plain, entities = parse(text, parse_mode)
    if units(plain) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    if not plain:
        return {}
    return {"caption": plain, **({"caption_entities": entities} if entities else {})}


def keyboard(call: Call) -> dict[str, Any]:
    """`reply_markup` where there is one."""
    markup = checked(call.parsed("reply_markup"))
    return {"reply_markup": markup} if markup else {}


def photo_of(world: World, call: Call, value: str) -> list[dict[str, Any]]:
    """The sizes of a photo that a bot sends: an upload, or a file that is here already.

    Args:
        value: `attach://name`, a file id, or empty where the upload is named as its parameter.
    """
    name = value.removeprefix("attach://") if value.startswith("attach://") else "photo"
    if value and not value.startswith("attach://"):
        return world.files.photo(world.files.by_id(value).data)
    if name not in call.uploads:
        raise bad_request("there is no photo in the request")
    data = call.uploads[name].data
    check_photo(data)
    return world.files.photo(data)


async def send_message(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#sendmessage"""
    return _post(world, call, words(call.text("text"), call.text("parse_mode")))


async def send_photo(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#sendphoto"""
    world.writable_chat(call.integer("chat_id"))
    said = caption(call.text("caption"), call.text("parse_mode"))
    return _post(world, call, {"photo": photo_of(world, call, call.text("photo")), **said})


async def send_chat_action(world: World, call: Call) -> bool:
    """https://core.telegram.org/bots/api#sendchataction"""
    chat = world.writable_chat(call.integer("chat_id"))
    if call.text("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    world.actions.append({"chat_id": chat["id"], "action": call.text("action"), "at": time.time()})
    return True


async def answer_callback_query(world: World, call: Call) -> bool:
    """https://core.telegram.org/bots/api#answercallbackquery"""
    query = world.queries.get(call.text("callback_query_id"))
    if query is None or time.monotonic() - query.born > QUERY_LIFE_S:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if units(call.text("text")) > MAX_TOAST:
        raise bad_request("MESSAGE_TOO_LONG")
    query.answers.append({"text": call.text("text"), "alert": call.flag("show_alert")})
    return True


def _post(world: World, call: Call, content: dict[str, Any]) -> dict[str, Any]:
    chat = world.writable_chat(call.integer("chat_id"))
    markup = keyboard(call)
    reply = call.parsed("reply_parameters") or {}
    reply_to = reply.get("message_id") or call.integer("reply_to_message_id", 0) or None
    if reply_to is not None and world.find(chat["id"], int(reply_to)) is None:
        if not (reply.get("allow_sending_without_reply") or call.flag("allow_sending_without_reply")):
            raise bad_request("message to be replied not found")
        reply_to = None
    return world.wire(world.post(chat, world.bot, {**content, **markup}, reply_to and int(reply_to)))
