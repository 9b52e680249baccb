"""Buttons: was it right, what is it instead, may the photo be kept; and the language.

Everything may come twice, after a crash or from a finger: feedback at the gateway replaces itself, edits repeat themselves.
"""

import structlog
from telegram import CallbackQuery, Message, User

from bot.conversation.menus import choose_menu
from bot.conversation.services import Services
from bot.diagnosing import is_passing
from bot.errors import FileError, NotEditableError
from bot.people import StoredAnswer
from bot.telegram_files import picture_of
from bot.wording import lines
from bot.wording.buttons import NONE_OF_THESE, Pressed, class_buttons, consent_buttons, parse
from bot.wording.catalogue import LANGUAGES, Texts
from bot.wording.refusals import refusal
from client import GatewayError

log = structlog.get_logger()


async def take_press(services: Services, press: CallbackQuery) -> None:
    """Do what a pressed button says.

    Raises:
        telegram.error.TelegramError
    """
    texts = await services.texts(press.from_user)
    pressed = parse(press.data or "")
    message = press.message
    if pressed is None or not isinstance(message, Message):
        await services.chat.answer_press(press, lines.old_button(texts), alert=True)
        return
    try:
        if pressed.action == "language":
            await _choose_language(services, press, message, pressed.choice, texts)
        else:
            await _take_feedback(services, press, message, pressed, texts)
    except NotEditableError:
        log.info("the message with the button is gone")


async def _choose_language(
    services: Services, press: CallbackQuery, message: Message, language: str, texts: Texts
) -> None:
    asked = message.reply_to_message
    if asked is not None and asked.from_user is not None and asked.from_user.id != press.from_user.id:
        await services.chat.answer_press(press, lines.not_yours(texts), alert=True)
        return
    await services.chat.answer_press(press)
    if language not in LANGUAGES:
        return
    await services.people.choose_language(services.hashes.user(press.from_user.id), language)
    texts = services.catalogue.texts(language)
    await services.chat.edit(message.chat_id, message.message_id, lines.language_set(texts))
    await choose_menu(services, press.from_user, texts)


async def _take_feedback(
    services: Services, press: CallbackQuery, message: Message, pressed: Pressed, texts: Texts
) -> None:
    answer = await services.people.find(pressed.answer_id)
    if answer is None:
        await services.chat.answer_press(press, lines.old_button(texts), alert=True)
        await services.chat.edit_buttons(message.chat_id, message.message_id, None)
        return
    if answer.person != services.hashes.user(press.from_user.id):
        await services.chat.answer_press(press, lines.not_yours(texts), alert=True)
        return
    giving = _Feedback(services, press.from_user, message, answer, texts)
    is_last = pressed.action in ("correct", "unsure")
    await services.chat.answer_press(press, lines.thanks(texts) if is_last else None)
    try:
        await giving.take(pressed)
    except GatewayError as error:
        log.warning("feedback was not taken", reason=str(error))
        words = lines.not_saved(texts) if is_passing(error) else refusal(error, texts)
        await services.chat.reply(message, words)


class _Feedback:
    """One press below one answer, or below the question that followed it."""

    def __init__(self, services: Services, sender: User, message: Message, answer: StoredAnswer, texts: Texts) -> None:
        self._services = services
        self._chat = services.chat
        self._sender = sender
        self._message = message
        self._answer = answer
        self._texts = texts

    async def take(self, pressed: Pressed) -> None:
        """Do what it says.

        Raises:
            client.GatewayError: the gateway did not take it.
            telegram.error.TelegramError, NotEditableError
        """
        if pressed.action == "wrong":
            await self._ask_which()
        elif pressed.action == "class":
            await self._take_class(pressed)
        elif pressed.action == "keep":
            await self._keep(pressed)
        elif pressed.action == "discard":
            await self._end(lines.thanks(self._texts))
        else:
            await self._take_verdict(pressed.action)

    async def _take_verdict(self, verdict: str) -> None:
        if self._answer.verdict is None:
            await self._say(verdict, None)
            await self._services.people.note_verdict(self._answer.id, verdict)
        await self._chat.edit_buttons(self._message.chat_id, self._message.message_id, None)

    async def _ask_which(self) -> None:
        if self._answer.verdict is None:
            await self._say("wrong", None)
            keys, names = await self._classes()
            photo = self._message.reply_to_message or self._message
            buttons = class_buttons(self._answer.id, names, self._texts)
            await self._chat.reply(photo, lines.which(self._texts), buttons)
            await self._services.people.note_verdict(self._answer.id, "wrong", keys)
        await self._chat.edit_buttons(self._message.chat_id, self._message.message_id, None)

    async def _take_class(self, pressed: Pressed) -> None:
        await self._say("wrong", self._class_key(pressed))
        if self._may_ask_for_photo():
            buttons = consent_buttons(self._answer.id, pressed.choice, self._texts)
            html = lines.may_we_keep(self._texts)
            await self._chat.edit(self._message.chat_id, self._message.message_id, html, buttons)
        else:
            await self._end(lines.thanks(self._texts))

    async def _keep(self, pressed: Pressed) -> None:
        """Fetch the photo anew, from the message that the question replies to, and send it along."""
        asked_about = self._message.reply_to_message
        file = picture_of(asked_about) if asked_about is not None else None
        if file is None or not self._may_ask_for_photo():
            await self._end(lines.old_button(self._texts))
            return
        try:
            async with self._services.files.room_for([file]):
                photo = await self._services.files.fetch(file)
                kept = await self._say("wrong", self._class_key(pressed), photo)
        except FileError as error:
            log.warning("a photo to keep cannot be fetched", reason=type(error).__name__)
            await self._end(lines.not_fetched(self._texts))
            return
        await self._end(lines.thanks_kept(self._texts) if kept else lines.thanks(self._texts))

    async def _say(self, verdict: str, class_key: str | None, photo: bytes | None = None) -> bool:
        """Tell the gateway, of every photo that the answer stands on; returns whether the photo is kept."""
        kept = False
        for prediction_id in self._answer.prediction_ids:
            theirs = photo if prediction_id == self._answer.first_photo else None
            kept |= await self._services.diagnosing.say(prediction_id, verdict, class_key, theirs, self._answer.person)
        return kept

    async def _classes(self) -> tuple[tuple[str, ...], list[str]]:
        """Keys and names that are offered; as stored with the answer, or as they are now where it holds none."""
        told = await self._services.diagnosing.known_classes(self._texts.language)
        names = {one["key"]: str(one["name"]) for one in told["classes"]} if told else {}
        keys = self._answer.class_keys or tuple(names)
        return keys, [names.get(key, key) for key in keys]

    def _class_key(self, pressed: Pressed) -> str | None:
        index = pressed.class_index
        keys = self._answer.class_keys
        return keys[index] if pressed.choice != NONE_OF_THESE and index is not None and index < len(keys) else None

    def _may_ask_for_photo(self) -> bool:
        """Only its sender may give a photo away, who in a group need not be the one who asked about it."""
        photo = self._message.reply_to_message
        if self._answer.first_photo is None or photo is None or picture_of(photo) is None:
            return False
        return photo.from_user is not None and photo.from_user.id == self._sender.id

    async def _end(self, html: str) -> None:
        await self._chat.edit(self._message.chat_id, self._message.message_id, html)
