"""The inbox in the database: updates wait here until they are worked off."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from bot.database.schema import updates
from bot.database.working import Database
from bot.inbox.arrivals import Arrival

ALBUM_MEMORY = timedelta(minutes=10)
"""How long an answered album waits for a straggler."""
ID_MEMORY = timedelta(days=3)
"""How long an update is known by its id; Telegram repeats one for 24 hours at most."""
_EMPTY: dict[str, object] = {"content": None, "lane": None, "album": None, "message_id": None}


@dataclass(frozen=True)
class Case:
    """What is worked on at once: one update, or all that is known of an album.

    Attributes:
        lane: see `Arrival`.
        update_ids: that are to do, the lowest first.
        contents: updates as JSON by id, in order; of an album those too that were answered before.
        message_id: the bot's message that becomes the answer, where there is one already.
        attempts: that ended in an unexpected error.
        received_at: when the first of `update_ids` came.
    """

    lane: str
    update_ids: tuple[int, ...]
    contents: dict[int, str]
    message_id: int | None
    attempts: int
    received_at: datetime
    album: str | None = None

    @property
    def name(self) -> int:
        """Stays the same however often the case is worked on: the lowest id of its updates."""
        return min(self.contents)


class Admission(Enum):
    """Whether photos are looked at."""

    GRANTED = "granted"
    REFUSED = "refused"
    REFUSED_AGAIN = "refused again"


class Inbox:
    """All that is done with the table `updates`."""

    def __init__(self, database: Database, album_wait_s: float) -> None:
        self._database = database
        self._album_wait = timedelta(seconds=album_wait_s)

    async def add(self, arrivals: Sequence[Arrival]) -> int:
        """Store what is new; returns how many that were. Each photo lets its album wait a moment for the next."""
        now = datetime.now(UTC)

        def work(connection: Connection) -> int:
            fresh = {arrival.update_id: arrival for arrival in arrivals}
            known = select(updates.c.update_id).where(updates.c.update_id.in_(fresh))
            for update_id in connection.scalars(known):
                del fresh[update_id]
            if not fresh:
                return 0
            connection.execute(insert(updates), [self._row(arrival, now) for arrival in fresh.values()])
            for lane, album in {(arrival.lane, arrival.album) for arrival in fresh.values() if arrival.album}:
                waiting = and_(updates.c.lane == lane, updates.c.album == album, updates.c.done_at.is_(None))
                connection.execute(update(updates).where(waiting).values(due_at=now + self._album_wait))
            return len(fresh)

        return await self._database.write(work) if arrivals else 0

    async def due(self, busy: Collection[str], limit: int) -> tuple[list[Case], datetime | None]:
        """The first case of each lane that is not busy, as far as it is due, and when the next one will be."""
        now = datetime.now(UTC)

        def work(connection: Connection) -> tuple[list[Case], datetime | None]:
            firsts = (
                select(func.min(updates.c.update_id))
                .where(updates.c.done_at.is_(None), updates.c.lane.not_in(busy))
                .group_by(updates.c.lane)
            )
            rows = connection.execute(
                select(updates).where(updates.c.update_id.in_(firsts)).order_by(updates.c.due_at).limit(limit + 1)
            ).all()
            ready = [row for row in rows[:limit] if row.due_at <= now]
            later = rows[len(ready)].due_at if len(rows) > len(ready) else None
            return [_case(connection, row) for row in ready], later

        return await self._database.read(work)

    async def note_message(self, case: Case, message_id: int) -> None:
        """Remember which message becomes the answer, to what was answered before too."""
        await self._change(tuple(case.contents), message_id=message_id)

    async def postpone(self, case: Case, seconds: float, failed: bool) -> None:
        """Let the case wait; `failed` counts an attempt."""
        due_at = datetime.now(UTC) + timedelta(seconds=seconds)
        await self._change(case.update_ids, due_at=due_at, attempts=case.attempts + (1 if failed else 0))

    async def finish(self, case: Case) -> None:
        """The case is worked off. Its content goes at once; that of an album stays a while, for stragglers."""
        await self._change(case.update_ids, done_at=datetime.now(UTC), **({} if case.album else _EMPTY))

    async def admit(self, case: Case, person: str, most: int, window_s: int) -> Admission:
        """Whether a person may send these photos besides those of the last `window_s` seconds; once said, it holds."""
        since = datetime.now(UTC) - timedelta(seconds=window_s)

        def work(connection: Connection) -> Admission:
            ours = updates.c.update_id.in_(case.update_ids)
            told = set(connection.scalars(select(updates.c.admitted).where(ours)))
            others = and_(
                updates.c.person == person, updates.c.received_at > since, updates.c.update_id.not_in(case.update_ids)
            )
            counts: dict[bool | None, int] = dict(
                connection.execute(
                    select(updates.c.admitted, func.count()).where(others).group_by(updates.c.admitted)
                ).all()
            )
            granted = True in told or (False not in told and counts.get(True, 0) + len(case.update_ids) <= most)
            connection.execute(update(updates).where(ours).values(person=person, admitted=granted))
            if granted:
                return Admission.GRANTED
            return Admission.REFUSED_AGAIN if counts.get(False, 0) else Admission.REFUSED

        return await self._database.write(work)

    async def forget(self, person: str) -> None:
        """Empty the person's answered albums, which wait for stragglers; that their photos count stays."""
        theirs = and_(updates.c.person == person, updates.c.done_at.is_not(None))

        def work(connection: Connection) -> None:
            connection.execute(update(updates).where(theirs).values(_EMPTY))

        await self._database.write(work)

    async def sweep(self, window_s: int) -> None:
        """Empty and delete what is no longer needed."""
        now = datetime.now(UTC)

        def work(connection: Connection) -> None:
            connection.execute(
                update(updates)
                .where(updates.c.album.is_not(None), updates.c.done_at < now - ALBUM_MEMORY)
                .values(_EMPTY)
            )
            counted = or_(updates.c.person.is_not(None), updates.c.admitted.is_not(None))
            old = updates.c.received_at < now - timedelta(seconds=window_s)
            connection.execute(
                update(updates).where(counted, old, updates.c.done_at.is_not(None)).values(person=None, admitted=None)
            )
            connection.execute(delete(updates).where(updates.c.done_at < now - ID_MEMORY))

        await self._database.write(work)

    async def waiting(self) -> int:
        """How many updates are to do."""
        to_do = select(func.count()).select_from(updates).where(updates.c.done_at.is_(None))
        return await self._database.read(lambda connection: connection.execute(to_do).scalar_one())

    async def _change(self, update_ids: Sequence[int], **values: object) -> None:
        def work(connection: Connection) -> None:
            connection.execute(update(updates).where(updates.c.update_id.in_(update_ids)).values(**values))

        await self._database.write(work)

    def _row(self, arrival: Arrival, now: datetime) -> dict[str, object]:
        return {
            "update_id": arrival.update_id,
            "received_at": now,
            "lane": arrival.lane,
            "album": arrival.album,
            "content": arrival.content,
            "due_at": now + self._album_wait if arrival.album else now,
            "attempts": 0,
        }


def _case(connection: Connection, first: Row[tuple[object, ...]]) -> Case:
    rows: Sequence[Row[tuple[object, ...]]] = [first]
    if first.album:
        together = and_(updates.c.lane == first.lane, updates.c.album == first.album, updates.c.content.is_not(None))
        rows = connection.execute(select(updates).where(together).order_by(updates.c.update_id)).all()
    return Case(
        lane=first.lane,
        update_ids=tuple(row.update_id for row in rows if row.done_at is None),
        contents={row.update_id: row.content for row in rows},
        message_id=next((row.message_id for row in rows if row.message_id is not None), None),
        attempts=first.attempts,
        received_at=first.received_at,
        album=first.album,
    )
