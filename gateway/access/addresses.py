"""Where a request comes from, when proxies stand between: only proxies that are named may say so."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

from gateway.settings import Settings

_MAX_HOPS = 32
_OF_PROXIES = frozenset({b"forwarded", b"via", b"x-real-ip"})
_FORWARDED_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^;"\s]+)\s*(?=;|$)', re.IGNORECASE)
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?")


class ClientAddresses:
    """Finds the client of a request: the socket's peer, or whom the named proxies name."""

    def __init__(self, settings: Settings) -> None:
        self._proxies = settings.trusted_proxies
        self._field = settings.forwarded_header.lower().encode()

    def of(self, scope: Scope) -> str:
        """The address that is limited and recorded, as `limited_address` writes it; `unknown` without a socket address.

        The named field is read from the right, where the nearest proxy wrote, and only as far as named proxies vouch for
        it. What is unreadable ends the walk: the last proxy that could be read counts as the client.
        """
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._proxies:
            return limited_address(peer)
        address = _parsed(peer)
        if address is None or not _within(address, self._proxies):
            return limited_address(peer)
        values = [value for name, value in scope["headers"] if name == self._field]
        for hop in _hops_from_the_right(self._field, values):
            named = _parsed(hop)
            if named is None:
                break
            address = named
            if not _within(named, self._proxies):
                break
        return limited_address(str(address))


def shows_proxy(scope: Scope) -> bool:
    """Whether some proxy, trusted or not, says that it stands between; one that says nothing is not noticed."""
    return any(name in _OF_PROXIES or name.startswith(b"x-forwarded-") for name, _ in scope["headers"])


@lru_cache(maxsize=4096)
def limited_address(text: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address: one subscriber has a whole one."""
    address = _parsed(text)
    if address is None:
        return "unknown"
    if isinstance(address, IPv4Address) or address.is_loopback:
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`, be it an address or `localhost`."""
    address = _parsed(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _hops_from_the_right(field: bytes, values: Iterable[bytes]) -> Iterator[str]:
    text = ",".join(value.decode("latin-1") for value in values)
    if field == b"x-forwarded-for":
        yield from reversed(text.split(",")[-_MAX_HOPS:])
        return
    for element in reversed(_split_outside_quotes(text)[-_MAX_HOPS:]):
        found = _FORWARDED_FOR.findall(element)
        yield found[0].strip('"') if len(found) == 1 else ""


def _split_outside_quotes(text: str) -> list[str]:
    """The elements between commas; where a quote is left open the elements make no sense, and none names a client."""
    elements = [""]
    for index, part in enumerate(text.split('"')):
        if index % 2:
            elements[-1] += f'"{part}"'
        else:
            first, *others = part.split(",")
            elements[-1] += first
            elements += others
    return elements if text.count('"') % 2 == 0 else [""]


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """The address in `text`, with or without a port; IPv4 inside IPv6 is IPv4; None where there is none."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _within(address: IPv4Address | IPv6Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
