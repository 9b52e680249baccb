"""A case of photos: a status message, the photos, the gateway's answer, one edit."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from telegram import Document, InlineKeyboardMarkup, Message, PhotoSize, User
from telegram.error import BadRequest, NetworkError

from bot.conversation.limits import admit
from bot.conversation.replies import other_classes, picture_for, predictions_in
from bot.conversation.services import Services
from bot.diagnosing import is_passing
from bot.errors import FileError, FileTooLargeError, FileUnreachableError, MessageIsPictureError, NotEditableError
from bot.inbox.store import Case
from bot.people import StoredAnswer
from bot.telegram_files import MEGABYTES, MOST_BYTES
from bot.wording import lines
from bot.wording.answers import answer, names_disease
from bot.wording.buttons import verdict_buttons
from bot.wording.catalogue import Texts
from bot.wording.refusals import refusal
from client import Diagnosis, GatewayError, Prediction

log = structlog.get_logger()

MOST_PHOTOS = 10
_LAST_WORD_S = 2.0


@dataclass(frozen=True)
class Photo:
    """A picture and the message it came with, which the answer replies to."""

    message: Message
    file: PhotoSize | Document


@dataclass(frozen=True)
class _Shown:
    """What is to be seen in the end: words, and under a picture if there is one."""

    html: str
    caption: str | None = None
    picture: bytes | None = None
    buttons: InlineKeyboardMarkup | None = None


async def answer_photos(services: Services, case: Case, photos: Sequence[Photo], asker: User) -> None:
    """Answer photos of one plant, once.

    Args:
        photos: at least one; the answer replies to the first.
        asker: who asked, which in a group need not be who took the photos.

    Raises:
        telegram.error.TelegramError: the answer could not be shown.
    """
    texts = await services.texts(asker)
    if not await admit(services, case, photos[0].message, asker, texts):
        return
    photos = photos[:MOST_PHOTOS]
    small = [photo for photo in photos if (photo.file.file_size or 0) <= MOST_BYTES]
    if not small:
        await services.chat.reply(photos[0].message, lines.file_too_large(MEGABYTES, texts))
        return
    await _Answering(services, case, small, asker, texts).run()


class _Answering:
    """One case on its way from photos to an answer."""

    def __init__(self, services: Services, case: Case, photos: Sequence[Photo], asker: User, texts: Texts) -> None:
        self._services = services
        self._case = case
        self._photos = photos
        self._first = photos[0].message
        self._person = services.hashes.user(asker.id)
        self._texts = texts
        self._message_id = case.message_id

    async def run(self) -> None:
        status = asyncio.create_task(self._show_status())
        try:
            async with self._services.files.room_for([photo.file for photo in self._photos]):
                shown = await self._find_answer(status)
        except asyncio.CancelledError:  # the bot ends, which must not wait as long as Telegram may ask for
            await asyncio.wait([status], timeout=_LAST_WORD_S)
            status.cancel()
            raise
        finally:
            await asyncio.wait([status])  # even if there is no answer: the message's id must not get lost
        await status
        await self._show(shown)
        self._services.metrics.answer_seconds.observe(self._age_s())

    def _age_s(self) -> float:
        """Seconds since the photo came."""
        return (datetime.now(UTC) - self._case.received_at).total_seconds()

    async def _show_status(self) -> None:
        """Say that the photo was seen; at once remembered, so that a crash leaves one message to go on with."""
        if self._message_id is not None:
            return
        count = len(self._photos)
        words = lines.status_one(self._texts) if count == 1 else lines.status_many(count, self._texts)
        self._message_id = await self._services.chat.reply(self._first, words)
        await self._services.inbox.note_message(self._case, self._message_id)

    async def _find_answer(self, status: asyncio.Task[None]) -> _Shown:
        async def say_busy() -> None:
            await status
            await self._edit_status(lines.busy(self._texts))

        got = await self._fetch()
        files = [one for one in got if isinstance(one, bytes)]
        if not files:
            too_large = any(isinstance(one, FileTooLargeError) for one in got)
            return _Shown(lines.file_too_large(MEGABYTES, self._texts) if too_large else lines.not_fetched(self._texts))
        try:
            await status
            async with self._services.chat.typing(self._first):
                reply = await self._services.diagnosing.ask(files, self._texts.language, self._person, say_busy)
                return await self._word(reply, files, first_is_there=files[0] is got[0])
        except GatewayError as error:
            log.warning("no diagnosis", reason=str(error))
            return _Shown(lines.later(self._texts) if is_passing(error) else refusal(error, self._texts))

    async def _fetch(self) -> list[bytes | FileError]:
        """The photos, or why they cannot be had.

        Raises:
            telegram.error.NetworkError: Telegram does not answer, and was not waited for long enough.
        """
        got = await asyncio.gather(
            *(self._services.files.fetch(photo.file) for photo in self._photos), return_exceptions=True
        )
        told: list[bytes | FileError] = []
        for one in got:
            if isinstance(one, FileUnreachableError) and self._age_s() < self._services.settings.patience_s:
                raise NetworkError("files cannot be fetched") from one
            if not isinstance(one, bytes | FileError):
                raise one
            if isinstance(one, FileError):
                log.warning("a photo cannot be fetched", reason=f"{type(one).__name__}: {one}")
            told.append(one)
        return told

    async def _word(self, reply: Prediction | Diagnosis, files: Sequence[bytes], first_is_there: bool) -> _Shown:
        told = await self._services.diagnosing.known_classes(self._texts.language)
        picture = await picture_for(reply, files, self._services.heavy_drawing)
        words = answer(
            reply, told["crop"] if told else None, self._texts, languages=told["languages"] if told else None
        )
        prediction_ids, first = predictions_in(reply)
        stored = StoredAnswer(
            self._services.hashes.answer(self._case.name),
            self._person,
            prediction_ids,
            first if first_is_there else None,
            other_classes(told, reply),
        )
        await self._services.people.store(stored)
        return _Shown(words.html, words.caption, picture, verdict_buttons(stored.id, names_disease(reply), self._texts))

    async def _edit_status(self, html: str) -> None:
        assert self._message_id is not None
        with suppress(NotEditableError):  # an answer that is there already stays until it is replaced
            await self._services.chat.edit(self._first.chat_id, self._message_id, html)

    async def _show(self, shown: _Shown) -> None:
        assert self._message_id is not None
        try:
            await self._edit(self._message_id, shown)
        except NotEditableError as error:
            if isinstance(error, MessageIsPictureError):
                await self._services.chat.delete(self._first.chat_id, self._message_id)
            await self._send(shown)

    async def _edit(self, message_id: int, shown: _Shown) -> None:
        chat, chat_id = self._services.chat, self._first.chat_id
        if shown.picture is not None and shown.caption is not None:
            try:
                await chat.edit_picture(chat_id, message_id, shown.picture, shown.caption, shown.buttons)
                return
            except BadRequest as error:
                log.warning("Telegram refuses the picture; the words go without", reason=str(error))
        await chat.edit(chat_id, message_id, shown.html, shown.buttons)

    async def _send(self, shown: _Shown) -> None:
        """The message that was to become the answer is gone: it comes in one of its own."""
        chat = self._services.chat
        if shown.picture is not None and shown.caption is not None:
            sent = await chat.reply_picture(self._first, shown.picture, shown.caption, shown.buttons)
        else:
            sent = await chat.reply(self._first, shown.html, shown.buttons)
        await self._services.inbox.note_message(self._case, sent)
