"""`python -m benchmarks.photo_cost`: what a photo costs the gateway in processor time, and the database in bytes.

Processor time is read from the system, not from a clock, so other work on the machine hardly changes it. Triton has a null
model: its own time is not in it. With `--database postgresql://...` (an empty one) rows are measured too.
"""

import argparse
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import load
from benchmarks.__main__ import hardware, say
from benchmarks.gateway_cost import null_stack

SIZES = {"0.5": (800, 600), "2": (1632, 1224), "12": (4000, 3000)}
"""Width and height in pixels, by megapixels: a messenger's photo, a small camera's, a phone's original."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def photo(size: tuple[int, int]) -> bytes:
    """A baseline JPEG with a camera's structure and noise."""
    rng = np.random.default_rng(7)
    with Image.open("demo/leaf.jpg") as leaf:
        base = np.asarray(leaf.convert("RGB").resize(size), np.float32)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(base + rng.normal(0, 8, base.shape), 0, 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=85
    )
    return buffer.getvalue()


def gateways() -> list[int]:
    """Process ids of the gateway that this process has started, and of its workers."""
    found = []
    waiting = [os.getpid()]
    while waiting:
        children = [
            int(pid)
            for file in Path(f"/proc/{waiting.pop()}/task").glob("*/children")
            for pid in file.read_text().split()
        ]
        waiting += children
        found += [pid for pid in children if b"gateway" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found


def cpu_s(pids: list[int]) -> float:
    """Processor time that these processes have used so far, seconds."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) * _TICK_S


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
            image = photo(size)
            with load.connected(port) as ask:
                for _ in range(10):
                    ask(image)
                before = cpu_s(pids)
                for _ in range(given.photos):
                    ask(image)
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
