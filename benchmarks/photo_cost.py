"""`python -m benchmarks.photo_cost`: what a photo costs the gateway in processor time, and the database in bytes.

Processor time is read from the system, not from a clock, so other work on the machine hardly changes it. Triton has a null
model: its own time is not in it. With `--database postgresql://...` (an empty one) rows are measured too.
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.accounting import cpu_s, tree
from benchmarks.gateway_cost import null_stack
from benchmarks.machine import hardware, say
from benchmarks.photos import leaf
from benchmarks.targets import Connection, HttpTarget

SIZES = {"0.5": (800, 600), "2": (1632, 1224), "12": (4000, 3000)}
"""Width and height in pixels, by megapixels: a messenger's photo, a small camera's, a phone's original."""


def gateways() -> list[int]:
    """Process ids of the gateway that this process has started, and of its workers."""
    return [pid for pid in tree([os.getpid()])[1:] if b"gateway" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def answered(connection: Connection, image: bytes) -> None:
    """One photo there and back; raises RuntimeError unless it was answered."""
    _ = connection.ask(image).probabilities


def row_cost(url: str) -> dict[str, float]:
    """Rows of predictions in a PostgreSQL database, and the bytes that each takes with its indexes."""
    import psycopg  # only where rows are measured

    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute("VACUUM FULL predictions")
        counted = connection.execute(
            "SELECT count(*), pg_total_relation_size('predictions') FROM predictions"
        ).fetchone()
    assert counted is not None
    rows, size = counted
    return {"rows": rows, "bytes_per_row": round(size / rows, 1)}


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All figures of one run."""
    if given.database:
        os.environ["GATEWAY_DATABASE_URL"] = given.database
    result: dict[str, Any] = {"hardware": hardware(), "photo_bytes": {}, "gateway_cpu_ms": {}}
    with tempfile.TemporaryDirectory() as folder, null_stack(Path(folder)) as (_, port):
        pids = gateways()
        for name, size in SIZES.items():
            image = leaf(size)
            with closing(HttpTarget(port).connect()) as connection:
                for _ in range(10):
                    answered(connection, image)
                before = cpu_s(pids)
                for _ in range(given.photos):
                    answered(connection, image)
            spent = 1000 * (cpu_s(pids) - before) / given.photos
            result["photo_bytes"][name], result["gateway_cpu_ms"][name] = len(image), round(spent, 2)
            say(f"{name} megapixels, {len(image) / 1e6:.2f} MB: {spent:.1f} ms of processor time")
    if given.database:
        result["database"] = row_cost(given.database)
        say(f"{result['database']['bytes_per_row']} bytes a row")
    return result


def main() -> int:
    """Measure and keep the figures as JSON, which deploy/capacity.py reads."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photo_cost", description=__doc__)
    parser.add_argument("--photos", type=int, default=300, help="of each size, default %(default)s")
    parser.add_argument("--database", help="an empty PostgreSQL database, postgresql://...")
    parser.add_argument("--out", type=Path, default=Path("build/photo_cost.json"), help="default %(default)s")
    given = parser.parse_args()
    result = measure(given)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
