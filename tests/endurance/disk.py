"""A disk whose power can be cut: ext4 in an image file, mounted by a loop device."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from tests.interop.programs import run

_MIB = 1024 * 1024
#: FS_IOC_SHUTDOWN of the kernel's fs.h, and its way that does not even write the journal.
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, struct.pack("I", 2)


class CannotMountError(Exception):
    """Such a disk is not possible here."""


class Disk:
    """The disk; it is mounted for as long as the block in which it is used.

    :param image: its file; made when it is missing.
    :param folder: where it is mounted.
    """

    def __init__(self, image, folder):
        self.image = Path(image)
        self.folder = Path(folder)

    def __enter__(self):
        if not self.image.exists():
            with self.image.open("wb") as file:
                file.truncate(512 * _MIB)
            _run("mkfs.ext4", "-q", "-F", self.image)
        self.folder.mkdir(parents=True)
        # By itself the file system writes its journal every ten minutes: only fsync counts.
        _run("mount", "-o", "loop,commit=600", self.image, self.folder)
        return self

    def __exit__(self, *_):
        # Lazy: it cannot fail, and the loop device goes with the mount.
        _run("umount", "--lazy", self.folder)

    def cut_power(self):
        """Stop all that goes from the file system to the image, as it is at this moment."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(folder)

    def copy(self, image):
        """Copy what is in the image, not what the file system would still write to it."""
        _run("cp", "--sparse=always", self.image, image)


def _run(*command):
    try:
        done = run(*command)
    except FileNotFoundError as error:
        raise CannotMountError(str(error)) from error
    if done.returncode:
        raise CannotMountError(f"{command[0]}: {done.stdout.strip()}")
