"""The description of the API, which is made of the code, and kept beside it."""

from __future__ import annotations

import json

from multisendcon_plugin.web.routes import ROUTES
from tests.web import openapi
from tests.web.browser import Browser


def test_it_is_what_routes_and_values_say():
    assert openapi.FILE.read_text("utf-8") == openapi.text(), "python -m tests.web.openapi"


def test_it_is_served():
    assert Browser().get("/openapi.json").json == json.loads(openapi.FILE.read_text("utf-8"))


def test_each_route_is_in_it_and_nothing_else():
    document = json.loads(openapi.FILE.read_text("utf-8"))
    described = {
        (path[1:], method.upper())
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert described == {(path, method) for path, methods in ROUTES.items() for method in methods}


def test_everything_in_it_is_explained():
    document = json.loads(openapi.FILE.read_text("utf-8"))
    assert all(
        schema["description"]
        for name, schema in document["components"]["schemas"].items()
        if name != "Error"
    )
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"].endswith(".")
