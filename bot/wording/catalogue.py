"""The catalogues in `bot/texts`: gettext's .po files, read by Babel once at start.

The ids are the English sentences; where a short one could mean two things it has a context. English has a file too, for its
plurals and its list of texts.
"""

import gettext
import io
from html import escape
from pathlib import Path
from typing import Self

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_percent

LANGUAGES: tuple[str, ...] = ("en", "fr", "pt", "sw", "ha", "yo")
_ENGLISH = LANGUAGES[0]
LOCALES = Path(__file__).parents[1] / "texts" / "locales"


def noted(message: str) -> str:
    """The same message; marks a text that stands in a table and is said later."""
    return message


class Texts:
    """The texts in one language; all of them are Telegram's HTML, and every value is escaped.

    Attributes:
        language: tag such as `sw`.
    """

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language = language
        self._translations = translations

    def say(self, message: str, /, **values: object) -> str:
        """The message in this language, its {placeholders} replaced."""
        return _filled(self._translations.gettext(message), values)

    def say_as(self, context: str, message: str, /, **values: object) -> str:
        """The same for a short message that means different things in different places."""
        return _filled(self._translations.pgettext(context, message), values)

    def say_count(self, one: str, many: str, count: int, /, **values: object) -> str:
        """The form that this language has for `count`, which is a placeholder itself."""
        return _filled(self._translations.ngettext(one, many, count), {**values, "count": count})

    def percent(self, share: float) -> str:
        """A probability in whole percent, as this language writes it; never 0 or 100, as nothing is that sure."""
        return format_percent(min(0.99, max(0.01, round(share, 2))), locale=self.language)


class Catalogue:
    """All languages."""

    def __init__(self, texts: dict[str, Texts]) -> None:
        self._texts = texts

    @classmethod
    def load(cls) -> Self:
        """Read every language's file; translations that nobody has reviewed (`fuzzy`) are used all the same."""
        return cls({language: Texts(language, _translations(language)) for language in LANGUAGES})

    def texts(self, language_tag: str | None) -> Texts:
        """The texts for an IETF tag such as `pt-BR`; English where the language is not there."""
        language = (language_tag or "").replace("_", "-").partition("-")[0].lower()
        return self._texts.get(language, self._texts[_ENGLISH])

    @staticmethod
    def name(language: str) -> str:
        """The language's name in the language itself, e.g. `Kiswahili`."""
        own = Locale(language).get_display_name() or language
        return own[0].upper() + own[1:]


def _translations(language: str) -> gettext.GNUTranslations:
    with (LOCALES / language / "LC_MESSAGES" / "bot.po").open("rb") as file:
        catalog = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalog, use_fuzzy=True)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _filled(message: str, values: dict[str, object]) -> str:
    return message.format(**{name: escape(str(value), quote=False) for name, value in values.items()})
