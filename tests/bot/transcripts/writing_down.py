"""Writes a conversation down while it happens: what a person does, and what is new on the screen afterwards."""

import textwrap
import time
from collections.abc import Callable

from messenger import Bubble, Messenger, Person
from processes import wait_until

WIDTH = 100
NAME_WIDTH = 14
QUIET_S = 1.0
PATIENCE_S = 30.0
BOT = "Leaf doctor"


class Scene:
    """One person and the bot, in a private chat or in a group."""

    def __init__(self, messenger: Messenger, name: str, person: Person, album_wait_s: float) -> None:
        self._messenger = messenger
        self._name = name
        self._person = person
        self._album_wait_s = album_wait_s
        self._seen: dict[int, Bubble] = {}
        self._toasts = 0
        self._photos: dict[int, str] = {}
        self.lines: list[str] = []

    def writes(self, text: str, heard: bool = True, **more: object) -> None:
        """Words, and what the bot says to them; `heard` where it says something."""
        self._does(lambda: self._person.writes(text, **more), text, heard=heard)

    def sends_photo(self, name: str, data: bytes, heard: bool = True) -> int:
        """A photo."""
        return self._does(lambda: self._person.sends_photo(data), f"[photo: {name}]", name, heard)

    def sends_album(self, photos: dict[str, bytes]) -> None:
        """Several photos at once."""
        sent: list[int] = []

        def send() -> int:
            sent.extend(self._person.sends_album(list(photos.values())))
            return sent[0]

        shown = f"[album: {', '.join(photos)}]"
        self._does(send, shown, f"one of {' and '.join(photos)}", longer_s=self._album_wait_s)

    def sends_late(self, name: str, data: bytes) -> None:
        """One more photo of the same album."""
        group = f"album-{self._person.id}"
        shown = f"[one more photo of the album: {name}]"
        self._does(lambda: self._person.sends_photo(data, group=group), shown, name, longer_s=self._album_wait_s)

    def sends_file(self, name: str, data: bytes, size: int | None = None) -> None:
        """A file; `size` claims more bytes than there are."""
        shown = f"[file: {name}{f', {size // 2**20} MB' if size else ''}]"
        self._does(lambda: self._person.sends_document(data, name, "image/jpeg", size=size), shown, name)

    def sends(self, kind: str) -> None:
        """A voice message, a sticker, ..."""
        self._does(lambda: self._person.sends(kind), f"[{kind}]")

    def presses(self, words: str) -> None:
        """The newest button with these words."""
        having = [b for b in self._person.answers() if any(words in label for label in b.buttons)]
        assert having, f"no button {words!r} to be seen:\n" + "\n".join(self.lines)
        bubble = having[-1]
        label = next(label for label in bubble.buttons if words in label)

        def press() -> int:
            self._person.presses(bubble, words)
            return bubble.id

        self._does(press, f"( presses {label} )")

    def _does(
        self, act: Callable[[], int], shown: str, photo: str | None = None, heard: bool = True, longer_s: float = 0
    ) -> int:
        since = self._messenger.now()
        message_id = act()
        self._says(self._name, shown)
        if photo is not None:
            self._photos[message_id] = photo
        if heard:
            wait_until(lambda: bool(self._messenger.calls(since=since)), PATIENCE_S, f"the bot reacts to {shown}")
        self._look(longer_s)
        return message_id

    def _look(self, longer_s: float) -> None:
        """Wait until the bot has nothing more to do, and write down what has changed."""
        since = self._messenger.now()
        time.sleep(QUIET_S + longer_s)
        while self._messenger.calls(since=since) or self._is_looking():
            since = self._messenger.now()
            time.sleep(QUIET_S)
        toasts = [toast for toast in self._person.toasts() if toast]
        for toast in toasts[self._toasts :]:
            self._says(BOT, f"( for a moment: {toast} )")
        self._toasts = len(toasts)
        for bubble in self._person.answers():
            before = self._seen.get(bubble.id)
            if before is None or before.body != bubble.body:
                self._show(bubble, before)
            self._seen[bubble.id] = bubble

    def _is_looking(self) -> bool:
        """Whether a status has not become an answer yet; statuses begin with a magnifying glass."""
        return any(bubble.words.startswith("🔍") for bubble in self._person.answers())

    def _show(self, bubble: Bubble, before: Bubble | None) -> None:
        parts = []
        if before is not None:
            if (before.words, before.photo) == (bubble.words, bubble.photo):
                if bubble.buttons:
                    self._says(BOT, "( other buttons )\n" + _buttons(bubble))
                return
            parts.append("( the message above changes )")
        if bubble.photo:
            parts.append(f"[picture: {self._photos.get(bubble.reply_to or 0, 'the photo')}, with a coloured area]")
        parts.append(bubble.words)
        if bubble.buttons:
            parts.append(_buttons(bubble))
        self._says(BOT, "\n".join(parts))

    def _says(self, who: str, text: str) -> None:
        margin = " " * NAME_WIDTH
        lines = [
            part
            for line in text.splitlines()
            for part in textwrap.wrap(line, WIDTH - NAME_WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
        ]
        self.lines += [who.ljust(NAME_WIDTH) + lines[0], *((margin + line).rstrip() for line in lines[1:]), ""]


def _buttons(bubble: Bubble) -> str:
    rows = bubble.body["reply_markup"]["inline_keyboard"]
    return "\n".join("  ".join(f"[ {button['text']} ]" for button in row) for row in rows)
