"""Methods on the bot itself: who it is, its menus, its files, and where its updates go."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from bot_api.calls import Call
from bot_api.errors import bad_request
from bot_api.updates import Updates
from bot_api.webhook import Webhook
from bot_api.world import World

COMMAND = re.compile(r"[a-z0-9_]{1,32}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
LANGUAGE = re.compile(r"|[a-z]{2}")


async def get_me(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#getme"""
    rights = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
    return {**world.bot, **rights}


async def get_file(world: World, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#getfile"""
    stored = world.files.downloadable(call.text("file_id"))
    return {**stored.facts, "file_path": stored.path}


async def set_my_commands(world: World, call: Call) -> bool:
    """https://core.telegram.org/bots/api#setmycommands"""
    commands = call.parsed("commands")
    if not isinstance(commands, list) or len(commands) > 100:
        raise bad_request("can't parse commands: expected an Array of BotCommand")
    for command in commands:
        if not COMMAND.fullmatch(str(command.get("command", "")).removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", "")).strip()) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    world.commands[_menu(call)] = commands
    return True


async def get_my_commands(world: World, call: Call) -> list[dict[str, str]]:
    """https://core.telegram.org/bots/api#getmycommands"""
    return world.commands.get(_menu(call), [])


def _menu(call: Call) -> tuple[str, str]:
    language = call.text("language_code")
    if not LANGUAGE.fullmatch(language):
        raise bad_request("invalid language code specified")
    return json.dumps(call.parsed("scope") or {"type": "default"}, sort_keys=True), language


async def get_updates(updates: Updates, call: Call) -> list[dict[str, Any]]:
    """https://core.telegram.org/bots/api#getupdates"""
    return await updates.get(
        call.integer("offset", 0),
        call.integer("limit", 100),
        call.integer("timeout", 0),
        call.parsed("allowed_updates"),
    )


async def set_webhook(webhook: Webhook, updates: Updates, call: Call) -> bool:
    """https://core.telegram.org/bots/api#setwebhook"""
    url, secret = call.text("url"), call.text("secret_token")
    if url and urlsplit(url).scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if secret and not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    if call.flag("drop_pending_updates"):
        updates.pending.clear()
    updates.choose(call.parsed("allowed_updates"))
    await webhook.set(url, secret, call.integer("max_connections", 40))
    return True


async def delete_webhook(webhook: Webhook, updates: Updates, call: Call) -> bool:
    """https://core.telegram.org/bots/api#deletewebhook"""
    if call.flag("drop_pending_updates"):
        updates.pending.clear()
    await webhook.set("", "", 40)
    return True


async def get_webhook_info(webhook: Webhook, updates: Updates, call: Call) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#getwebhookinfo"""
    info = {"url": webhook.url, "has_custom_certificate": False, "pending_update_count": len(updates.pending)}
    if webhook.url:
        info |= {"max_connections": webhook.max_connections, "allowed_updates": list(updates.allowed)}
    return {**info, **webhook.error}
