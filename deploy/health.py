"""`python -m deploy.health URL`: exit code 0 where the address answers 200 within 5 seconds, else 1 and the reason.

What containers are asked whether they are well; standard library only.
"""

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5


def main(url: str) -> int:
    """Ask once."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the address is written in the image
            return 0
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"{url} answers {error.code}: {error.read(500).decode(errors='replace')}\n")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{url} does not answer: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
