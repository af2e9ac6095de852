"""The settings of what is done beside the mail: log, history, archive, metrics and alarms.

As in `values`: each key is declared here and nowhere else.  Pure.
"""

from __future__ import annotations

import enum

import attrs

from . import kinds, names, quantities
from .keys import key
from .quantities import DAY, GIB, HOUR


class LogFormat(enum.Enum):
    """How lines of the log are written."""

    TEXT = "text"
    JSON = "json"


@attrs.frozen(kw_only=True)
class LogSettings:
    """``[log]``: how the log is written."""

    format: LogFormat = key(
        kinds.choice(LogFormat),
        default=LogFormat.TEXT,
        doc="How lines of the log are written: as text for people, or one JSON object a line.",
    )


@attrs.frozen(kw_only=True)
class HistorySettings:
    """``[history]``: what is remembered of mails."""

    keep: float = key(
        quantities.duration,
        default=7 * DAY,
        doc="For how long it is remembered what became of each mail; 0: not at all.",
    )
    subjects: bool = key(
        quantities.flag,
        default=True,
        doc="Whether the subjects of mails are remembered, too.",
    )


@attrs.frozen(kw_only=True)
class ArchiveSettings:
    """``[archive]``: copies of what was sent by the accounts that have ``archive = true``."""

    path: str | None = key(
        kinds.folder,
        default=None,
        doc="The folder for copies of outgoing mail; unset: no account archives.",
    )
    keep: float = key(
        quantities.positive_duration,
        default=30 * DAY,
        doc="For how long the copies are kept.",
    )
    max_size: int = key(
        quantities.size,
        default=10 * GIB,
        doc="The room that all copies together may take; beyond that, the oldest day is deleted.",
    )


@attrs.frozen(kw_only=True)
class MetricsSettings:
    """``[metrics]``: figures for Prometheus; the table switches them on."""

    listen: tuple[str, ...] = key(
        kinds.listed(names.endpoint),
        default=("tcp:port=2581:interface=127.0.0.1",),
        doc="Where /metrics, /healthz and /readyz are served, as server endpoint strings of"
        " Twisted.",
    )


@attrs.frozen(kw_only=True)
class AlarmSettings:
    """``[alarm]``: who is told when something needs an admin."""

    command: tuple[str, ...] | None = key(
        kinds.listed(kinds.text),
        default=None,
        doc="A program with its arguments that gets each alarm as JSON on its standard input;"
        " unset: none.",
    )
    webhook: str | None = key(
        names.web_address,
        default=None,
        doc="An address to which each alarm is sent as JSON by HTTP POST; unset: none.",
        secret=True,
    )
    oldest_mail: float = key(
        quantities.duration,
        default=1 * HOUR,
        doc="An alarm is raised when a mail waits for longer than this; 0: never.",
    )
    repeat: float = key(
        quantities.positive_duration,
        default=6 * HOUR,
        doc="How often an alarm is repeated that is not over.",
    )
