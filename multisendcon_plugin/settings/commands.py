"""The commands that messages tell an admin to run, as they can be pasted into a shell.  Pure."""

from __future__ import annotations

import shlex


def account_test(name: str) -> str:
    """Return the command that finds out what is wrong with an account, and says what to do."""
    return f"multisendcon account test {shlex.quote(name)}"


def account_login(name: str) -> str:
    """Return the command by which somebody signs in for an account."""
    return f"multisendcon account login {shlex.quote(name)}"
