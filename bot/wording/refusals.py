"""What the gateway refuses, in words for the person who sent the photo."""

import client
from bot.wording.catalogue import Texts, noted

_FAULT = noted("Something went wrong on our side. Please send the photo again later.")
_BUSY = noted("Very many people are asking just now. Please send the photo again in a few minutes.")
_WORDS = {
    "/problems/upload-too-large": noted("This photo is too large for me. Send it as a photo, not as a file."),
    "/problems/image-too-large": noted("This photo is too large for me. Send it as a photo, not as a file."),
    "/problems/image-too-small": noted("This photo is too small. Take a new one, closer to the leaf."),
    "/problems/image-too-elongated": noted("This photo is too long and narrow. Take a new one and do not cut it."),
    "/problems/several-frames": noted("This file holds several pictures. Send one photo."),
    "/problems/undecodable-image": noted("This photo is damaged. Take a new one, or send it once more."),
    "/problems/unsupported-format": noted("I cannot read this kind of file. Send a normal photo."),
    "/problems/malformed-upload": noted("This photo is damaged. Take a new one, or send it once more."),
    "/problems/too-many-photos": noted("These are too many photos. Send at most 10 photos of one plant."),
    "/problems/no-usable-photo": noted("I cannot use any of these photos. Take new ones."),
    "/problems/rate-limited": noted("You have sent many photos. Wait a little, then send the next one."),
    "/problems/photo-mismatch": noted("I cannot find this photo any more."),
    "/problems/unknown-prediction": noted("I do not have this answer any more."),
    "/problems/feedback-conflict": noted("An expert has looked at this already. Thank you all the same."),
}


def refusal(error: client.GatewayError, texts: Texts) -> str:
    """Why there is no answer and what to do, by the problem's type; a general line for all that is not the person's doing."""
    if not isinstance(error, client.Refused):
        return texts.say(_FAULT)
    return texts.say(_WORDS.get(_type(error)) or (_BUSY if error.retry_after_s is not None else _FAULT))


def _type(error: client.Refused) -> str:
    """The problem's type; that of the photos, where all of a plant's photos have the same."""
    photos = error.extensions.get("photos") if error.type == "/problems/no-usable-photo" else None
    try:
        kinds = {photo["problem"]["type"] for photo in photos or []}
    except (KeyError, TypeError):
        kinds = set()
    return str(kinds.pop()) if len(kinds) == 1 else error.type
