"""The canary: each place into which a relay writes or says something is searched for a password.

Its providers repeat it in every reply; see `tests.canary`.
"""

from __future__ import annotations

from contextlib import ExitStack

from tests.canary import PLAIN, ROLES, found
from tests.interop.programs import until
from tests.program.scene import BROKEN, OFTEN, Scene
from tests.web.live import Control

#: What shows of places without `PLAIN` that they were looked into.
MARKS = {
    "cmdline": "twistd",
    "environ": "PYTHONPATH=",
    "page.environ": "PATH=",
    "GET openapi.json": '"openapi"',
    "/healthz": '"ok"',
    "/readyz": '"ok"',
    **{
        f"POST accounts/{PLAIN}%20{name.replace(' ', '%20')}/test": "internal error"
        for name in BROKEN
    },
}


def test_a_password_is_in_no_place_into_which_the_relay_writes(tmp_path):
    with ExitStack() as stack:
        scene = Scene(tmp_path, stack)
        relay = stack.enter_context(scene.relay)
        scene.listen()
        scene.send()
        # Each session says it in another way.
        for role in (*ROLES, *BROKEN):
            path = f"accounts/{PLAIN}%20{role.replace(' ', '%20')}/test"
            for _ in range(1 if role in (*OFTEN, *BROKEN) else 3):
                scene.ask("POST", path, {"from": "a@home.example", "to": "b@far.example"})
        until(lambda: b'"failed"' in scene.ask("GET", "history")[1], "mails have failed")
        scene._script("fail", f"echo {PLAIN} $CANARY >&2; exit 1")
        scene.read_processes()
        scene.reload_badly()
        scene.relay.configure(scene.configuration(), settings=scene.settings())
        assert scene.ask("POST", "reload")[0] == 200
        for path in ("status", "accounts", "queue", "history", "openapi.json"):
            scene.ask("GET", path)
        for path in ("/metrics", "/healthz", "/readyz"):
            scene.get(path)
        rows = Control(relay.spool).lines("queue")
        for row in rows[:20]:
            scene.ask("GET", f"queue/{row['id']}")
            scene.ask("GET", f"queue/{row['id']}/explain")
        scene.ask(
            "POST", "explain", {"sender": "taken@home.example", "recipients": ["a@b.example"]}
        )
        scene.run(
            "status",
            "account|list",
            f"account|test|{PLAIN} login",
            "queue|list",
            f"queue|show|{rows[0]['id']}",
            "log",
            "explain|taken@home.example|a@b.example",
        )
        scene.relay.configure(scene.configuration("json"), settings=scene.settings())
        until((tmp_path / "page.input").exists, "an alarm has been told")
        relay.stop()
        text_log = relay.log.read_bytes()
        relay.start()
        scene.ask("POST", f"accounts/{PLAIN}%20broken%20login/test", {})
        scene.ask("POST", f"accounts/{PLAIN}%20login/probe")
        relay.stop()
        scene.read_files()
        scene.places["text log"] = text_log
    secrets = [scene.hash.encode(), *scene.key.splitlines()[1:-1]]
    told = {place: found(said) for place, said in scene.places.items()}
    assert {place: forms for place, forms in told.items() if forms} == {}
    assert [place for place, said in scene.places.items() if any(s in said for s in secrets)] == []
    # All of them were looked into, while there was something in them.
    marks = {place: MARKS.get(place, PLAIN).encode() for place in scene.places}
    assert [place for place, mark in marks.items() if mark not in scene.places[place]] == []
    for happened in (b"m4rker: at MAIL", b"m4rker: at the login", b"Traceback", b"webhook at 127"):
        assert happened in scene.places["text log"]
    assert b'"event": "account_faulted"' in scene.places["log"].replace(text_log, b"").lower()
