"""A door in front of a server: while it is shut nobody answers there, as when the server is down."""

import contextlib
import socket
import threading

from processes import free_ports


class Door:
    """Passes connections on to a local port; shut at first. Shutting it breaks what is open."""

    def __init__(self, leads_to: int) -> None:
        self._leads_to = leads_to
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        (self.port,) = free_ports(1)

    @property
    def url(self) -> str:
        """Where callers knock."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Let everybody in from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._let_in, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse everybody, and break off whoever is inside."""
        for one in (self._listener, *self._open):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._listener, self._open = None, []

    def _let_in(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._leads_to))
                self._open += [caller, server]
                for one, other in ((caller, server), (server, caller)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
