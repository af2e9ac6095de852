"""What a configuration names but does not hold: files, variables, credentials, the machine.

A contract only: `Asking` kinds ask, the module ``file`` of the reader answers for this machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Surroundings(Protocol):
    """Answers the questions of the reader; each may raise `InvalidValueError` instead.

    No file or folder is good that everyone on the machine can change.
    """

    def hostname(self) -> str:
        """Return the name of this machine; nobody else is asked for it."""

    def path(self, path: str) -> str:
        """Return a path that stays true when the process changes its folder."""

    def real_folder(self, path: str) -> str:
        """Return the same for a folder that need not exist, but is no link."""

    def check_folder(self, path: str) -> None:
        """Look at a folder that need not exist."""

    def readable(self, path: str) -> str:
        """Return the same for a file that can be read now."""

    def text(self, path: str) -> str:
        """Return the text of a file."""

    def is_file(self, path: str) -> bool:
        """Tell whether a path is that of a file which can be read any number of times."""

    def check_certificate(self, certificate: str, key: str | None) -> None:
        """Look whether TLS can be spoken with the files; without a key, it is in the first."""

    def check_signer(self, certificate: str, key: str | None) -> None:
        """Look whether the files can sign assertions for tokens (RS256, PS256: with RSA)."""

    def check_ciphers(self, words: str) -> None:
        """Look whether OpenSSL takes a list of ciphers."""

    def check_module(self, name: str, extra: str, library: str = "") -> None:
        """Look whether a module of Python is installed, which an extra of ours brings.

        :param library: what has the module, if that has another name.
        """

    def secret_file(self, path: str) -> str:
        """Return the first line of a file, without its line end."""

    def conceal(self, variables: Iterable[str]) -> None:
        """Give these environment variables, which are secrets, to no program."""

    def secret_variable(self, name: str) -> str:
        """Return an environment variable."""

    def secret_command(self, arguments: tuple[str, ...]) -> str:
        """Return the first line of what a program writes; blocks until it has ended."""

    def secret_credential(self, name: str) -> str:
        """Return the first line of a credential that systemd hands to the service."""
