"""The demonstration behind `twistd -n multisendcon --demo`.

A real relay, three mail servers on loopback addresses, and a dozen mails; it prints what arrives.
"""

from .service import DemoService

__all__ = ["DemoService"]
