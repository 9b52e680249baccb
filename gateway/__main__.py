"""`python -m gateway`: serve the application with uvicorn until SIGINT or SIGTERM."""

import uvicorn

from gateway.app import create_app
from gateway.logs import configure_logs
from gateway.settings import load_settings


def main() -> None:
    """Read the settings from the environment and serve."""
    settings = load_settings()
    configure_logs(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,  # configure_logs() already owns the root logger
        access_log=False,  # the request middleware writes one line per request, with its id
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )


if __name__ == "__main__":
    main()
