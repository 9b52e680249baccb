"""`python -m deploy.health URL [SECONDS]`: exit code 0 where the address answers 200, else 1 and the reason.

What containers are asked whether they are well; with SECONDS it is asked until then. Standard library only.
"""

import argparse
import sys
import time
import urllib.error
import urllib.request

TIMEOUT_S = 5
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Past the proxies that a machine's environment may name: they do not know this container."""


def ask(url: str) -> str:
    """What is wrong; empty where all is well."""
    try:
        with DIRECTLY.open(url, timeout=TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}: {error.read(500).decode(errors='replace')}"
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"


def wait(url: str, seconds: float) -> str:
    """Ask until all is well or the time is over; what is wrong then."""
    deadline = time.monotonic() + seconds
    while (wrong := ask(url)) and time.monotonic() < deadline:
        time.sleep(1)
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 where all is well."""
    parser = argparse.ArgumentParser(prog="python -m deploy.health", description=__doc__)
    parser.add_argument("url", help="address to ask")
    parser.add_argument("seconds", type=float, nargs="?", default=0, help="for which it is asked again (default: once)")
    given = parser.parse_args(arguments)
    wrong = wait(given.url, given.seconds)
    if wrong:
        sys.stderr.write(f"{wrong}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
