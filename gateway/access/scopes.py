"""Scopes as they are written in the database and in tokens."""

from collections.abc import Iterable

from gateway.access.caller import Scope

_BY_NAME = {scope.value: scope for scope in Scope}


def known_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes of these names; a newer version or another service may know more, which mean nothing here."""
    return frozenset(_BY_NAME[name] for name in names if name in _BY_NAME)
