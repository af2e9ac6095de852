"""The logins of accounts: passwords and tokens, wherever they are kept or got."""

from __future__ import annotations

from .logins import Logins
from .standing import LoginStanding

__all__ = ["LoginStanding", "Logins"]
