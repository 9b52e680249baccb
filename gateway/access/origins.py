"""Whether a browser sent a request from this gateway's own page."""

from urllib.parse import urlsplit

from starlette.requests import Request

from gateway.access.addresses import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}


def same_origin(request: Request) -> bool:
    """By `Sec-Fetch-Site`, which no page can forge; where a browser lacks it, by `Origin` or `Referer` against `Host`.

    A proxy in front must pass `Host` on. The scheme is not compared: behind TLS termination it is not known here.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    source = request.headers.get("origin") or request.headers.get("referer") or ""
    return _is_host(source, request.headers.get("host", ""))


def _is_host(source: str, host: str) -> bool:
    try:
        parts = urlsplit(source)
        here = urlsplit(f"{parts.scheme}://{host}")
        default = _DEFAULT_PORTS.get(parts.scheme)
        return (
            default is not None
            and bool(parts.hostname)
            and parts.hostname == here.hostname
            and (parts.port or default) == (here.port or default)
        )
    except ValueError:  # a port or an IPv6 address that is none
        return False


def is_local(request: Request) -> bool:
    """Whether the address that was asked is this machine's and no other site's page asks.

    A stranger's page can reach a gateway on loopback from its visitor's browser, under a name of its own (DNS rebinding) too.
    """
    host = request.headers.get("host", "")
    try:
        local = is_loopback(urlsplit(f"http://{host}").hostname or "")
    except ValueError:
        return False
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = request.headers.get("origin")
    return local and (origin is None or _is_host(origin, host))
