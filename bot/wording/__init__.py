"""What the bot says: words from the catalogues in `bot/texts`, buttons, and the marked picture. Pure, but for reading them."""
