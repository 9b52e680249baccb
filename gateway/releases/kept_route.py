"""The last known route in a file, for a process that starts while the database is down."""

import json
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import structlog

from gateway.releases.routing import Route

log = structlog.get_logger()


class KeptRoute:
    """`route.json` in the data folder; several processes may write the same."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "route.json"
        self._written = self.read()

    def write(self, route: Route | None) -> None:
        """Keep `route`, where it is another one than the last."""
        if route == self._written:
            return
        try:
            if route is None:
                self._file.unlink(missing_ok=True)
            else:
                aside = self._file.with_name(f".route.{os.getpid()}.new")
                aside.write_text(json.dumps(asdict(route) | {"changed_at": route.changed_at.isoformat()}))
                aside.replace(self._file)
        except OSError as error:
            log.warning("the route is not kept in a file", reason=str(error))
            return
        self._written = route

    def read(self) -> Route | None:
        """The kept route; None where there is none, or it cannot be read."""
        try:
            facts = json.loads(self._file.read_text())
            return Route(**facts | {"changed_at": datetime.fromisoformat(facts["changed_at"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("the kept route cannot be read", reason=str(error))
            return None
