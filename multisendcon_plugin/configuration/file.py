"""Reads the configuration file, and what it names on this machine: files, programs, and so on.

The only module of this room that looks at the machine.  The text of a secret is never part of a
fault.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import attrs
from OpenSSL import SSL

from ..errors import ConfigurationError
from ..settings import command, files
from ..settings.certificate import can_sign_assertions
from ..settings.ciphers import with_certificates
from ..settings.hostname import own_hostname
from ..settings.permissions import check_closed
from ..settings.surroundings import Surroundings
from ..settings.words import InvalidValueError, shown
from . import reading
from .configuration import Configuration


def load(path: str | os.PathLike[str]) -> Configuration:
    """Read a configuration file.

    Relative paths in it start at the folder of the file.

    :raise ConfigurationError: with every fault of the file; also when it cannot be read.
    """
    origin = os.fspath(path)
    _check_file(origin)
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{origin}: cannot be read: {files.reason(error)}"]) from None
    try:
        # Some editors begin UTF-8 with a byte order mark, which TOML does not know.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fault = f"{origin}, line {line}: is not UTF-8; save the file in this encoding"
        raise ConfigurationError([fault]) from None
    return _of_file(text, origin)


def load_text(text: str, path: str) -> Configuration:
    """Read a text as though it were that of a file, which is there, and has another one.

    :raise ConfigurationError: with every fault that the file would have.
    """
    _check_file(path)
    return _of_file(text, path)


def _check_file(path: str) -> None:
    """See that nobody can write to a file who must not.

    :raise ConfigurationError: somebody can.
    """
    try:
        check_closed(path, "it")
    except InvalidValueError as invalid:
        raise ConfigurationError([f"{path}: {reason}" for reason in invalid.args]) from None
    except ValueError as error:
        raise ConfigurationError([f"{path}: cannot be read: {files.reason(error)}"]) from None


def _of_file(text: str, path: str) -> Configuration:
    absolute = Path(path).absolute()
    configuration = reading.parse(text, path, ThisMachine(absolute.parent))
    return attrs.evolve(configuration, path=str(absolute), text=text)


def parse(
    text: str, origin: str = "configuration", surroundings: Surroundings | None = None
) -> Configuration:
    """Read a configuration from its text.

    :param origin: stands at the start of each fault.
    :param surroundings: answers for what the text only names; by default this machine, with
        relative paths from the current folder.
    :raise ConfigurationError: with every fault of the text.
    """
    return reading.parse(text, origin, surroundings or ThisMachine(Path.cwd()))


@attrs.frozen
class ThisMachine(Surroundings):
    """The files, environment and credentials of this process.

    :param folder: where relative paths start; absolute, as the process may change its own folder.
    """

    folder: Path
    _concealed: set[str] = attrs.field(factory=set, init=False, eq=False)

    def hostname(self) -> str:
        """Return the name of this machine."""
        return own_hostname()

    def path(self, path: str) -> str:
        """Return the absolute path."""
        return str(self.folder / path)

    def real_folder(self, path: str) -> str:
        """Return the absolute path of a folder that need not exist, but is no link."""
        absolute = self.path(path)
        if Path(absolute).is_symlink():
            raise InvalidValueError(
                f"{shown(path)} is a link, which somebody may turn elsewhere; write the real path:"
                f" {shown(os.path.realpath(absolute))}"
            )
        return absolute

    def check_folder(self, path: str) -> None:
        """Look at a folder that need not exist."""
        check_closed(self.path(path), f"the folder {shown(path)}")

    def readable(self, path: str) -> str:
        """Return the absolute path of a file that can be read."""
        self._first_line(path, f"the file {shown(path)}")
        return self.path(path)

    def text(self, path: str) -> str:
        """Return the text of a file."""
        what = f"the file {shown(path)}"
        content = files.content(self.path(path), what)
        # Read first: that a file is not there, or is not ours to read, is the clearer fault.
        check_closed(self.path(path), what)
        return files.text(content, what)

    def is_file(self, path: str) -> bool:
        """Tell whether a path is that of a regular file."""
        return Path(self.path(path)).is_file()

    def check_certificate(self, certificate: str, key: str | None) -> None:
        """Look whether TLS can be spoken with the files."""
        files.read_certificate(certificate, key)

    def check_signer(self, certificate: str, key: str | None) -> None:
        """Look whether the files can sign assertions for tokens."""
        if not can_sign_assertions(files.read_certificate(certificate, key).key):
            raise InvalidValueError(
                "its private key cannot sign for tokens (PS256); make a certificate with an RSA key"
                " of 2048 bits or more"
            )

    def check_ciphers(self, words: str) -> None:
        """Look whether OpenSSL takes a list of ciphers, and finds one that we use."""
        try:
            SSL.Context(SSL.TLS_CLIENT_METHOD).set_cipher_list(with_certificates(words))
        except (SSL.Error, UnicodeEncodeError):
            raise InvalidValueError(
                f"{shown(words)} is not a list of ciphers, or has none with certificates; see"
                ' "openssl ciphers -v", and write for example "ECDHE+AES"'
            ) from None

    def check_module(self, name: str, extra: str, library: str = "") -> None:
        """Look whether a module of Python is installed; nothing of it is run."""
        if find_spec(name) is None:
            raise InvalidValueError(
                f"needs {library or name}, which is not installed;"
                f" run: pip install 'multisendcon[{extra}]'"
            )

    def secret_file(self, path: str) -> str:
        """Return the first line of a file."""
        return self._first_line_of_text(path, f"the file {shown(path)}")

    def conceal(self, variables: Iterable[str]) -> None:
        """Give these environment variables to no program."""
        self._concealed.update(variables)

    def secret_variable(self, name: str) -> str:
        """Return an environment variable."""
        try:
            return os.environ[name]
        except KeyError:
            raise InvalidValueError(f"the environment variable {shown(name)} is not set") from None

    def secret_command(self, arguments: tuple[str, ...]) -> str:
        """Return the first line of what a program writes; blocks until it has ended."""
        program, *others = arguments
        if "/" in program:
            program = self.path(program)
        line = command.first_line([program, *others], self._concealed)
        return files.text(line, f"what {shown(program)} writes")

    def secret_credential(self, name: str) -> str:
        """Return a credential of systemd.exec(5), from ``$CREDENTIALS_DIRECTORY``."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise InvalidValueError(
                f"there is no credential {shown(name)}: $CREDENTIALS_DIRECTORY is not set, because"
                " systemd sets it only for a service with LoadCredential="
            )
        if name != Path(name).name:
            raise InvalidValueError(
                f"{shown(name)} is not the name of a credential; write it without a path"
            )
        return self._first_line_of_text(f"{folder}/{name}", f"the credential {shown(name)}")

    def _first_line_of_text(self, path: str, what: str) -> str:
        return files.text(self._first_line(path, what), what)

    def _first_line(self, path: str, what: str) -> bytes:
        try:
            with Path(self.path(path)).open("rb") as file:
                line = file.readline().rstrip(b"\r\n")
        except (OSError, ValueError) as error:
            raise InvalidValueError(f"{what} cannot be read: {files.reason(error)}") from None
        check_closed(self.path(path), what)
        return line
