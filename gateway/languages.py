"""Which of a release's languages a caller reads, from `Accept-Language` (RFC 9110, section 12.5.4)."""

from functools import lru_cache

ENGLISH = "en"
_LONGEST_HEADER = 256


@lru_cache(maxsize=512)
def choose_language(header: str, available: tuple[str, ...]) -> str:
    """The available language the caller prefers, English where none fits.

    Args:
        header: value of `Accept-Language`, possibly empty.
        available: language tags of the release, e.g. `("en", "sw")`.
    """
    wishes = [_parse(part) for part in header[:_LONGEST_HEADER].split(",")]
    for _, tag in sorted((wish for wish in wishes if wish[0] > 0), key=lambda wish: -wish[0]):
        for candidate in (tag, tag.partition("-")[0]):
            for language in available:
                if candidate == language.lower():
                    return language
    return ENGLISH


def _parse(part: str) -> tuple[float, str]:
    """`(quality, tag)` of one entry such as `sw-KE;q=0.8`; quality 0 where it is malformed."""
    tag, _, parameter = part.partition(";")
    name, _, value = parameter.partition("=")
    try:
        quality = float(value) if name.strip() == "q" else 1.0
    except ValueError:
        quality = 0.0
    return quality, tag.strip().lower()
