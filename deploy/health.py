"""`python -m deploy.health URL [SECONDS]`: exit code 0 where the address answers 200, else 1 and the reason.

What containers are asked whether they are well; with SECONDS it is asked until then. Standard library only.
"""

import sys
import time
import urllib.error
import urllib.request

TIMEOUT_S = 5


def ask(url: str) -> str:
    """What is wrong; empty where all is well."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the address is written in the image
            return ""
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}: {error.read(500).decode(errors='replace')}"
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"


def main(url: str, seconds: str = "0") -> int:
    """Ask until all is well or the time is over."""
    deadline = time.monotonic() + float(seconds)
    while wrong := ask(url):
        if time.monotonic() >= deadline:
            sys.stderr.write(f"{wrong}\n")
            return 1
        time.sleep(1)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
