"""API keys in the database: made, listed, revoked. Only hashes are kept, so a key is shown once."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, insert, select, update

from gateway.access.caller import Scope
from gateway.access.scopes import known_scopes
from gateway.database.engine import write
from gateway.database.schema import api_keys

PREFIX = "leaf_"
WELL_FORMED = re.compile(r"leaf_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key without its secret; `secret_sha256` is the hex digest of the whole key.

    What is remembered belongs to the `owner`: the key's own id, or the owner of the key that it replaces.
    """

    id: str
    owner: str
    name: str
    secret_sha256: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


def hash_key(key: str) -> str:
    """Hex digest of a key; its 256 random bits need no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def create_key(engine: Engine, name: str, scopes: Iterable[Scope], owner: str | None = None) -> str:
    """Make a key and store its hash; the returned text exists nowhere else.

    Args:
        engine: of the database.
        name: for the list.
        scopes: what it may do.
        owner: of the key that it replaces; None makes a new one.

    Raises:
        sqlalchemy.exc.DBAPIError: the database refuses or does not answer.
    """
    key_id = secrets.token_hex(4)
    key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    row = {
        "id": key_id,
        "owner": owner or key_id,
        "name": name,
        "secret_sha256": hash_key(key),
        "scopes": sorted(scopes),
        "created_at": datetime.now(UTC),
    }
    with write(engine) as connection:
        connection.execute(insert(api_keys).values(row))
    return key


def read_keys(engine: Engine) -> list[StoredKey]:
    """All keys, revoked ones too, oldest first.

    Raises:
        sqlalchemy.exc.DBAPIError: the database refuses or does not answer.
    """
    with engine.connect() as connection:
        rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)).all()
    return [
        StoredKey(
            row.id,
            row.owner,
            row.name,
            row.secret_sha256,
            known_scopes(row.scopes),
            row.created_at,
            row.revoked_at,
            row.last_used_at,
        )
        for row in rows
    ]


def revoke_key(engine: Engine, key_id: str) -> bool:
    """Revoke a key for ever; False where there is none of this id that is not revoked already.

    Raises:
        sqlalchemy.exc.DBAPIError: the database refuses or does not answer.
    """
    active = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    with write(engine) as connection:
        return connection.execute(update(api_keys).where(active).values(revoked_at=datetime.now(UTC))).rowcount > 0


def note_use(engine: Engine, key_ids: Iterable[str]) -> None:
    """Write down that these keys were used about now.

    Raises:
        sqlalchemy.exc.DBAPIError: the database refuses or does not answer.
    """
    used = api_keys.c.id.in_(sorted(key_ids))
    with write(engine) as connection:
        connection.execute(update(api_keys).where(used).values(last_used_at=datetime.now(UTC)))
