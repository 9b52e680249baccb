"""Routes in the database: read them, change them by whoever saw the last version, one change at a time."""

import getpass
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.database.engine import write
from gateway.database.schema import route_changes, route_locks, routes
from gateway.errors import RouteConflict
from gateway.records.rows import storable
from gateway.releases.routing import Route

LOCK_S = 30.0
"""After which a change whose process was killed blocks others no longer; a living one renews it."""
_LOCK = "releases"
_WHO_CHARACTERS, _REASON_CHARACTERS = 160, 300


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a route, by whom and why."""

    action: str
    reason: str
    route: Route


def shell_user() -> str:
    """Who changes a route from a shell."""
    try:
        return f"shell:{getpass.getuser()}"
    except (OSError, KeyError):  # a container's user without a name
        return "shell"


def read_route(connection: Connection, task: str = "") -> Route | None:
    """The task's route; without a task the one that was changed last, None where there is none."""
    query = select(routes).order_by(routes.c.changed_at.desc()).limit(1)
    row = connection.execute(query.where(routes.c.task == task) if task else query).mappings().first()
    return Route(**row) if row is not None else None


def read_routes(connection: Connection) -> list[Route]:
    """All routes, by task."""
    return [Route(**row) for row in connection.execute(select(routes).order_by(routes.c.task)).mappings()]


def read_changes(connection: Connection, most: int) -> list[Change]:
    """The last changes, the newest first."""
    query = select(route_changes).order_by(route_changes.c.changed_at.desc(), route_changes.c.version.desc())
    found = []
    for row in connection.execute(query.limit(most)).mappings():
        facts = {name: row[name] for name in routes.c.keys()}  # noqa: SIM118 - of columns, not of a dictionary
        found.append(Change(row["action"], row["reason"], Route(**facts)))
    return found


def read_routed_numbers(connection: Connection) -> set[int]:
    """Numbers of all releases that any route has named."""
    roles = (route_changes.c[role] for role in ("stable", "candidate", "shadow", "previous"))
    return {number for role in roles for number in connection.execute(select(role).distinct()).scalars() if number}


def move_route(connection: Connection, route: Route, action: str, who: str, reason: str = "") -> Route:
    """Write a route whose `version` is the one that it was made from, and remember the change.

    Returns:
        The route as it is now.

    Raises:
        RouteConflict: it was changed meanwhile.
    """
    moved = replace(
        route,
        version=route.version + 1,
        changed_at=datetime.now(UTC),
        changed_by=storable(who, _WHO_CHARACTERS),
    )
    row = asdict(moved)
    try:
        if route.version == 0:
            changed = connection.execute(insert(routes), row).rowcount
        else:
            known = (routes.c.task == route.task) & (routes.c.version == route.version)
            changed = connection.execute(update(routes).where(known).values(**row)).rowcount
    except IntegrityError:
        changed = 0
    if not changed:
        raise RouteConflict("The route was changed meanwhile. Look at it again, then repeat the change.")
    note = {"id": uuid.uuid4().hex, "action": action, "reason": storable(reason, _REASON_CHARACTERS)}
    connection.execute(insert(route_changes), row | note)
    return moved


def forget_route(connection: Connection, route: Route, who: str, reason: str) -> None:
    """Undo a first row that nobody has changed since: releases are chosen by their number again."""
    known = (routes.c.task == route.task) & (routes.c.version == route.version)
    if connection.execute(delete(routes).where(known)).rowcount:
        row = asdict(replace(route, changed_at=datetime.now(UTC), changed_by=storable(who, _WHO_CHARACTERS)))
        note = {"id": uuid.uuid4().hex, "action": "forget", "reason": storable(reason, _REASON_CHARACTERS)}
        connection.execute(insert(route_changes), row | note)


class ChangeLock:
    """The right to change releases, held by one process at a time over all machines."""

    def __init__(self, engine: Engine, who: str) -> None:
        self._engine = engine
        self._who = storable(who, _WHO_CHARACTERS)
        self._holder = uuid.uuid4().hex

    def take(self) -> None:
        """Hold it until `release`, or `LOCK_S` after the last `renew`.

        Raises:
            RouteConflict: somebody else holds it.
        """
        row = {"name": _LOCK, "holder": self._holder, "changed_by": self._who, "expires_at": _expiry()}
        try:
            with write(self._engine) as connection:
                connection.execute(delete(route_locks).where(route_locks.c.expires_at < datetime.now(UTC)))
                connection.execute(insert(route_locks), row)
        except IntegrityError as error:
            with self._engine.connect() as connection:
                other = connection.execute(select(route_locks.c.changed_by)).scalar()
            raise RouteConflict(
                f"{other or 'Somebody'} is changing the releases now. Try again when that is done; after a crash, in "
                f"{LOCK_S:.0f} s."
            ) from error

    def renew(self) -> None:
        """Hold it for another `LOCK_S`.

        Raises:
            RouteConflict: it has expired, and somebody else has it.
        """
        with write(self._engine) as connection:
            mine = update(route_locks).where(route_locks.c.holder == self._holder)
            if not connection.execute(mine.values(expires_at=_expiry())).rowcount:
                raise RouteConflict("This change took too long and another one has begun. Look at the route again.")

    def release(self) -> None:
        """Let others."""
        with write(self._engine) as connection:
            connection.execute(delete(route_locks).where(route_locks.c.holder == self._holder))


def _expiry() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=LOCK_S)
