"""The front process: the edge in a process of its own, and so on a processor of its own.

It listens, speaks with the clients and hands over what they send; spool, queue and relays stay
with twistd.  Where the edge knows an `IIntake`, there is a socket in between, and nothing else is
different.  Between them: `channel`, `frames`, `setup`, `converter`, `events`; there: `program`,
`intake`, `ports`; here: `service`, `process`, `server`.
"""

from .process import FrontProcess
from .service import FrontService
from .setup import Port, Setup, setup_of

__all__ = ["FrontProcess", "FrontService", "Port", "Setup", "setup_of"]
