"""Methods that change or delete what was sent. As on the real server a keyboard goes where an edit names none."""

import time
from typing import Any

from bot_api.calls import Call
from bot_api.errors import bad_request
from bot_api.sending import caption, keyboard, photo_of, words
from bot_api.world import Message, World

CONTENT = ("text", "entities", "caption", "caption_entities", "photo", "document", "reply_markup")
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply "
    "markup of the message"
)


async def edit_message_text(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#editmessagetext"""
    message = _own(world, call)
    said = words(call.text("text"), call.text("parse_mode"))
    if message.is_media:
        raise bad_request("there is no text in the message to edit")
    return _change(world, message, {**said, **keyboard(call)})


async def edit_message_caption(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#editmessagecaption"""
    message = _own(world, call)
    said = caption(call.text("caption"), call.text("parse_mode"))
    if not message.is_media:
        raise bad_request("there is no caption in the message to edit")
    return _change(world, message, {**_media(message), **said, **keyboard(call)})


async def edit_message_media(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#editmessagemedia, also from text to a photo."""
    message = _own(world, call)
    media = call.parsed("media")
    if not isinstance(media, dict) or media.get("type") != "photo":
        raise bad_request("can't parse InputMedia: type must be photo on this server")
    said = caption(str(media.get("caption", "")), str(media.get("parse_mode", "")))
    photo = photo_of(world, call, str(media.get("media", "")))
    return _change(world, message, {"photo": photo, **said, **keyboard(call)})


async def edit_message_reply_markup(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#editmessagereplymarkup"""
    message = _own(world, call)
    kept = {name: message.body[name] for name in CONTENT[:-1] if name in message.body}
    return _change(world, message, {**kept, **keyboard(call)})


async def delete_message(world: World, call: Call) -> bool:
    """https://core.telegram.org/bots/api#deletemessage"""
    chat = world.writable_chat(call.integer("chat_id"))
    message = world.find(chat["id"], call.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    if not message.from_bot and chat["type"] != "private":
        raise bad_request("message can't be deleted")
    message.deleted = True
    return True


def _own(world: World, call: Call) -> Message:
    chat = world.writable_chat(call.integer("chat_id"))
    message = world.find(chat["id"], call.integer("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    if not message.from_bot:
        raise bad_request("message can't be edited")
    return message


def _media(message: Message) -> dict[str, Any]:
    return {name: message.body[name] for name in ("photo", "document") if name in message.body}


def _change(world: World, message: Message, content: dict[str, Any]) -> dict[str, Any]:
    before = {name: message.body[name] for name in CONTENT if name in message.body}
    if content == before:
        raise bad_request(NOT_MODIFIED)
    for name in CONTENT:
        message.body.pop(name, None)
    message.body |= {**content, "edit_date": int(time.time())}
    return world.wire(message)
