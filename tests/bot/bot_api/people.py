"""What people do: write, send photos, press buttons, delete. Each act brings its update."""

import base64
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bot_api.entities import units
from bot_api.updates import Updates
from bot_api.world import GROUP, World

OTHER_KINDS: dict[str, dict[str, Any]] = {
    "voice": {"duration": 4, "mime_type": "audio/ogg"},
    "video": {"width": 640, "height": 480, "duration": 3, "mime_type": "video/mp4"},
    "video_note": {"length": 240, "duration": 3},
    "sticker": {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False, "emoji": "🌿"},
    "audio": {"duration": 30, "mime_type": "audio/mpeg"},
    "animation": {"width": 320, "height": 240, "duration": 2, "mime_type": "video/mp4"},
}
_COMMAND = re.compile(r"/[a-zA-Z0-9_]{1,32}(?:@\w+)?")
_MENTION = re.compile(r"@\w{5,32}")


class People:
    """Everybody who writes to the bot. `who` and `chat` are ids; a chat that is nobody's is a group."""

    def __init__(self, world: World, updates: Updates) -> None:
        self._world = world
        self._updates = updates
        self.acts: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            name: getattr(self, name)
            for name in ("text", "photo", "document", "other", "press", "delete", "edit", "block", "unblock")
        }

    async def text(self, who: int, text: str, **more: Any) -> dict[str, Any]:
        """Words; commands and mentions in them are marked as Telegram marks them."""
        return await self._say(who, {"text": text, **_marked(text, "entities")}, **more)

    async def photo(self, who: int, data: str, caption: str = "", group: str = "", **more: Any) -> dict[str, Any]:
        """A photo as the app sends it; `data` is base64, `group` joins it to an album."""
        content: dict[str, Any] = {"photo": self._world.files.photo(base64.b64decode(data))}
        return await self._say(who, {**content, **_captioned(caption), **_grouped(group)}, **more)

    async def document(
        self,
        who: int,
        data: str,
        name: str = "leaf.jpg",
        mime_type: str = "image/jpeg",
        size: int | None = None,
        caption: str = "",
        group: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        """A file; `size` may claim more than there is."""
        suffix = "." + name.rpartition(".")[2]
        stored = self._world.files.add(base64.b64decode(data), "documents", suffix, size)
        content = {"document": {**stored.facts, "file_name": name, "mime_type": mime_type}}
        return await self._say(who, {**content, **_captioned(caption), **_grouped(group)}, **more)

    async def other(self, who: int, kind: str, **more: Any) -> dict[str, Any]:
        """A voice message, a video, a sticker, ...: `OTHER_KINDS`, `location` and `contact`."""
        if kind == "location":
            return await self._say(who, {"location": {"latitude": -6.8, "longitude": 39.3}}, **more)
        if kind == "contact":
            return await self._say(who, {"contact": {"phone_number": "+255000000000", "first_name": "Amina"}}, **more)
        stored = self._world.files.add(b"not a picture", kind, ".bin")
        return await self._say(who, {kind: {**OTHER_KINDS[kind], **stored.facts}}, **more)

    async def press(self, who: int, message_id: int, data: str, chat: int | None = None) -> dict[str, Any]:
        """A button below a message, also one that an old screen still shows."""
        chat_id = chat or who
        message = self._world.messages[chat_id, message_id]
        query_id = self._world.new_query(chat_id)
        if message.deleted:
            seen = {"message_id": message_id, "chat": message.body["chat"], "date": 0}
        else:
            seen = self._world.wire(message)
        return await self._tell(
            "callback_query",
            {
                "id": query_id,
                "from": self._world.person(who),
                "message": seen,
                "chat_instance": str(chat_id),
                "data": data,
            },
            query_id=query_id,
        )

    async def delete(self, who: int, message_id: int, chat: int | None = None) -> dict[str, Any]:
        """Delete a message for both sides; Telegram tells bots nothing of it."""
        self._world.messages[chat or who, message_id].deleted = True
        return {}

    async def edit(self, who: int, message_id: int, text: str) -> dict[str, Any]:
        """Change one's own words."""
        message = self._world.messages[who, message_id]
        message.body |= {"text": text, "edit_date": int(time.time())}
        return await self._tell("edited_message", self._world.wire(message))

    async def block(self, who: int) -> dict[str, Any]:
        """Stop the bot."""
        self._world.blocked.add(who)
        return {}

    async def unblock(self, who: int) -> dict[str, Any]:
        """Start it again."""
        self._world.blocked.discard(who)
        return {}

    async def _say(
        self,
        who: int,
        content: dict[str, Any],
        chat: int | None = None,
        reply_to: int | None = None,
        forwarded_from: int | None = None,
    ) -> dict[str, Any]:
        sender = self._world.person(who)
        place = self._world.group(chat) if chat is not None and chat <= GROUP else self._world.chats[chat or who]
        if forwarded_from is not None:
            origin = {"type": "user", "sender_user": self._world.person(forwarded_from), "date": int(time.time()) - 60}
            content = {**content, "forward_origin": origin}
        message = self._world.post(place, sender, content, reply_to)
        if place["type"] != "private" and not self._bot_hears(message.body, reply_to):
            return {"message_id": message.body["message_id"], "update_id": None, "at": time.time()}
        return await self._tell("message", self._world.wire(message), message_id=message.body["message_id"])

    def _bot_hears(self, body: dict[str, Any], reply_to: int | None) -> bool:
        """Privacy mode: commands, replies to the bot, and messages that mention it; photos without a word stay unseen."""
        words = body.get("text", "") + body.get("caption", "")
        replied = self._world.find(body["chat"]["id"], reply_to) if reply_to else None
        is_reply_to_bot = replied is not None and replied.from_bot
        return is_reply_to_bot or words.startswith("/") or f"@{self._world.bot['username']}" in words

    async def _tell(self, kind: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"at": time.time(), "update_id": await self._updates.add(kind, content), **more}


def _captioned(caption: str) -> dict[str, Any]:
    return {"caption": caption, **_marked(caption, "caption_entities")} if caption else {}


def _grouped(group: str) -> dict[str, Any]:
    return {"media_group_id": group} if group else {}


def _marked(text: str, name: str) -> dict[str, Any]:
    found = [("bot_command", match) for match in _COMMAND.finditer(text) if match.start() == 0]
    found += [("mention", match) for match in _MENTION.finditer(text) if text[: match.start()][-1:] in ("", " ", "\n")]
    entities = [
        {"type": kind, "offset": units(text[: match.start()]), "length": units(match[0])} for kind, match in found
    ]
    return {name: entities} if entities else {}
