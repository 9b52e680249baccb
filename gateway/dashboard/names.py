"""What can be asked of the charts."""

from enum import StrEnum


class ThemeName(StrEnum):
    """What the reader's screen is set to."""

    LIGHT = "light"
    DARK = "dark"


class ChartSize(StrEnum):
    """Width that the letters are made for: a phone's or a card's on a desk."""

    NARROW = "narrow"
    WIDE = "wide"


class ChartName(StrEnum):
    """What can be drawn."""

    VOLUME = "volume"
    DECISIONS = "decisions"
    REJECTED = "rejected"
    CLASSES = "classes"
    CONFIDENCE = "confidence"
    LATENCY = "latency"
    STAGES = "stages"
    RELEASES = "releases"
    FEEDBACK = "feedback"
