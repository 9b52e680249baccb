"""A Bot API server for tests: Telegram's HTTP protocol on loopback, people to write to the bot, and faults to order.

Written from the public description of the Bot API; the words of its errors are those that bots in the field see. Webhooks
have to be https addresses, as in the field; a test says which local port stands behind such an address, in place of the proxy
that ends TLS in front of a bot.
"""
