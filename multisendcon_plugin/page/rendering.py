"""Makes HTML of templates: whatever is put into one is text, never HTML."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from ..operations.rows import shown
from ..settings.admins import Role
from .files import Files
from .marking import marked, unified
from .routes import NAVIGATION
from .wording import FILTERS


class Rendering:
    """All templates.

    :param version: of the program.
    """

    def __init__(self, static: Files, version: str) -> None:
        self._environment = Environment(
            loader=FunctionLoader(_source),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            **FILTERS,
            "decoded": shown,
            "marked": marked,
            "unified": unified,
        }
        self._environment.globals |= {
            "static": static.path,
            "navigation": NAVIGATION,
            "version": version,
            "Role": Role,
        }

    def html(self, template: str, values: Mapping[str, Any]) -> bytes:
        """Return a page."""
        return (
            self._environment.get_template(template)
            .render(values)
            .encode(
                # What clients wrote may hold octets that are no UTF-8, as surrogates.
                "utf-8",
                "replace",
            )
        )


def _source(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")
