"""Ten conversations with the bot, as a person sees them: `make transcripts` writes docs/conversations.md."""
