"""The queue: what waits, when it is tried, and what follows."""

from .policy import QueuePolicy
from .service import QueueService

__all__ = ["QueuePolicy", "QueueService"]
