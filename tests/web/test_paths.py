"""Which route a path has."""

from __future__ import annotations

import pytest

from multisendcon_plugin.page import routes as page_routes
from multisendcon_plugin.web import routes as api_routes
from multisendcon_plugin.web.paths import find

TABLE = {"": "first", "queue/retry": "retry", "queue/{id}": "mail", "accounts/{name}/test": "test"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ([], ("first", "")),
        (["queue", "retry"], ("retry", "")),
        (["queue", "7"], ("mail", "7")),
        (["queue", "a/b"], ("mail", "a/b")),
        (["accounts", "a/b", "test"], ("test", "a/b")),
        (["queue", "{id}"], ("mail", "{id}")),
        (["queue/retry"], None),
        (["queue"], None),
        (["accounts", "test"], None),
        (["queue", *"abcdefgh"], None),
    ],
)
def test_a_path_has_the_route_that_says_most_of_it(path, found):
    assert find(TABLE, path) == found


@pytest.mark.parametrize("table", [api_routes.ROUTES, page_routes.ROUTES])
def test_each_route_of_a_table_is_found(table):
    for path in table:
        segments = [{"{name}": "x", "{id}": "x"}.get(each, each) for each in path.split("/")]
        assert find(table, segments if path else []) is not None
