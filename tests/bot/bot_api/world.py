"""What the server knows: the bot, people, chats, messages, pressed buttons, files."""

import itertools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bot_api.errors import ApiError, bad_request
from bot_api.files import Files

QUERY_LIFE_S = 30.0
GROUP = -1_001_000_000_000
"""Ids of groups are at or below this."""


@dataclass
class Message:
    """One message; `body` is what the wire shows, apart from the message that it replies to."""

    body: dict[str, Any]
    from_bot: bool
    reply_to: int | None = None
    deleted: bool = False

    @property
    def is_media(self) -> bool:
        """Whether its words are a caption."""
        return "photo" in self.body or "document" in self.body


@dataclass
class Query:
    """A pressed button that waits for its answer."""

    chat_id: int
    born: float
    answers: list[dict[str, Any]] = field(default_factory=list)


class World:
    """The state of one server, for one bot."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.bot: dict[str, Any] = {
            "id": int(token.split(":")[0]),
            "is_bot": True,
            "first_name": "Leaf doctor",
            "username": "leaf_doctor_bot",
        }
        self.people: dict[int, dict[str, Any]] = {}
        self.blocked: set[int] = set()
        self.chats: dict[int, dict[str, Any]] = {}
        self.messages: dict[tuple[int, int], Message] = {}
        self.files = Files()
        self.queries: dict[str, Query] = {}
        self.actions: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self._numbers = itertools.count(1)

    def person(self, person_id: int, **facts: Any) -> dict[str, Any]:
        """Somebody, known from now on; `facts` replace what was known."""
        known = self.people.setdefault(
            person_id, {"id": person_id, "is_bot": False, "first_name": f"Person {person_id}"}
        )
        known |= {name: value for name, value in facts.items() if value is not None}
        self.chats.setdefault(person_id, {"id": person_id, "type": "private", "first_name": known["first_name"]})
        return known

    def group(self, chat_id: int) -> dict[str, Any]:
        """A group, known from now on."""
        return self.chats.setdefault(chat_id, {"id": chat_id, "type": "supergroup", "title": "Growers"})

    def writable_chat(self, chat_id: int) -> dict[str, Any]:
        """Where the bot may write; raises ApiError."""
        if chat_id not in self.chats:
            raise bad_request("chat not found")
        if chat_id in self.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return self.chats[chat_id]

    def post(
        self, chat: dict[str, Any], sender: dict[str, Any], content: dict[str, Any], reply_to: int | None = None
    ) -> Message:
        """A new message."""
        body = {"message_id": next(self._numbers), "from": sender, "chat": chat, "date": int(time.time()), **content}
        message = Message(body, from_bot=sender is self.bot, reply_to=reply_to)
        self.messages[chat["id"], body["message_id"]] = message
        return message

    def find(self, chat_id: int, message_id: int) -> Message | None:
        """A message that is still there."""
        message = self.messages.get((chat_id, message_id))
        return None if message is None or message.deleted else message

    def wire(self, message: Message) -> dict[str, Any]:
        """The message as methods and updates show it."""
        if message.reply_to is None:
            return dict(message.body)
        replied = self.find(message.body["chat"]["id"], message.reply_to)
        return {**message.body, "reply_to_message": replied.body} if replied else dict(message.body)

    def new_query(self, chat_id: int) -> str:
        """A button was pressed."""
        query_id = str(4_000_000_000_000 + next(self._numbers))
        self.queries[query_id] = Query(chat_id, time.monotonic())
        return query_id

    def screen(self, chat_id: int) -> dict[str, Any]:
        """A chat as a person in it sees it now, after all edits."""
        shown = [m for (chat, _), m in self.messages.items() if chat == chat_id and not m.deleted]
        return {
            "messages": [{**self.wire(message), "by_bot": message.from_bot} for message in shown],
            "toasts": [answer for q in self.queries.values() if q.chat_id == chat_id for answer in q.answers],
            "actions": [action for action in self.actions if action["chat_id"] == chat_id],
        }
