"""Logins by token with real programs: an OpenID provider, and a mail server that asks it."""
