"""What shadows said beside what was answered, counted in the database by hour."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Engine, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.database.engine import write
from gateway.database.schema import shadow_counts


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """What photos are counted by; classes and decisions are empty unless both releases answered."""

    created_hour: int
    stable: int
    shadow: int
    outcome: str
    class_key: str = ""
    decision: str = ""
    shadow_class_key: str = ""
    shadow_decision: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """So many photos of one class and decision by each release; milliseconds of all together."""

    outcome: str
    class_key: str
    decision: str
    shadow_class_key: str
    shadow_decision: str
    times: int
    infer_ms: float
    shadow_infer_ms: float


@dataclass(frozen=True, slots=True)
class Sums:
    """So many photos, and the milliseconds that the two releases needed for all of them."""

    times: int = 0
    infer_ms: float = 0.0
    shadow_infer_ms: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.times + other.times, self.infer_ms + other.infer_ms, self.shadow_infer_ms + other.shadow_infer_ms
        )


def add_counts(engine: Engine, key: ShadowCount, sums: Sums) -> None:
    """Add to a count; several processes may."""
    if _add(engine, key, sums):
        return
    try:
        with write(engine) as connection:
            connection.execute(insert(shadow_counts), asdict(key) | asdict(sums))
    except IntegrityError:  # another process was first
        _add(engine, key, sums)


def read_counts(connection: Connection, stable: int, shadow: int, first_hour: int) -> list[Said]:
    """What a shadow said since an hour (since 1970) beside one release that answered."""
    columns = shadow_counts.c
    by = [columns[name] for name in ("outcome", "class_key", "decision", "shadow_class_key", "shadow_decision")]
    sums = [func.sum(columns[name]).label(name) for name in ("times", "infer_ms", "shadow_infer_ms")]
    pair = (columns.stable == stable, columns.shadow == shadow)
    query = select(*by, *sums).where(*pair, columns.created_hour >= first_hour).group_by(*by)
    return [Said(**row) for row in connection.execute(query).mappings()]


def _add(engine: Engine, key: ShadowCount, sums: Sums) -> bool:
    known = and_(*(shadow_counts.c[name] == value for name, value in asdict(key).items()))
    more = {name: shadow_counts.c[name] + value for name, value in asdict(sums).items()}
    with write(engine) as connection:
        return bool(connection.execute(update(shadow_counts).where(known).values(**more)).rowcount)
