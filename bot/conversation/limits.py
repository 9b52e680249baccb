"""How many photos a person may send: counted before any work, told once."""

from math import ceil

from telegram import Message, User

from bot.conversation.services import Services
from bot.inbox.store import Admission, Case
from bot.wording.catalogue import Texts
from bot.wording.lines import too_many

_MINUTE_S = 60


async def admit(services: Services, case: Case, message: Message, asker: User, texts: Texts) -> bool:
    """Whether the case's photos may be looked at; the first time that they may not, the person is told."""
    settings = services.settings
    person = services.hashes.user(asker.id)
    admission = await services.inbox.admit(case, person, settings.photos, settings.photos_window_s)
    if admission is Admission.REFUSED:
        await services.chat.reply(message, too_many(ceil(settings.photos_window_s / _MINUTE_S), texts))
    return admission is Admission.GRANTED
