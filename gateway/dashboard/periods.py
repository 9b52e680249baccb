"""The span of time that the dashboard looks at, cut into equal buckets of UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hours(IntEnum):
    """Lengths that can be asked for: a day, a week, thirty days."""

    DAY = 24
    WEEK = 168
    MONTH = 720


_BUCKET_HOURS = {Hours.DAY: 1, Hours.WEEK: 6, Hours.MONTH: 24}


@dataclass(frozen=True, slots=True)
class Period:
    """`count` buckets of `bucket_hours`; the last one holds now and is not over yet.

    Buckets begin at whole multiples of their length since 1970, so those of 24 hours are days of UTC.
    """

    first: int
    count: int
    bucket_hours: int

    @classmethod
    def until(cls, now: datetime, hours: Hours) -> "Period":
        """The period of this length that ends with the bucket of `now`."""
        width = _BUCKET_HOURS[hours]
        count = hours // width
        return cls(first=hour_of(now) // width - count + 1, count=count, bucket_hours=width)

    @property
    def first_hour(self) -> int:
        """First hour inside, in hours since 1970."""
        return self.first * self.bucket_hours

    @property
    def starts(self) -> list[datetime]:
        """When each bucket begins, UTC."""
        return [_EPOCH + timedelta(hours=(self.first + i) * self.bucket_hours) for i in range(self.count)]


def hour_of(moment: datetime) -> int:
    """Whole hours since 1970 in UTC, as `predictions.created_hour` counts them."""
    return (moment - _EPOCH) // timedelta(hours=1)
