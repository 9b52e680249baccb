"""How the load generator's clients ask over HTTP, of a server that ends connections as it likes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.targets import HttpTarget

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"probabilities": [1]}'


@contextmanager
def server(answers: list[int]) -> Iterator[HttpTarget]:
    """One that answers so many photos on each connection in turn, and then hangs up on the next."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)

        def serve() -> None:
            for count in answers:
                with listening.accept()[0] as connection, connection.makefile("rb") as stream:
                    for _ in range(count):
                        while stream.readline().strip():
                            pass
                        stream.read(5)
                        connection.sendall(ANSWER)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield HttpTarget(listening.getsockname()[1], timeout_s=5)
        thread.join(5)


def test_a_connection_that_was_ended_while_idle_is_opened_again() -> None:
    with server([2, 1]) as target:
        client = target.connect()
        assert [client.ask(b"photo").status for _ in range(3)] == [200, 200, 200]
        client.close()


def test_a_server_that_hangs_up_on_new_connections_gives_no_answer() -> None:
    with server([1, 0, 0]) as target:
        client = target.connect()
        assert [client.ask(b"photo").status for _ in range(3)] == [200, 0, 0]
        client.close()
