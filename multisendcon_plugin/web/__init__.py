"""HTTP: the API over `operations`, on the control socket."""

from .control import ControlService

__all__ = ["ControlService"]
