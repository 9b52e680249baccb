"""Whose address counts: the socket's, or the one that named proxies vouch for."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from access_app import AccessServer, access_server

from gateway.access.addresses import ClientAddresses, is_loopback, limited_address
from gateway.settings import Settings

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ff::/48"), ip_network("127.0.0.1/32"))


def _of(peer: str | None, *values: str, header: str = "X-Forwarded-For", other: str = "") -> str:
    addresses = ClientAddresses(Settings(trusted_proxies=PROXIES, forwarded_header=header))
    headers = [(header.lower().encode(), value.encode("latin-1")) for value in values]
    if other:
        headers.append((b"x-forwarded-for" if header == "Forwarded" else b"forwarded", other.encode()))
    return addresses.of({"type": "http", "client": (peer, 1) if peer is not None else None, "headers": headers})


@pytest.mark.parametrize(
    ("peer", "values", "client"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),  # not a named proxy
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),  # the left one was sent by the client
        ("10.0.0.1", ("1.1.1.1", "198.51.100.1"), "198.51.100.1"),  # in two fields
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1, 10.2.3.4",), "198.51.100.1"),  # two proxies
        ("10.0.0.1", ("10.9.9.9, 10.2.3.4",), "10.9.9.9"),
        ("10.0.0.1", ("198.51.100.1:4711",), "198.51.100.1"),
        ("10.0.0.1", (" 198.51.100.1 ",), "198.51.100.1"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("2001:db8:ff::1", ("[2001:db8:1:2:3:4:5:6]:443",), "2001:db8:1:2::/64"),
        ("2001:db8:ff::1", ("2001:db8:1:2:3:4:5:6",), "2001:db8:1:2::/64"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("unknown",), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1, garbage",), "10.0.0.1"),  # what stands left of it proves nothing
        ("10.0.0.1", ("1.1.1.1, 10.0.0.300",), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1, <script>, 10.2.3.4",), "10.2.3.4"),
        ("10.0.0.1", ("1.1.1.1,",), "10.0.0.1"),
        ("10.0.0.1", ("\xff\xfe, \x00",), "10.0.0.1"),
        ("10.0.0.1", ("0x7f.1", "127.1"), "10.0.0.1"),
        ("10.0.0.1", (",".join(["10.1.1.1"] * 5000),), "10.1.1.1"),
        ("", ("198.51.100.1",), "unknown"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
def test_x_forwarded_for(peer: str | None, values: tuple[str, ...], client: str) -> None:
    assert _of(peer, *values, other="for=9.9.9.9") == client


@pytest.mark.parametrize(
    ("values", "client"),
    [
        (("for=198.51.100.1",), "198.51.100.1"),
        (("For=198.51.100.1;proto=https;by=10.0.0.1",), "198.51.100.1"),
        (("by=10.0.0.1; for = 198.51.100.1",), "198.51.100.1"),
        (("for=1.1.1.1, for=198.51.100.1;host=leaf.example.org",), "198.51.100.1"),
        (('for="198.51.100.1:4711"',), "198.51.100.1"),
        (('for="[2001:db8:1:2::6]:4711";proto=https',), "2001:db8:1:2::/64"),
        (("for=1.1.1.1", "for=198.51.100.1, for=10.3.3.3"), "198.51.100.1"),
        (("for=unknown",), "10.0.0.1"),
        (("for=_hidden, for=_gateway",), "10.0.0.1"),
        (("for=1.1.1.1, proto=https",), "10.0.0.1"),
        (("for=1.1.1.1;for=2.2.2.2",), "10.0.0.1"),
        (('for="1.1.1.1, for=2.2.2.2',), "10.0.0.1"),  # a quote that the client left open
        (('for="x, for=1.1.1.1", for=198.51.100.1',), "198.51.100.1"),
        (('host="a;for=1.1.1.1"',), "10.0.0.1"),
        (('",' * 20_000,), "10.0.0.1"),
    ],
)
def test_forwarded(values: tuple[str, ...], client: str) -> None:
    assert _of("10.0.0.1", *values, header="Forwarded", other="9.9.9.9") == client


def test_addresses_are_limited_by_subscriber() -> None:
    assert limited_address("2001:db8::1") == limited_address("2001:db8::ffff:1") == "2001:db8::/64"
    assert limited_address("2001:db8:0:1::1") != limited_address("2001:db8::1")
    assert limited_address("fe80::1%eth0") == "fe80::/64"
    assert limited_address("::1") == "::1"


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1")))
    assert not any(
        map(is_loopback, ("0.0.0.0", "::", "", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org"))
    )


def _fail(server: AccessServer, forwarded: str) -> int:
    with server.client("127.0.0.2", X_Forwarded_For=forwarded, X_API_Key="leaf_wrong") as client:
        return client.post("/predict").status_code


def test_a_smuggled_address_does_not_evade_a_limit(tmp_path: Path) -> None:
    with access_server(tmp_path, auth_failure_limit="3/minute") as server:
        assert [_fail(server, f"198.51.100.{n}") for n in range(5)] == [401, 401, 401, 429, 429]
    with access_server(tmp_path, auth_failure_limit="3/minute", trusted_proxies="127.0.0.1") as server:
        assert [_fail(server, f"198.51.100.{n}") for n in range(5)] == [401, 401, 401, 429, 429]
    with access_server(tmp_path, auth_failure_limit="3/minute", trusted_proxies="127.0.0.2") as server:
        smuggled = [_fail(server, f"1.1.1.{n}, 198.51.100.1") for n in range(5)]
        assert smuggled == [401, 401, 401, 429, 429]
        assert _fail(server, "198.51.100.2") == 401
        network = [_fail(server, f"2001:db8::{n:x}") for n in range(5)]
        assert network == [401, 401, 401, 429, 429]
        assert _fail(server, "2001:db8:0:1::1") == 401


def test_a_proxy_that_is_no_network_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies="my-proxy")
