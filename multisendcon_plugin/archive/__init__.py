"""Copies of outgoing mail, as it was sent; never in the way of the mail."""

from .archive import Archive

__all__ = ["Archive"]
