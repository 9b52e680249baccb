"""What the bot shows in chats: replies, and edits that may be repeated without a second message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from telegram import (
    Bot,
    BotCommandScopeChat,
    CallbackQuery,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, RetryAfter, TelegramError

from bot.calling import Calling
from bot.errors import MessageGoneError, MessageIsPictureError

_TYPING_EVERY_S = 4.0
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_SAME = "message is not modified"
_NO_TEXT = "there is no text in the message to edit"
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")


class Chat:
    """Sends and edits in Telegram's HTML."""

    def __init__(self, bot: Bot, calling: Calling) -> None:
        self._bot = bot
        self._calling = calling

    async def reply(self, to: Message, html: str, buttons: InlineKeyboardMarkup | None = None) -> int:
        """Reply to a message; returns the id of the new one. Repeated after a lost answer, it may be there twice.

        Raises:
            telegram.error.TelegramError
        """
        sent = await self._calling.message(
            to.chat_id,
            lambda: self._bot.send_message(
                to.chat_id,
                html,
                parse_mode=ParseMode.HTML,
                reply_markup=buttons,
                reply_parameters=_replying(to),
                link_preview_options=_NO_PREVIEW,
                message_thread_id=_thread(to),
            ),
        )
        return sent.message_id

    async def reply_picture(
        self, to: Message, picture: bytes, caption: str, buttons: InlineKeyboardMarkup | None
    ) -> int:
        """The same with a picture (JPEG)."""
        sent = await self._calling.message(
            to.chat_id,
            lambda: self._bot.send_photo(
                to.chat_id,
                picture,
                caption=caption,
                parse_mode=ParseMode.HTML,
                reply_markup=buttons,
                reply_parameters=_replying(to),
                message_thread_id=_thread(to),
            ),
        )
        return sent.message_id

    async def edit(self, chat_id: int, message_id: int, html: str, buttons: InlineKeyboardMarkup | None = None) -> None:
        """Give one of the bot's messages another text; that it has the text already is fine.

        Raises:
            NotEditableError: somebody has deleted it, or it is a picture.
            telegram.error.TelegramError
        """
        with _forgiving():
            await self._calling.message(
                chat_id,
                lambda: self._bot.edit_message_text(
                    html,
                    chat_id,
                    message_id,
                    parse_mode=ParseMode.HTML,
                    reply_markup=buttons,
                    link_preview_options=_NO_PREVIEW,
                ),
            )

    async def edit_picture(
        self, chat_id: int, message_id: int, picture: bytes, caption: str, buttons: InlineKeyboardMarkup | None
    ) -> None:
        """Turn one of the bot's messages into a picture (JPEG) with a caption; likewise."""
        with _forgiving():
            await self._calling.message(
                chat_id,
                lambda: self._bot.edit_message_media(
                    InputMediaPhoto(picture, caption, parse_mode=ParseMode.HTML),
                    chat_id,
                    message_id,
                    reply_markup=buttons,
                ),
            )

    async def delete(self, chat_id: int, message_id: int) -> None:
        """Delete one of the bot's messages; that it is gone is fine.

        Raises:
            telegram.error.TelegramError
        """
        with suppress(BadRequest):
            await self._calling.call(lambda: self._bot.delete_message(chat_id, message_id), chat_id)

    async def edit_buttons(self, chat_id: int, message_id: int, buttons: InlineKeyboardMarkup | None) -> None:
        """Give one of the bot's messages other buttons, or none; likewise."""
        with _forgiving():
            await self._calling.message(
                chat_id,
                lambda: self._bot.edit_message_reply_markup(chat_id, message_id, reply_markup=buttons),
            )

    async def answer_press(self, press: CallbackQuery, text: str | None = None, alert: bool = False) -> None:
        """End the button's waiting; one that is too old to be ended is fine."""
        with suppress(BadRequest):
            await self._calling.call(lambda: self._bot.answer_callback_query(press.id, text, show_alert=alert))

    async def set_menu(
        self, commands: list[tuple[str, str]], language: str | None = None, person: int | None = None
    ) -> None:
        """Set the menu of everybody whose Telegram speaks `language`, or of one person's private chat.

        Raises:
            telegram.error.TelegramError
        """
        scope = None if person is None else BotCommandScopeChat(person)
        await self._calling.call(lambda: self._bot.set_my_commands(commands, scope, language), person)

    async def delete_menu(self, person: int) -> None:
        """Let one person's private chat show the menu of everybody again; likewise."""
        await self._calling.call(lambda: self._bot.delete_my_commands(BotCommandScopeChat(person)), person)

    @asynccontextmanager
    async def typing(self, to: Message) -> AsyncIterator[None]:
        """Show that the bot is at work for as long as the block lasts."""
        task = asyncio.create_task(self._type(to))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _type(self, to: Message) -> None:
        while True:
            try:
                await self._bot.send_chat_action(to.chat_id, ChatAction.TYPING, message_thread_id=_thread(to))
            except RetryAfter:  # only a courtesy: not worth more of Telegram's patience
                return
            except TelegramError:
                pass
            await asyncio.sleep(_TYPING_EVERY_S)


class _forgiving:  # noqa: N801 - reads as a statement
    """Passes over "not modified"; tells a deleted message from other faults."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, BadRequest):
            return False
        said = str(error).lower()
        if _SAME in said:
            return True
        if any(gone in said for gone in _GONE):
            raise MessageGoneError(said) from error
        if _NO_TEXT in said:
            raise MessageIsPictureError(said) from error
        return False


def _replying(to: Message) -> ReplyParameters:
    return ReplyParameters(to.message_id, allow_sending_without_reply=True)


def _thread(to: Message) -> int | None:
    return to.message_thread_id if to.is_topic_message else None
