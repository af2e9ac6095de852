"""What watches a relay: what is counted, alarms and who is told of them, health, metrics.

It looks at the parts of the relay, and is known to none of them: a mail waits for nothing here.
"""

from .monitoring import Monitoring

__all__ = ["Monitoring"]
