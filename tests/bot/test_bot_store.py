"""The inbox: every update once, chats in order, albums together, and nothing kept that is not needed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres import PostgresCluster, running_postgres
from sqlalchemy import Engine, select, update

from bot.database import open_database, upgrade
from bot.database.schema import answers, metadata, updates
from bot.database.working import Database
from bot.errors import InvalidDatabaseUrlError, NewerDatabaseError
from bot.inbox.arrivals import Arrival, arrival
from bot.inbox.store import Admission, Case, Inbox
from bot.people import People, StoredAnswer

WAIT_S = 0.2
WINDOW_S = 600


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresCluster]:
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    on_sqlite = request.param == "sqlite"
    engine = open_database(
        f"sqlite:///{tmp_path / 'bot.db'}" if on_sqlite else request.getfixturevalue("postgres").new_database()
    )
    upgrade(engine)
    yield engine
    engine.dispose()


def using(engine: Engine, use: Callable[[Inbox, People], Awaitable[Any]]) -> Any:
    """What `use` returns."""

    async def run() -> Any:
        database = Database(engine)
        try:
            return await use(Inbox(database, WAIT_S), People(database, answer_days=30))
        finally:
            database.close()

    return asyncio.run(run())


def letter(update_id: int, lane: str = "7", album: str | None = None) -> Arrival:
    return Arrival(update_id, lane, album, f'{{"update_id": {update_id}}}')


def rows(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(updates).order_by(updates.c.update_id)))


async def first_case(inbox: Inbox) -> Case:
    (case,), _ = await inbox.due([], 10)
    return case


def test_an_update_is_stored_once(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> list[int]:
        brought = [await inbox.add([letter(1), letter(2), letter(2)]), await inbox.add([letter(2), letter(3)])]
        await inbox.finish(await first_case(inbox))
        return [*brought, await inbox.add([letter(1)]), await inbox.add([])]

    assert using(engine, use) == [2, 1, 0, 0]


def test_a_chat_goes_in_order_and_chats_side_by_side(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> None:
        await inbox.add([letter(12), letter(11), letter(13, "8")])
        cases, _later = await inbox.due([], 10)
        assert sorted(case.update_ids for case in cases) == [(11,), (13,)]
        assert [case.lane for case in (await inbox.due(["7"], 10))[0]] == ["8"]
        assert len((await inbox.due([], 1))[0]) == 1
        await inbox.finish(next(case for case in cases if case.lane == "7"))
        assert [case.update_ids for case in (await inbox.due(["8"], 10))[0]] == [(12,)]

    using(engine, use)


def test_what_is_postponed_holds_its_chat(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> None:
        await inbox.add([letter(1), letter(2)])
        await inbox.postpone(await first_case(inbox), 0.3, failed=True)
        cases, later = await inbox.due([], 10)
        assert cases == [] and later is not None and later > datetime.now(UTC)
        await asyncio.sleep(0.35)
        case = await first_case(inbox)
        assert (case.update_ids, case.attempts) == ((1,), 1)

    using(engine, use)


def test_an_album_waits_for_its_latest_photo_and_comes_as_one(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> None:
        await inbox.add([letter(1, album="a")])
        await asyncio.sleep(WAIT_S / 2)
        await inbox.add([letter(2, album="a"), letter(3, "8", album="a")])
        await asyncio.sleep(WAIT_S / 2)
        assert (await inbox.due([], 10))[0] == []
        await asyncio.sleep(WAIT_S)
        cases = {case.lane: case for case in (await inbox.due([], 10))[0]}
        assert cases["7"].update_ids == (1, 2)
        assert cases["8"].update_ids == (3,)

    using(engine, use)


def test_a_straggler_brings_the_whole_album_and_its_message_back(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> None:
        await inbox.add([letter(1, album="a"), letter(2, album="a")])
        await asyncio.sleep(WAIT_S)
        case = await first_case(inbox)
        await inbox.note_message(case, 77)
        await inbox.finish(case)
        await inbox.add([letter(5, album="a")])
        await asyncio.sleep(WAIT_S)
        again = await first_case(inbox)
        assert again.update_ids == (5,)
        assert list(again.contents) == [1, 2, 5]
        assert (again.message_id, again.name) == (77, case.name)

    using(engine, use)


def test_content_goes_when_the_work_is_done(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> None:
        await inbox.add([letter(1)])
        case = await first_case(inbox)
        await inbox.note_message(case, 77)
        assert (await first_case(inbox)).message_id == 77
        await inbox.finish(case)
        assert await inbox.waiting() == 0

    using(engine, use)
    (row,) = rows(engine)
    assert (row.content, row.lane, row.album, row.message_id) == (None, None, None, None)


def test_photos_count_over_the_window_and_are_refused_once(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> None:
        said = []
        for update_id in range(1, 6):
            await inbox.add([letter(update_id)])
            case = await first_case(inbox)
            said.append(await inbox.admit(case, "anna", 3, WINDOW_S))
            assert await inbox.admit(case, "anna", 3, WINDOW_S) is said[-1]  # after a crash the same
            await inbox.finish(case)
        granted, refused, again = Admission.GRANTED, Admission.REFUSED, Admission.REFUSED_AGAIN
        assert said == [granted, granted, granted, refused, again]
        await inbox.add([letter(9)])
        case = await first_case(inbox)
        assert await inbox.admit(case, "ben", 3, WINDOW_S) is granted
        assert await inbox.admit(replace(case), "anna", 3, window_s=0) is granted

    using(engine, use)


def test_an_album_counts_each_photo(engine: Engine) -> None:
    async def use(inbox: Inbox, _: People) -> None:
        await inbox.add([letter(update_id, album="a") for update_id in range(4)])
        await asyncio.sleep(WAIT_S)
        assert await inbox.admit(await first_case(inbox), "anna", 3, WINDOW_S) is Admission.REFUSED
        assert await inbox.admit(await first_case(inbox), "anna", 4, WINDOW_S) is Admission.REFUSED

    using(engine, use)


def test_sweeping_forgets_what_is_no_longer_needed(engine: Engine) -> None:
    async def fill(inbox: Inbox, people: People) -> None:
        await inbox.add([letter(1, album="a"), letter(2, "8"), letter(3, "9")])
        await asyncio.sleep(WAIT_S)
        for case in (await inbox.due([], 10))[0]:
            await inbox.admit(case, "anna", 20, WINDOW_S)
            if case.lane != "9":
                await inbox.finish(case)
        await people.store(StoredAnswer("old", "anna", ("p",), "p", ()))
        await people.store(StoredAnswer("new", "anna", ("p",), "p", ()))

    def age(update_id: int, days: float) -> None:
        then = datetime.now(UTC) - timedelta(days=days)
        with engine.begin() as connection:
            connection.execute(update(updates).where(updates.c.update_id == update_id).values(received_at=then))
            done = updates.c.done_at.is_not(None)
            connection.execute(update(updates).where(updates.c.update_id == update_id, done).values(done_at=then))

    async def sweep(inbox: Inbox, people: People) -> None:
        await inbox.sweep(WINDOW_S)
        await people.sweep()

    using(engine, fill)
    using(engine, sweep)
    assert [(row.person, row.content is None) for row in rows(engine)] == [
        ("anna", False),
        ("anna", True),
        ("anna", False),
    ]
    age(1, 0.5)
    age(2, 4)
    age(3, 4)
    with engine.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=31)
        connection.execute(update(answers).where(answers.c.id == "old").values(created_at=long_ago))
    using(engine, sweep)
    kept = {row.update_id: row for row in rows(engine)}
    assert sorted(kept) == [1, 3]
    assert (kept[1].person, kept[1].content, kept[1].album) == (None, None, None)
    assert kept[3].content is not None, "what is still to do is never swept away"
    assert using(engine, lambda _, people: people.find("old")) is None
    assert using(engine, lambda _, people: people.find("new")).prediction_ids == ("p",)


def test_a_person_is_forgotten(engine: Engine) -> None:
    async def use(inbox: Inbox, people: People) -> None:
        await people.choose_language("anna", "sw")
        await people.choose_language("anna", "ha")
        await people.choose_language("ben", "fr")
        await people.store(StoredAnswer("a", "anna", ("p", "q"), None, ("cmd",)))
        await people.note_verdict("a", "wrong", ["cbb", "cgm"])
        found = await people.find("a")
        assert found is not None and (found.verdict, found.class_keys) == ("wrong", ("cbb", "cgm"))
        assert await people.language("anna") == "ha"
        await inbox.add([letter(1, album="a")])
        await asyncio.sleep(WAIT_S)
        case = await first_case(inbox)
        await inbox.admit(case, "anna", 20, WINDOW_S)
        await inbox.finish(case)
        assert await people.forget("anna") == 1
        await inbox.forget("anna")
        assert await people.language("anna") is None
        assert await people.language("ben") == "fr"
        assert await people.find("a") is None

    using(engine, use)
    assert rows(engine)[0].content is None


def test_the_migrations_make_the_schema(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'bot.db'}")
    upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerDatabaseError, match="9999"):
        upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/db", "sqlite://", "sqlite:///x.db?mode=ro"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(InvalidDatabaseUrlError, match="BOT_DATABASE_URL"):
        open_database(url)


@pytest.mark.parametrize(
    ("told", "lane", "album"),
    [
        ({"update_id": 1, "message": {"chat": {"id": -5}}}, "-5", None),
        ({"update_id": 1, "message": {"chat": {"id": 5}, "media_group_id": "m"}}, "5", "m"),
        ({"update_id": 1, "callback_query": {"from": {"id": 5}}}, "5/buttons", None),
    ],
)
def test_rows_know_their_lane(told: dict[str, Any], lane: str, album: str | None) -> None:
    row = arrival(told)
    assert row is not None
    assert (row.lane, row.album) == (lane, album)


@pytest.mark.parametrize(
    "told",
    [{}, {"update_id": "1"}, {"update_id": 1}, {"update_id": 1, "message": {}}, {"update_id": 1, "message": "text"}],
)
def test_what_is_no_update_is_left_out(told: dict[str, Any]) -> None:
    assert arrival(told) is None
