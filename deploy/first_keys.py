"""`python -m deploy.first_keys --out FILE`: the bot's key to the gateway, made once, before either of them starts.

A gateway that others can reach does not start without a key, and the bot needs one that may ask for others: so the first start
makes it, into a file that only the bot reads. Standard library only; keys are made by the gateway's own command.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

KEY_ID = re.compile(r"leaf_([0-9a-f]{8})_")
KEYS = (sys.executable, "-m", "gateway", "keys")


class KeysError(Exception):
    """A command of the gateway failed; it has said why."""


def run(*command: str) -> str:
    """Standard output of a command.

    Raises:
        KeysError
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=120)
    if done.returncode:
        raise KeysError(f"`{' '.join(command[1:])}` ended with status {done.returncode}; see above.")
    return done.stdout


def is_active(key_id: str) -> bool:
    """Whether the database has the key, and it is not revoked."""
    rows = [line.split() for line in run(*KEYS, "list").splitlines()[1:]]
    return any(row[0] == key_id and row[-1] == "-" for row in rows)


def make_once(file: Path) -> str:
    """Keep the key that is there if the gateway knows it, else make another; says what was done.

    Raises:
        KeysError
        OSError: the file cannot be read or written.
    """
    found = KEY_ID.match(file.read_text()) if file.exists() else None
    if found and is_active(found[1]):
        return f"the bot's key {found[1]} is there"
    key = run(*KEYS, "create", "--name", "bot", "--scope", "predict", "--scope", "delegate").strip()
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(key + "\n")
    draft.replace(file)
    return "the bot's key was made"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m deploy.first_keys", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file for the key")
    given = parser.parse_args(arguments)
    try:
        sys.stderr.write(f"keys: {make_once(given.out)}\n")
    except (KeysError, OSError) as error:
        sys.stderr.write(f"keys: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
