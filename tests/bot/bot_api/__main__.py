"""`python -m bot_api --port N --token T`: the server on loopback, until SIGTERM."""

import argparse

import uvicorn

from bot_api.app import create_app


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m bot_api", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", required=True)
    given = parser.parse_args()
    uvicorn.run(
        create_app(given.token),
        host="127.0.0.1",
        port=given.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )


main()
