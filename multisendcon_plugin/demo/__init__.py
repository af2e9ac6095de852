"""The demonstration behind `twistd -n multisendcon --demo`.

A real relay, three real providers on loopback addresses, and a dozen mails; what arrives is told.
"""

from .service import DemoService

__all__ = ["DemoService"]
