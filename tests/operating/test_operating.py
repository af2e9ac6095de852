"""docs/operating.rst says what the program prints.

``python -m tests.operating.test_operating`` writes it anew.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.operating.document import PATH, play
from tests.operating.stage import Stage


def test_the_document_has_what_is_printed(tmp_path):
    text = PATH.read_text("utf-8")
    with Stage(tmp_path) as stage:
        assert play(text, stage) == text, f"run: python -m {__name__}"


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="multisendcon-") as folder,
        Stage(Path(folder)) as acted,
    ):
        PATH.write_text(play(PATH.read_text("utf-8"), acted), "utf-8")
