"""The Bot API server as tests use it: its process, the people who write to the bot, and what they see."""

import base64
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from processes import ROOT, free_ports, wait_until

TOKEN = "7301234567:AAE_local-tests_only_0123456789abcde"
PATIENCE_S = 15.0


@dataclass(frozen=True)
class Bubble:
    """One message on the screen."""

    body: dict[str, Any]

    @property
    def id(self) -> int:
        """Its `message_id`."""
        return int(self.body["message_id"])

    @property
    def by_bot(self) -> bool:
        """Whether the bot wrote it."""
        return bool(self.body["by_bot"])

    @property
    def words(self) -> str:
        """Text or caption."""
        return str(self.body.get("text") or self.body.get("caption") or "")

    @property
    def photo(self) -> str | None:
        """File id of its largest photo."""
        return self.body["photo"][-1]["file_id"] if "photo" in self.body else None

    @property
    def reply_to(self) -> int | None:
        """The message that it replies to."""
        replied = self.body.get("reply_to_message")
        return replied["message_id"] if replied else None

    @property
    def buttons(self) -> dict[str, str]:
        """Data of its buttons by their words."""
        rows = self.body.get("reply_markup", {}).get("inline_keyboard", [])
        return {button["text"]: button["callback_data"] for row in rows for button in row}


@dataclass
class Messenger:
    """The running server; faults and calls are for all chats together."""

    http: httpx2.Client

    @property
    def url(self) -> str:
        """What the bot takes for Telegram."""
        return str(self.http.base_url).rstrip("/")

    def person(self, who: int, language: str = "en", **facts: object) -> "Person":
        """Somebody who may write to the bot."""
        self.http.put(f"/control/people/{who}", json={"language_code": language, **facts}).raise_for_status()
        return Person(self, who)

    def act(self, name: str, /, **what: object) -> dict[str, Any]:
        """Somebody does something."""
        return self.http.post(f"/control/act/{name}", json=what).raise_for_status().json()

    def screen(self, chat: int) -> dict[str, Any]:
        """A chat as it is now: messages, toasts, actions."""
        return self.http.get(f"/control/chats/{chat}").json()

    def bubbles(self, chat: int) -> list[Bubble]:
        """The messages of a chat."""
        return [Bubble(body) for body in self.screen(chat)["messages"]]

    def file(self, file_id: str) -> bytes:
        """What somebody sent."""
        return self.http.get(f"/control/files/{file_id}").raise_for_status().content

    def calls(self, *methods: str, since: float = 0) -> list[dict[str, Any]]:
        """What the bot has called."""
        return self.http.get("/control/calls", params={"method": list(methods), "since": since}).json()

    def now(self) -> float:
        """The server's clock, as `since` of calls."""
        return float(self.state()["now"])

    def state(self) -> dict[str, Any]:
        """Updates that wait, menus, the webhook."""
        return self.http.get("/control/state").json()

    def order(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Faults from now on; none where there are no rules."""
        self.http.put("/control/faults", json={"rules": rules, "seed": seed}).raise_for_status()

    def put_behind(self, public: str, local: str) -> None:
        """An https address is answered there from now on."""
        self.http.put("/control/proxies", json={public: local}).raise_for_status()

    def expire_buttons(self) -> None:
        """All buttons that were pressed so far are too old to be answered."""
        self.http.post("/control/expire").raise_for_status()

    def happened(self) -> dict[str, int]:
        """Faults so far."""
        return self.http.get("/control/faults").json()


@dataclass
class Person:
    """Somebody in front of a screen: the private chat with the bot, or a group."""

    messenger: Messenger
    id: int
    chat: int | None = None

    @property
    def _place(self) -> int:
        return self.chat or self.id

    def in_group(self, chat: int) -> "Person":
        """The same person in a group."""
        return Person(self.messenger, self.id, chat)

    def writes(self, text: str, **more: object) -> int:
        """Returns the message's id, as the others do."""
        return self._sends("text", text=text, **more)

    def sends_photo(self, data: bytes, **more: object) -> int:
        """Named parts: caption, group (of an album), reply_to, forwarded_from."""
        return self._sends("photo", data=base64.b64encode(data).decode(), **more)

    def sends_album(self, photos: list[bytes], group: str = "album") -> list[int]:
        """All at once."""
        return [self.sends_photo(photo, group=f"{group}-{self.id}") for photo in photos]

    def sends_document(self, data: bytes, name: str, mime_type: str, **more: object) -> int:
        """A picture as a file; `size` claims more bytes than there are."""
        return self._sends("document", data=base64.b64encode(data).decode(), name=name, mime_type=mime_type, **more)

    def sends(self, kind: str) -> int:
        """voice, video, sticker, location, ..."""
        return self._sends("other", kind=kind)

    def presses(self, bubble: Bubble, words: str) -> dict[str, Any]:
        """The button whose words contain `words`, as this screen showed it."""
        found = [data for label, data in bubble.buttons.items() if words in label]
        assert found, f"no button {words!r} among {list(bubble.buttons)}"
        return self.messenger.act("press", who=self.id, message_id=bubble.id, data=found[0], chat=self.chat)

    def deletes(self, message_id: int) -> None:
        """A message, for both sides."""
        self.messenger.act("delete", who=self.id, message_id=message_id, chat=self.chat)

    def sees(self) -> list[Bubble]:
        """The whole chat."""
        return self.messenger.bubbles(self._place)

    def answers(self) -> list[Bubble]:
        """What the bot has said."""
        return [bubble for bubble in self.sees() if bubble.by_bot]

    def toasts(self) -> list[str]:
        """What was shown for pressed buttons."""
        return [toast["text"] for toast in self.messenger.screen(self._place)["toasts"]]

    def waits_for(
        self, holds: Callable[[list[Bubble]], object], what: str = "an answer", seconds: float = PATIENCE_S
    ) -> list[Bubble]:
        """What the bot has said, once `holds` of it."""
        try:
            wait_until(lambda: bool(holds(self.answers())), seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the bot said {[bubble.words for bubble in self.answers()]}") from None
        return self.answers()

    def waits_for_reply(self, message_id: int, having: str = "", seconds: float = PATIENCE_S) -> Bubble:
        """The bot's reply to a message, once it contains `having`."""

        def found(said: list[Bubble]) -> list[Bubble]:
            return [bubble for bubble in said if bubble.reply_to == message_id and having in bubble.words]

        return found(self.waits_for(found, f"a reply having {having!r}", seconds))[-1]

    def _sends(self, act: str, /, **what: object) -> int:
        return int(self.messenger.act(act, who=self.id, chat=self.chat, **what)["message_id"])


@contextlib.contextmanager
def running_messenger(log: Path) -> Iterator[Messenger]:
    """A server of its own, on a free port."""
    (port,) = free_ports(1)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot_api", "--port", str(port), "--token", TOKEN],
            cwd=ROOT / "tests" / "bot",
            env={**os.environ, "PYTHONPATH": ""},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
            wait_until(lambda: _is_up(http, process, log), 20, "the Bot API server is up")
            yield Messenger(http)
            said = log.read_text(errors="replace")
            assert "Exception in ASGI application" not in said, said[-3000:]
    finally:
        process.terminate()
        process.wait(20)


def _is_up(http: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text(errors="replace")
    with contextlib.suppress(httpx2.TransportError):
        return http.get("/control/state").status_code == 200
    return False
