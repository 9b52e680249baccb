"""How the load generator's clients ask over HTTP, of a server that ends connections as it likes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.targets import HttpTarget

PHOTO = b"photo"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"probabilities": [1]}'


@dataclass
class Server:
    """`ended` counts connections that it has closed."""

    target: HttpTarget
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def server(*connections: str) -> Iterator[Server]:
    """One that treats connections in turn: `a` answers a photo, `-` takes one and says nothing; then it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        server = Server(HttpTarget(listening.getsockname()[1], timeout_s=5))

        def serve() -> None:
            for acts in connections:
                with listening.accept()[0] as connection, connection.makefile("rb") as stream:
                    for act in acts:
                        while stream.readline().strip():
                            pass
                        stream.read(len(PHOTO))
                        if act == "a":
                            connection.sendall(ANSWER)
                server.ended.release()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server
        thread.join(5)


def test_a_connection_that_was_ended_while_idle_is_opened_again() -> None:
    with server("aa", "a") as running:
        client = running.target.connect()
        assert [client.ask(PHOTO).status for _ in range(2)] == [200, 200]
        assert running.ended.acquire(timeout=5)
        assert client.ask(PHOTO).status == 200
        client.close()


def test_a_photo_that_is_lost_with_its_connection_is_not_sent_again() -> None:
    with server("a-", "a") as running:
        client = running.target.connect()
        assert [client.ask(PHOTO).status for _ in range(3)] == [200, 0, 200]
        client.close()
