"""The socket the gateway listens on: bound before anything is served, and closed without cutting anybody off."""

import ctypes
import socket
import struct

import structlog

from gateway.errors import AddressTakenError

log = structlog.get_logger()

_SO_ATTACH_FILTER = 26  # absent from Python's socket module
_FLAGS_OFFSET, _SYN, _SYN_AND_ACK = 13, 0x02, 0x12  # of a TCP header
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06  # classic BPF
_DROP_OPENING_PACKETS = (
    (_LOAD_BYTE, 0, 0, _FLAGS_OFFSET),
    (_AND, 0, 0, _SYN_AND_ACK),
    (_JUMP_IF_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 0xFFFFFFFF),
)


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address; the server listens on it once it is ready to answer.

    Raises:
        AddressTakenError: it is taken, or not an address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise AddressTakenError(
            f"The gateway cannot listen on {host}:{port} ({error.strerror}): stop the other process, or choose another "
            "GATEWAY_PORT or GATEWAY_HOST."
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def admit_no_more(listener: socket.socket) -> None:
    """Have the kernel ignore whoever wants to connect from now on, in every process that shares the socket.

    Connections that wait to be accepted would be reset when the socket is closed, and under load there always are some. Once
    nobody joins them, they can be accepted first. Who was ignored asks again within a second, and is refused plainly by then.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_OPENING_PACKETS))
    description = struct.pack("HP", len(_DROP_OPENING_PACKETS), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, description)
    except OSError as error:  # another system than Linux: the end is a little less gentle
        log.debug("new connections are not held off", reason=str(error))
