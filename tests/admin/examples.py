"""What a relay answers."""

from __future__ import annotations

import json


def delivery(**fields):
    """Return a row of the queue."""
    return {
        "id": "GAHCJX3QA",
        "account": "Sales",
        "destination": "",
        "state": "waiting",
        "sender": "boss@sales.example.com",
        "recipients": [
            {"address": "anna@customer.example", "reason": "every sender", "last_reply": ""}
        ],
        "size": 1822,
        "arrived": 1_764_000_000.0,
        "arrived_at": "2025-11-24T16:00:00.000Z",
        "due": 1_764_000_000.0,
        "due_at": "2025-11-24T16:00:00.000Z",
        "attempts": 0,
        "last_reply": "",
        "message_id": "<1@sales.example.com>",
        "subject": "Offer",
        "tried": [],
        "fault": "",
        "until": None,
        **fields,
    }


def account(**fields):
    """Return an account."""
    return {
        "name": "Sales",
        "type": "smtp",
        "enabled": True,
        "state": "ok",
        "fault": "",
        "since": None,
        "until": None,
        "waiting": 0,
        "held": 0,
        "oldest": None,
        "active": 0,
        "connections": 0,
        "resting_destinations": 0,
        "delivered": 12,
        "deferred": 0,
        "failed": 1,
        "rate": 0.25,
        "last_success": 1_764_000_000.0,
        "last_failure": None,
        "quota": [],
        "login": None,
        **fields,
    }


def login(**fields):
    """Return how the login of an account is."""
    return {
        "kind": "token",
        "mailbox": "sales@example.com",
        "valid_until": 1_764_000_000.0,
        "refreshed": 1_764_000_000.0,
        "unused_since": None,
        "expires": None,
        "trouble": "",
        **fields,
    }


def status(**fields):
    """Return how a relay is."""
    return {
        "version": "0.1.0",
        "started": 1_764_000_000.0,
        "accepting": True,
        "waiting": 3,
        "held": 1,
        "oldest": 1_764_000_000.0,
        "accounts": [account()],
        "alarms": [],
        "history": "on",
        "front": "running",
        "spool": {"full": False, "broken": False, "error": ""},
        **fields,
    }


def lines(*rows):
    """Return a listing as it is sent."""
    return tuple(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
