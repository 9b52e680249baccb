"""What is remembered of people: the language they chose, under a keyed hash; and answers, for their buttons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from bot.database.schema import answers, people
from bot.database.working import Database


@dataclass(frozen=True)
class StoredAnswer:
    """An answer as its buttons need it; see the table's columns."""

    id: str
    person: str
    prediction_ids: tuple[str, ...]
    first_photo: str | None
    class_keys: tuple[str, ...]
    verdict: str | None = None


class People:
    """All that is done with the tables `people` and `answers`."""

    def __init__(self, database: Database, answer_days: int) -> None:
        self._database = database
        self._answer_age = timedelta(days=answer_days)

    async def language(self, person: str) -> str | None:
        """That the person chose; None where it was never asked for."""
        chosen = select(people.c.language).where(people.c.person == person)
        return await self._database.read(lambda connection: connection.scalar(chosen))

    async def choose_language(self, person: str, language: str) -> None:
        """Remember it, instead of an earlier one."""
        row = {"person": person, "language": language, "chosen_at": datetime.now(UTC)}

        def work(connection: Connection) -> None:
            connection.execute(delete(people).where(people.c.person == person))
            connection.execute(insert(people).values(row))

        await self._database.write(work)

    async def store(self, answer: StoredAnswer) -> None:
        """Remember an answer; one made anew replaces the earlier one of the same id."""
        row = {
            "id": answer.id,
            "person": answer.person,
            "created_at": datetime.now(UTC),
            "prediction_ids": list(answer.prediction_ids),
            "first_photo": answer.first_photo,
            "class_keys": list(answer.class_keys),
        }

        def work(connection: Connection) -> None:
            connection.execute(delete(answers).where(answers.c.id == answer.id))
            connection.execute(insert(answers).values(row))

        await self._database.write(work)

    async def find(self, answer_id: str) -> StoredAnswer | None:
        """The answer; None where it is too old or was forgotten."""
        wanted = select(answers).where(answers.c.id == answer_id, answers.c.created_at > self._oldest())
        row = await self._database.read(lambda connection: connection.execute(wanted).one_or_none())
        if row is None:
            return None
        return StoredAnswer(
            row.id, row.person, tuple(row.prediction_ids), row.first_photo, tuple(row.class_keys), row.verdict
        )

    async def note_verdict(self, answer_id: str, verdict: str, class_keys: Sequence[str] | None = None) -> None:
        """Remember what was said, and the classes that are offered instead."""
        values: dict[str, object] = {"verdict": verdict}
        if class_keys is not None:
            values["class_keys"] = list(class_keys)

        def work(connection: Connection) -> None:
            connection.execute(update(answers).where(answers.c.id == answer_id).values(values))

        await self._database.write(work)

    async def forget(self, person: str) -> int:
        """Delete the person's language and answers; returns how many answers there were."""

        def work(connection: Connection) -> int:
            connection.execute(delete(people).where(people.c.person == person))
            return connection.execute(delete(answers).where(answers.c.person == person)).rowcount

        return await self._database.write(work)

    async def sweep(self) -> None:
        """Delete answers that are too old."""
        oldest = self._oldest()

        def work(connection: Connection) -> None:
            connection.execute(delete(answers).where(answers.c.created_at <= oldest))

        await self._database.write(work)

    def _oldest(self) -> datetime:
        return datetime.now(UTC) - self._answer_age
