"""Command line: `python -m training COMMAND ...`; each command is a module of `training.commands`.

Exit status: 0 done, 2 something for the user to mend, said in a line, 3 the gate held the member back, 130 interrupted.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
import warnings
from types import ModuleType

from training import commands
from training.errors import TrainingError
from training.writing import ROOM, is_full

INTERRUPTED = 130


def command_names() -> list[str]:
    """Names of all commands."""
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def usage() -> str:
    """What `--help` prints: every command with its one line."""
    lines = ["usage: python -m training COMMAND ...", ""]
    lines += [f"  {name:12} {_module(name).SUMMARY}" for name in command_names()]
    return "\n".join(
        [*lines, "", "`python -m training COMMAND --help` lists every flag with its unit and default.", ""]
    )


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"training.commands.{name}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] not in command_names():
        asked = bool(arguments) and arguments[0] in {"-h", "--help"}
        (sys.stdout if asked else sys.stderr).write(usage())
        return 0 if asked else 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for chatty in ("lightning", "lightning.fabric", "lightning.pytorch", "timm"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Advice to whoever writes a Lightning program, not to whoever runs this one.
    warnings.filterwarnings("ignore", module="lightning")
    try:
        status: int = _module(arguments[0]).run(arguments[1:])
    except TrainingError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"error: {line}\n")
        return 2
    except OSError as error:
        if not is_full(error):
            raise
        sys.stderr.write(f"error: {error.filename or 'a file'} cannot be written: {ROOM}.\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: the same command again goes on where it can.\n")
        return INTERRUPTED
    return status


if __name__ == "__main__":
    raise SystemExit(main())
