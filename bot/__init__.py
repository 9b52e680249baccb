"""A Telegram bot: leaf photos in, the gateway's diagnoses out, in the farmer's language."""
