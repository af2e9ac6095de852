"""The queue: what waits, when it is tried, and what follows."""

from .service import QueueService

__all__ = ["QueueService"]
