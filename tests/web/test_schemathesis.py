"""The API is as it is described, whatever it is asked."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from schemathesis import checks

from tests.web.openapi import FILE

DOCUMENT = json.loads(FILE.read_text("utf-8"))
# A stream does not end; its own tests have it.
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/events")


def each_line_fits(_context, response, case):
    """Lists are no JSON as a whole, so that nothing else looks into them."""
    if response.headers["content-type"][0] != "application/jsonl":
        return
    good = DOCUMENT["paths"][case.operation.path]["get"]["responses"]["200"]
    schema = good["content"]["application/jsonl"]["schema"]
    fits = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    for line in response.content.splitlines():
        fits.validate(json.loads(line))


CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    each_line_fits,
]


@pytest.fixture(scope="module")
def address():
    with subprocess.Popen(
        [sys.executable, "-m", "tests.web.served"], stdout=subprocess.PIPE, text=True
    ) as served:
        yield f"http://127.0.0.1:{int(served.stdout.readline())}/api/v1"
        served.terminate()


@SCHEMA.parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case, address):
    case.call_and_validate(base_url=address, checks=CHECKS, timeout=30)
