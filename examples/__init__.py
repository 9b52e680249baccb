"""How to ask the gateway, in three languages."""
