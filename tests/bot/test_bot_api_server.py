"""The Bot API server of these tests, asked by python-telegram-bot's own `Bot`."""

import asyncio
import io
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx2
import pytest
from messenger import TOKEN, Messenger, running_messenger
from pictures import encoded, textured
from processes import wait_until
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, InputMediaPhoto
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut

LEAF = encoded(textured(320, 240), "JPEG")


@pytest.fixture(scope="module")
def messenger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Messenger]:
    with running_messenger(tmp_path_factory.mktemp("messenger") / "log") as running:
        yield running


@pytest.fixture(autouse=True)
def without_faults(messenger: Messenger, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # what the library is going to do anyway
    yield
    messenger.order()


def ask(messenger: Messenger, use: Callable[[Bot], Awaitable[Any]], token: str = TOKEN) -> Any:
    """What `use` returns, or raises, with a bot of its own."""

    async def run() -> Any:
        bot = Bot(token, base_url=f"{messenger.url}/bot", base_file_url=f"{messenger.url}/file/bot")
        async with bot:
            return await use(bot)

    return asyncio.run(run())


def refusal(messenger: Messenger, use: Callable[[Bot], Awaitable[Any]]) -> str:
    with pytest.raises(BadRequest) as caught:
        ask(messenger, use)
    return caught.value.message


def test_it_is_the_bot(messenger: Messenger) -> None:
    assert ask(messenger, lambda bot: bot.get_me()).username == "leaf_doctor_bot"
    with pytest.raises(InvalidToken):
        ask(messenger, lambda bot: bot.get_me(), TOKEN + "x")
    reply = messenger.http.get(f"/bot{TOKEN}/inventAnswer")
    assert (reply.status_code, reply.json()["description"]) == (404, "Not Found: method not found")


@pytest.mark.parametrize("how", ["query", "form", "json", "multipart"])
def test_parameters_come_in_every_way(messenger: Messenger, how: str) -> None:
    amina = messenger.person(100)
    fields = {"chat_id": str(amina.id), "text": f"by <b>{how}</b>", "parse_mode": "HTML"}
    ways: dict[str, dict[str, Any]] = {
        "query": {"params": fields},
        "form": {"data": fields},
        "json": {"json": {**fields, "chat_id": amina.id}},
        "multipart": {"data": fields, "files": {"unused": ("a", b"b")}},
    }
    reply = messenger.http.post(f"/bot{TOKEN}/sendMessage", **ways[how]).json()
    assert reply["result"]["text"] == f"by {how}"
    assert reply["result"]["entities"] == [{"type": "bold", "offset": 3, "length": len(how)}]


def test_updates_wait_until_they_are_confirmed(messenger: Messenger) -> None:
    amina = messenger.person(101, language="pt-BR")
    amina.writes("/start leaf")
    amina.sends_photo(LEAF, caption="my plant")

    async def poll(bot: Bot) -> tuple[Any, Any, Any]:
        first = await bot.get_updates(timeout=2)
        again = await bot.get_updates(timeout=2)
        return first, again, await bot.get_updates(offset=first[-1].update_id + 1, timeout=0)

    first, again, last = ask(messenger, poll)
    assert [update.update_id for update in first] == [update.update_id for update in again]
    assert last == ()
    command, photo = (update.message for update in first)
    assert (command.entities[0].type, command.entities[0].length) == ("bot_command", 6)
    assert (command.from_user.language_code, photo.caption) == ("pt-BR", "my plant")
    assert [size.width for size in photo.photo] == [90, 320]


def test_a_poll_waits_for_news_and_ends_when_another_begins(messenger: Messenger) -> None:
    amina = messenger.person(102)

    def poll_elsewhere() -> str:
        with pytest.raises(Conflict) as caught:
            ask(messenger, lambda bot: bot.get_updates(timeout=20, read_timeout=25))
        return caught.value.message

    async def both(bot: Bot) -> Any:
        early = asyncio.create_task(asyncio.to_thread(poll_elsewhere))
        await asyncio.sleep(0.5)
        late = asyncio.create_task(bot.get_updates(timeout=20, read_timeout=25))
        assert "terminated by other getUpdates request" in await early
        await asyncio.to_thread(amina.writes, "hello")
        updates = await late
        await bot.get_updates(offset=updates[-1].update_id + 1)
        return updates

    assert ask(messenger, both)[-1].message.text == "hello"


def test_only_wanted_updates_are_kept(messenger: Messenger) -> None:
    amina = messenger.person(103)

    async def wanting(bot: Bot) -> Any:
        await bot.get_updates(allowed_updates=["callback_query"])
        await asyncio.to_thread(amina.writes, "nobody reads this")
        unseen = await bot.get_updates(timeout=0)
        await bot.get_updates(allowed_updates=[])
        return unseen

    assert ask(messenger, wanting) == ()


def test_a_file_comes_back_as_it_was(messenger: Messenger) -> None:
    amina = messenger.person(104)
    amina.sends_document(LEAF, "leaf.heic", "image/heic")
    file_id = amina.sees()[-1].body["document"]["file_id"]

    async def fetch(bot: Bot) -> bytes:
        return bytes(await (await bot.get_file(file_id)).download_as_bytearray())

    assert ask(messenger, fetch) == LEAF


def test_files_have_limits(messenger: Messenger) -> None:
    amina = messenger.person(105)
    amina.sends_document(b"tiff", "scan.tif", "image/tiff", size=20 * 2**20 + 1)
    file_id = amina.sees()[-1].body["document"]["file_id"]
    assert refusal(messenger, lambda bot: bot.get_file(file_id)) == "File is too big"
    assert refusal(messenger, lambda bot: bot.get_file("AgAC")) == "Invalid file_id"
    assert messenger.http.get(f"/file/bot{TOKEN}/photos/none.jpg").status_code == 404


def test_a_text_becomes_a_photo_with_buttons(messenger: Messenger) -> None:
    amina = messenger.person(106)
    photo_id = amina.sends_photo(LEAF)
    keys = InlineKeyboardMarkup([[InlineKeyboardButton("Correct", callback_data="c:1")]])

    async def answer(bot: Bot) -> Any:
        status = await bot.send_message(amina.id, "Looking …", reply_to_message_id=photo_id)
        media = InputMediaPhoto(InputFile(io.BytesIO(LEAF), attach=True), caption="<i>Likely</i>", parse_mode="HTML")
        await bot.edit_message_media(media, amina.id, status.message_id, reply_markup=keys)
        return status.message_id

    bubble = amina.waits_for_reply(photo_id) if ask(messenger, answer) else None
    assert bubble is not None
    assert (bubble.words, bubble.buttons) == ("Likely", {"Correct": "c:1"})
    assert messenger.file(str(bubble.photo)) == LEAF


def test_a_photo_is_sent_by_upload_and_by_id(messenger: Messenger) -> None:
    amina = messenger.person(107)
    message = ask(messenger, lambda bot: bot.send_photo(amina.id, LEAF, caption="one"))
    again = ask(messenger, lambda bot: bot.send_photo(amina.id, message.photo[-1].file_id, caption="two"))
    assert messenger.file(again.photo[-1].file_id) == LEAF
    assert refusal(messenger, lambda bot: bot.send_photo(amina.id, b"no picture")) == "Image_process_failed"


LONG = "🌿" * 513
REFUSALS: dict[str, tuple[Callable[[Bot, int], Awaitable[Any]], str]] = {
    "empty": (lambda bot, chat: bot.send_message(chat, " "), "Message text is empty"),
    "long text": (lambda bot, chat: bot.send_message(chat, "x" * 4097), "Message is too long"),
    "long caption": (lambda bot, chat: bot.send_photo(chat, LEAF, caption=LONG), "Message caption is too long"),
    "open tag": (
        lambda bot, chat: bot.send_message(chat, "<b>leaf", "HTML"),
        "Can't parse entities: can't find end tag corresponding to start tag \"b\"",
    ),
    "unknown tag": (
        lambda bot, chat: bot.send_message(chat, "é<br>", "HTML"),
        'Can\'t parse entities: unsupported start tag "br" at byte offset 2',
    ),
    "crossed tags": (
        lambda bot, chat: bot.send_message(chat, "<b><i>x</b></i>", "HTML"),
        'Can\'t parse entities: unmatched end tag at byte offset 7, expected "</i>", found "</b>"',
    ),
    "bare <": (
        lambda bot, chat: bot.send_message(chat, "3 < 4", "HTML"),
        "Can't parse entities: unclosed start tag at byte offset 2",
    ),
    "no chat": (lambda bot, _: bot.send_message(999, "x"), "Chat not found"),
    "no such reply": (
        lambda bot, chat: bot.send_message(chat, "x", reply_to_message_id=999_999),
        "Message to be replied not found",
    ),
    "button data": (
        lambda bot, chat: bot.send_message(
            chat, "x", reply_markup=InlineKeyboardMarkup([[InlineKeyboardButton("a", callback_data="é" * 33)]])
        ),
        "Button_data_invalid",
    ),
    "edit of nothing": (lambda bot, chat: bot.edit_message_text("x", chat, 999_999), "Message to edit not found"),
    "deleting nothing": (lambda bot, chat: bot.delete_message(chat, 999_999), "Message to delete not found"),
    "action": (lambda bot, chat: bot.send_chat_action(chat, "sleeping"), "Wrong parameter action in request"),
    "query": (
        lambda bot, _: bot.answer_callback_query("17"),
        "Query is too old and response timeout expired or query id is invalid",
    ),
    "command": (lambda bot, _: bot.set_my_commands([("Start", "go")]), "Bot_command_invalid"),
    "http": (
        lambda bot, _: bot.set_webhook("http://example.org/"),
        "Bad webhook: an https url must be provided for webhook",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_telegram_refuses_is_refused_in_its_words(messenger: Messenger, case: str) -> None:
    amina = messenger.person(108)
    call, said = REFUSALS[case]
    assert refusal(messenger, lambda bot: call(bot, amina.id)) == said


def test_edits_are_checked_against_what_is_there(messenger: Messenger) -> None:
    amina = messenger.person(109)
    keys = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y")]])

    async def talk(bot: Bot) -> list[str]:
        said = []
        text = await bot.send_message(amina.id, "one", reply_markup=keys)
        photo = await bot.send_photo(amina.id, LEAF, caption="two")
        mine = await asyncio.to_thread(amina.writes, "mine")
        for call in (
            lambda: bot.edit_message_text("one", amina.id, text.message_id, reply_markup=keys),
            lambda: bot.edit_message_caption(amina.id, text.message_id, caption="x"),
            lambda: bot.edit_message_text("x", amina.id, photo.message_id),
            lambda: bot.edit_message_text("x", amina.id, mine),
        ):
            with pytest.raises(BadRequest) as caught:
                await call()
            said.append(caught.value.message.split(":")[0])
        await bot.edit_message_caption(amina.id, photo.message_id, caption="three", reply_markup=keys)
        await bot.edit_message_reply_markup(amina.id, photo.message_id)
        await bot.edit_message_text("one", amina.id, text.message_id)
        return said

    assert ask(messenger, talk) == [
        "Message is not modified",
        "There is no caption in the message to edit",
        "There is no text in the message to edit",
        "Message can't be edited",
    ]
    assert [(bubble.words, bubble.buttons) for bubble in amina.answers()] == [("one", {}), ("three", {})]


def test_a_button_is_pressed_and_answered(messenger: Messenger) -> None:
    amina = messenger.person(110)
    photo_id = amina.sends_photo(LEAF)
    keys = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y:1")]])

    async def talk(bot: Bot) -> Any:
        await bot.send_message(amina.id, "Well?", reply_to_message_id=photo_id, reply_markup=keys)
        await asyncio.to_thread(amina.presses, amina.answers()[-1], "Yes")
        query = (await bot.get_updates(timeout=2))[-1].callback_query
        await query.answer("Thanks")
        await bot.get_updates(offset=700_999_999)
        return query

    query = ask(messenger, talk)
    assert (query.data, query.message.reply_to_message.photo[-1].width) == ("y:1", 320)
    assert amina.toasts() == ["Thanks"]


def test_who_blocks_the_bot_is_not_written_to(messenger: Messenger) -> None:
    amina = messenger.person(111)
    messenger.act("block", who=amina.id)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        ask(messenger, lambda bot: bot.send_message(amina.id, "hello?"))


def test_menus_are_kept_by_language(messenger: Messenger) -> None:
    async def set_and_get(bot: Bot) -> tuple[Any, Any]:
        await bot.set_my_commands([("start", "Begin")])
        await bot.set_my_commands([("start", "Anza")], language_code="sw")
        return await bot.get_my_commands(), await bot.get_my_commands(language_code="sw")

    default, swahili = ask(messenger, set_and_get)
    assert (default[0].description, swahili[0].description) == ("Begin", "Anza")


FAULTS: dict[str, tuple[dict[str, Any], type[Exception], int]] = {
    "flood": ({"kind": "flood", "retry_after": 7}, RetryAfter, 0),
    "error": ({"kind": "error"}, NetworkError, 0),
    "bad_gateway": ({"kind": "bad_gateway"}, NetworkError, 0),
    "cut_before": ({"kind": "cut_before"}, NetworkError, 0),
    "cut_after": ({"kind": "cut_after"}, NetworkError, 1),
    "slow": ({"kind": "slow", "seconds": 0.6}, TimedOut, 0),
    "slow_after": ({"kind": "slow_after", "seconds": 0.6}, TimedOut, 1),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_come_when_they_are_ordered(messenger: Messenger, case: str) -> None:
    amina = messenger.person(200 + list(FAULTS).index(case))
    rule, error, effects = FAULTS[case]
    messenger.order({**rule, "methods": ["sendMessage"], "times": 1})
    with pytest.raises(error):
        ask(messenger, lambda bot: bot.send_message(amina.id, "hello", read_timeout=0.3))
    assert len(amina.answers()) == effects
    assert messenger.happened() == {f"{case} sendmessage": 1}
    ask(messenger, lambda bot: bot.send_message(amina.id, "again"))


def test_the_same_seed_brings_the_same_faults(messenger: Messenger) -> None:
    def series() -> list[int]:
        messenger.order({"kind": "error", "methods": ["getMe"], "share": 0.3}, seed=5)
        return [messenger.http.get(f"/bot{TOKEN}/getMe").status_code for _ in range(30)]

    first = series()
    assert first == series()
    assert 3 < first.count(500) < 18


def test_updates_repeat_and_lose_their_order(messenger: Messenger) -> None:
    amina = messenger.person(112)
    messenger.order(
        {"kind": "repeat", "methods": ["getUpdates"], "times": 1},
        {"kind": "reorder", "methods": ["getUpdates"], "times": 1},
    )
    amina.writes("one")
    amina.writes("two")

    async def poll(bot: Bot) -> tuple[list[str], list[str]]:
        first = await bot.get_updates(timeout=1)
        await bot.get_updates(offset=max(update.update_id for update in first) + 1, timeout=0)
        await asyncio.to_thread(amina.writes, "three")
        second = await bot.get_updates(timeout=1)
        await bot.get_updates(offset=second[-1].update_id + 1, timeout=0)
        return [update.message.text for update in first], [update.message.text for update in second]

    assert ask(messenger, poll) == (["two", "one"], ["one", "three"])


class Receiver(BaseHTTPRequestHandler):
    """A webhook that refuses the first delivery."""

    seen: ClassVar[list[tuple[str | None, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.headers["X-Telegram-Bot-Api-Secret-Token"], body))
        self.send_response(503 if len(self.seen) == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


def test_a_webhook_is_tried_until_it_takes_the_update(messenger: Messenger) -> None:
    amina = messenger.person(113)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = "https://bot.example.org/hook"
        messenger.put_behind("https://bot.example.org", f"http://127.0.0.1:{server.server_port}")
        ask(messenger, lambda bot: bot.set_webhook(url, secret_token="s3cret", allowed_updates=["message"]))
        with pytest.raises(Conflict, match="webhook is active"):
            ask(messenger, lambda bot: bot.get_updates())
        amina.writes("one")
        amina.writes("two")
        wait_until(lambda: len(Receiver.seen) == 3, 5, "both messages are delivered")
        info = ask(messenger, lambda bot: bot.get_webhook_info())
        assert (info.url, info.allowed_updates) == (url, ("message",))
        assert info.last_error_message == "Wrong response from the webhook: 503 Service Unavailable"
    finally:
        ask(messenger, lambda bot: bot.delete_webhook())
        server.shutdown()
        server.server_close()
    assert [(secret, body["message"]["text"]) for secret, body in Receiver.seen] == [
        ("s3cret", "one"),
        ("s3cret", "one"),
        ("s3cret", "two"),
    ]


def test_a_group_keeps_what_is_not_for_the_bot_to_itself(messenger: Messenger) -> None:
    amina = messenger.person(114).in_group(-1_001_000_000_114)
    photo_id = amina.sends_photo(LEAF)
    amina.writes("@leaf_doctor_bot what is this?", reply_to=photo_id)

    async def poll(bot: Bot) -> Any:
        await bot.get_updates(allowed_updates=[])
        updates = await bot.get_updates(timeout=2)
        await bot.get_updates(offset=updates[-1].update_id + 1)
        return updates

    (update,) = ask(messenger, poll)
    assert update.message.reply_to_message.photo
    assert update.message.entities[0].type == "mention"


def test_a_forwarded_photo_names_its_sender(messenger: Messenger) -> None:
    amina = messenger.person(115)
    amina.sends_photo(LEAF, forwarded_from=116)
    assert amina.sees()[-1].body["forward_origin"]["sender_user"]["id"] == 116


def test_wrong_orders_are_no_orders(messenger: Messenger) -> None:
    with pytest.raises(httpx2.HTTPStatusError):
        messenger.order({"kind": "earthquake"})
