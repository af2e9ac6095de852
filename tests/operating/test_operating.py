"""docs/operating.rst says what the program prints.

``python -m tests.operating.test_operating`` writes it anew.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.operating.document import PATH, play
from tests.operating.stage import Stage


def test_the_document_has_what_is_printed(tmp_path):
    text = PATH.read_text("utf-8")
    with Stage(tmp_path) as stage:
        assert play(text, stage) == text, f"run: python -m {__name__}"


def test_what_happens_is_followed_as_it_happens(tmp_path):
    with Stage(tmp_path) as stage:
        stage.act("send", "info@example.com", "anna@customer.example", "First")
        stage.act("until", "log", "=>", "ended")
        command, environment = stage.command("multisendcon log --follow --since=1h --json")
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            told = map(json.loads, process.stdout)
            assert [each["event"] for each in next(told)["events"]][-1] == "ended"
            # Whoever has been told of what was, is told of what will be.
            stage.act("send", "info@example.com", "ben@customer.example", "Second")
            events = []
            while "delivered" not in events:
                event = next(told)
                if event["recipients"] == ["ben@customer.example"]:
                    events.append(event["event"])
            assert events == ["accepted", "attempt", "delivered"]
            process.send_signal(signal.SIGINT)
        assert process.returncode == 130


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="multisendcon-") as folder,
        Stage(Path(folder)) as acted,
    ):
        PATH.write_text(play(PATH.read_text("utf-8"), acted), "utf-8")
