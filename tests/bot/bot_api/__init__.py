"""A Bot API server for tests: Telegram's HTTP protocol on loopback, people to write to the bot, and faults to order.

Written from the public description of the Bot API; the words of its errors are those that bots in the field see. Where the real
server forbids what a test on one machine needs, it behaves as that server does with `--local`: webhooks may be plain HTTP on
loopback. Files keep the limits of the hosted service.
"""
