"""Who is asking: the one fact that limits, records and routes share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Scope(StrEnum):
    """What a caller may do beyond reading public facts."""

    PREDICT = "predict"
    """Send photos, give feedback on and delete what was answered to oneself."""
    DELEGATE = "delegate"
    """Act for end users named by `X-End-User`."""
    REVIEW = "review"
    """Read the dashboard, confirm corrections."""
    ADMIN = "admin"
    """Delete anybody's predictions, move releases."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of one request, established from its credentials.

    Attributes:
        kind: `open` (a gateway without keys), API `key`, JWT `token`, or the public `page`.
        subject: owner of the key, which stays when the key is replaced, the token's `sub`, or a constant for `open` and `page`.
        scopes: what it may do.
        address: of the client, behind the proxies that are named in the settings.
        end_user: keyed hash (hex) of `X-End-User`, never the header itself; None where nobody was named.
    """

    kind: Literal["open", "key", "token", "page"]
    subject: str
    scopes: frozenset[Scope]
    address: str
    end_user: str | None = None

    @property
    def identity(self) -> str:
        """What limits and routes count: the end user, else the subject, else the address where nobody is named."""
        if self.end_user is not None:
            return f"{self.kind}:{self.subject}:{self.end_user}"
        if self.kind in ("open", "page"):
            return f"{self.kind}:{self.address}"
        return f"{self.kind}:{self.subject}"
