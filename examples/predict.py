"""Diagnose one plant from one or more photos: python -m examples.predict PHOTO [PHOTO ...]   (GATEWAY_URL, GATEWAY_KEY)."""

import asyncio
import os
import sys
from pathlib import Path

from client import GatewayClient, GatewayError


async def main(files: list[Path]) -> int:
    """Print the diagnosis; exit code 1 where there is none."""
    url, key = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8080"), os.environ.get("GATEWAY_KEY")
    async with GatewayClient(url, key=key) as gateway:
        try:
            answer = await gateway.diagnose([(file.name, file.read_bytes()) for file in files], language="en")
        except GatewayError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    sys.stdout.write(
        f"{answer['decision']}: {answer['class_name']}, {answer['confidence']:.0%}\n{answer['advice'] or ''}\n"
    )
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main([Path(name) for name in sys.argv[1:]])))
