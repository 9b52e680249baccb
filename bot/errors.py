"""What can go wrong in the bot, beside what `client` and `telegram` raise themselves.

BotError
├── StartError                     the bot cannot start, or a command cannot run; one sentence that says what to do
│   ├── MisconfiguredError              a setting, or a file that it names, is not usable
│   │   ├── InvalidTokenError           no token, or none that Telegram knows
│   │   └── InvalidDatabaseUrlError     not a database that is known, or no driver for it
│   ├── DatabaseUnreachableError        no connection, or no right to create tables
│   ├── NewerDatabaseError              written by a newer version
│   └── AlreadyRunningError             another bot works on the same data
├── FileError                      a file of Telegram's cannot be had
│   ├── FileTooLargeError               more bytes than bots may download
│   ├── FileGoneError                   Telegram does not hand it out
│   └── FileUnreachableError            Telegram does not answer, which may pass
└── NotEditableError               a message of the bot's cannot become what it should
    ├── MessageGoneError                somebody has deleted it
    └── MessageIsPictureError           Telegram turns no picture into a text
"""


class BotError(Exception):
    """Any failure of the bot's own."""


class StartError(BotError):
    """The bot cannot start, or a command cannot run; the message says what to do."""


class MisconfiguredError(StartError):
    """A setting, or a file that it names, is not usable."""


class InvalidTokenError(MisconfiguredError):
    """No token, or none that Telegram knows."""


class InvalidDatabaseUrlError(MisconfiguredError):
    """Not the URL of a database that is known, or the driver for it is missing."""


class DatabaseUnreachableError(StartError):
    """No connection to the database, or its user may not do what is needed."""


class NewerDatabaseError(StartError):
    """The database was written by a newer version of the bot."""


class AlreadyRunningError(StartError):
    """Another bot works on the same data; two would answer everything twice."""


class FileError(BotError):
    """A file of Telegram's cannot be had."""


class FileTooLargeError(FileError):
    """More bytes than bots may download."""


class FileGoneError(FileError):
    """Telegram does not hand it out, or not any more."""


class FileUnreachableError(FileError):
    """Telegram does not answer, which may pass."""


class NotEditableError(BotError):
    """A message of the bot's cannot become what it should."""


class MessageGoneError(NotEditableError):
    """It is not there any more."""


class MessageIsPictureError(NotEditableError):
    """It is a picture already, which Telegram turns into no text."""
