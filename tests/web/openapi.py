"""Makes the description of the API (OpenAPI 3.1) from the routes, the values and their docstrings.

To write it anew: ``python -m tests.web.openapi``; a test compares.
"""

from __future__ import annotations

import enum
import inspect
import json
import re
import types
import typing
from pathlib import Path

import attrs

import multisendcon_plugin.web
from multisendcon_plugin.configuration.changes import ReloadSummary
from multisendcon_plugin.history import Story
from multisendcon_plugin.mail.envelope import Client
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.operations import Operations, configured, values
from multisendcon_plugin.operations.account_tests import TestedAccount, TestStep
from multisendcon_plugin.operations.configuring import Configuring
from multisendcon_plugin.operations.explained import Explanation
from multisendcon_plugin.operations.public_events import AccountEvent, MailEvent
from multisendcon_plugin.operations.sign_ins import SignIn, SignIns, SignInStep
from multisendcon_plugin.times import Time
from multisendcon_plugin.web.routes import ROUTES

FILE = Path(multisendcon_plugin.web.__file__).with_name("openapi.json")

CHANGE = configured.ConfigurationChange
#: For each route: the method of `Operations`, what the body is, what is answered; a list of that.
ANSWERS = {
    ("status", "GET"): ("status", None, values.Status),
    ("accounts", "GET"): ("accounts", None, [values.AccountStatus]),
    ("accounts/{name}", "GET"): ("account", None, values.AccountStatus),
    ("accounts/{name}/test", "POST"): ("test", values.AccountTest, TestedAccount),
    ("accounts/{name}/pause", "POST"): ("pause", None, values.AccountStatus),
    ("accounts/{name}/resume", "POST"): ("resume", None, values.AccountStatus),
    ("accounts/{name}/probe", "POST"): ("probe", None, values.AccountStatus),
    ("queue", "GET"): ("listing", None, [values.WaitingDelivery]),
    ("queue/{id}", "GET"): ("message", None, values.WaitingMessage),
    ("queue/{id}/explain", "GET"): ("explain_waiting", None, Explanation),
    ("queue/retry", "POST"): ("retry", values.Chosen, values.Changed),
    ("queue/hold", "POST"): ("hold", values.Chosen, values.Changed),
    ("queue/release", "POST"): ("release", values.Chosen, values.Changed),
    ("queue/delete", "POST"): ("delete", values.Deletion, values.Changed),
    ("queue/move", "POST"): ("move", values.Move, values.Changed),
    ("history", "GET"): ("history", None, [Story]),
    ("history/{id}", "GET"): ("story", None, Story),
    ("explain", "POST"): ("explain", values.Question, Explanation),
    ("reload", "POST"): ("reload", None, ReloadSummary),
    ("accounts/{name}/login", "GET"): ("sign_in", None, SignIn),
    ("accounts/{name}/login", "POST"): ("begin_sign_in", SignInStep, SignIn),
    ("configuration", "GET"): ("configuration", None, configured.ConfigurationText),
    ("configuration", "PUT"): ("configure", configured.NewText, CHANGE),
    ("configuration/accounts", "GET"): (
        "configured_accounts",
        None,
        [configured.ConfiguredAccount],
    ),
    ("configuration/accounts/{name}", "PUT"): (
        "configure_account",
        configured.AccountKeys,
        CHANGE,
    ),
    ("configuration/accounts/{name}", "DELETE"): ("remove_account", configured.Removal, CHANGE),
    ("configuration/order", "POST"): ("order_accounts", configured.Order, CHANGE),
    ("configuration/tables/{name}", "PUT"): ("configure_table", configured.TableKeys, CHANGE),
}
#: Which part of `Operations` has the methods, by the beginning of the path.
PARTS = {"configuration": Configuring, "accounts/{name}/login": SignIns}
#: What is told on the way, to those who ask for lines of JSON.
STEPS = {("accounts/{name}/test", "POST"): TestStep}
#: Queries of lists: by what, and by which of its fields.
FILTERS = {"queue": values.Filter, "history": values.HistoryFilter}

PLAIN = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    Reply: {"type": "string"},
    Time: {"type": "number"},
    typing.Any: {},
}
ERRORS = {
    400: "The body is no JSON.",
    404: "There is nothing of that name or id, or nothing like that.",
    405: "Another method is needed, see `Allow`.",
    409: "It must not be done.",
    413: "The body is too long.",
    422: "What is asked for cannot be understood, or nothing is chosen.",
    503: "The spool cannot answer, or too many clients listen.",
}


class Document:
    """The description, and the schemas that it has so far."""

    def __init__(self):
        self.schemas = {}

    def make(self):
        paths = {}
        for path, handlers in ROUTES.items():
            paths[f"/{path}"] = {
                method.lower(): self.operation(path, method) for method in handlers
            }
        self.schema(MailEvent)
        self.schema(AccountEvent)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "multisendcon",
                "version": "1",
                "description": "What an admin can ask and do of a relay that runs. Lists are JSON"
                " Lines. Times are seconds since the epoch; beside each stands NAME_at, the same"
                " in ISO 8601 and UTC. An error is an object with `error`.",
            },
            "servers": [{"url": "/api/v1"}],
            "paths": paths,
            "components": {
                "schemas": {
                    **dict(sorted(self.schemas.items())),
                    "Error": {
                        "type": "object",
                        "properties": {
                            "error": {
                                "type": "string",
                                "description": "a sentence that says what to do",
                            },
                            "faults": {
                                "type": "array",
                                "items": {"type": "string"},
                                "description": "one finished sentence each",
                            },
                        },
                        "required": ["error"],
                        "additionalProperties": False,
                    },
                },
                "responses": {
                    str(status): {
                        "description": text,
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}
                        },
                    }
                    for status, text in ERRORS.items()
                },
            },
        }

    def operation(self, path, method):
        if path == "events":
            return self.events()
        if path == "openapi.json":
            return {
                "summary": "This description.",
                "operationId": "openapi",
                "responses": self.responses({"application/json": {"schema": {"type": "object"}}}),
            }
        name, body, answer = ANSWERS[path, method]
        parts = [each for beginning, each in PARTS.items() if path.startswith(beginning)]
        operation = {
            "summary": summary(getattr(parts[0] if parts else Operations, name)),
            "operationId": name,
        }
        parameters = [
            {"name": each, "in": "path", "required": True, "schema": {"type": "string"}}
            for each in re.findall(r"{(\w+)}", path)
        ]
        if path in FILTERS:
            parameters += self.queries(FILTERS[path])
        if parameters:
            operation["parameters"] = parameters
        if body is not None:
            operation["requestBody"] = {
                "required": any(field.default is attrs.NOTHING for field in attrs.fields(body)),
                "content": {"application/json": {"schema": self.schema(body)}},
            }
        if isinstance(answer, list):
            content = {"application/jsonl": {"schema": self.schema(answer[0])}}
        else:
            content = {"application/json": {"schema": self.schema(answer)}}
        if (path, method) in STEPS:
            # Its steps as they come, and last what is answered otherwise.
            step, whole = self.schema(STEPS[path, method]), self.schema(answer)
            content["application/jsonl"] = {"schema": {"anyOf": [step, whole]}}
        operation["responses"] = self.responses(content)
        return operation

    def events(self):
        return {
            "summary": "Tell what happens, as Server-Sent Events.",
            "description": "`event` is the type, `data` an object of JSON: a MailEvent, an"
            " AccountEvent, or `event`, `time`, `time_at` and what belongs to the type. A client"
            " that does not read is sent away.",
            "operationId": "events",
            "parameters": [
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "description": "go on behind this one, as far as it is known yet",
                    "schema": {"type": "string"},
                }
            ],
            "responses": self.responses({"text/event-stream": {"schema": {"type": "string"}}}),
        }

    def responses(self, content):
        return {
            "200": {"description": "What was asked for.", "content": content},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in ERRORS},
        }

    def queries(self, kind):
        hints = typing.get_type_hints(kind)
        told = params(kind)
        filters = [
            {
                "name": field.name,
                "in": "query",
                **({"description": told[field.name]} if field.name in told else {}),
                "schema": self.without_null(hints[field.name]),
            }
            for field in attrs.fields(kind)
        ]
        return [
            *filters,
            {
                "name": "limit",
                "in": "query",
                "description": "rows at most, or a few more: a message is listed as a whole",
                "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
            },
            {
                "name": "after",
                "in": "query",
                "description": "the id of the last row of the page before",
                "schema": {"type": "string"},
            },
        ]

    def without_null(self, hint):
        [only] = [each for each in typing.get_args(hint) if each is not types.NoneType] or [hint]
        return self.schema(only)

    def schema(self, hint):
        if hint in PLAIN:
            return dict(PLAIN[hint])
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (types.UnionType, typing.Union):
            return self.union(arguments)
        if origin is tuple:
            return {"type": "array", "items": self.schema(arguments[0])}
        if origin is not None:  # a mapping
            return {"type": "object", "additionalProperties": self.schema(arguments[1])}
        if issubclass(hint, enum.Enum):
            return {"type": "string", "enum": [each.value for each in hint]}
        if hint.__name__ not in self.schemas:
            self.schemas[hint.__name__] = {}
            self.schemas[hint.__name__] = self.object(hint)
        return {"$ref": f"#/components/schemas/{hint.__name__}"}

    def union(self, members):
        [only] = [each for each in members if each is not types.NoneType]
        schema = self.schema(only)
        if "type" in schema and "enum" not in schema:
            return {**schema, "type": [schema["type"], "null"]}
        return {"oneOf": [schema, {"type": "null"}]}

    def object(self, kind):
        properties, required = self.fields(kind)
        return {
            "type": "object",
            "description": summary(kind),
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def fields(self, kind):
        hints = typing.get_type_hints(kind)
        told = params(kind)
        properties, required = {}, []
        if kind is Client:
            named = [(name, name, {}, True) for name in Client._fields]
        else:
            named = [
                (
                    each.name,
                    each.metadata.get("json", each.name),
                    each.metadata,
                    each.default is attrs.NOTHING or kind not in ASKED,
                )
                for each in attrs.fields(kind)
            ]
        for name, json_name, metadata, needed in named:
            if "flat" in metadata:
                more, needs = self.fields(hints[name])
                properties |= more
                required += needs
                continue
            hint = hints[name]
            properties[json_name] = self.schema(hint)
            if name in told:
                properties[json_name]["description"] = told[name]
            if needed:
                required.append(json_name)
            if hint in (Time, Time | None):
                text = "string" if hint is Time else ["string", "null"]
                properties[f"{json_name}_at"] = {"type": text, "format": "date-time"}
                required.append(f"{json_name}_at")
        return properties, required


#: What is read: fields with a default may be left out.
ASKED = {
    *(values.Filter, values.Chosen, values.Deletion, values.Move),
    *(values.HistoryFilter, values.Question, values.AccountTest),
    *(configured.Seen, configured.NewText, configured.AccountKeys, configured.Removal),
    *(configured.Order, configured.TableKeys, SignInStep),
}


def summary(documented):
    """Return the first sentence of a docstring."""
    return inspect.getdoc(documented).partition("\n\n")[0].replace("\n", " ")


def params(documented):
    """Return what a docstring says of each parameter."""
    found = re.findall(
        r"^:param (\w+): (.*?)(?=^:|\Z)",
        inspect.getdoc(documented),
        re.MULTILINE | re.DOTALL,
    )
    return {name: " ".join(text.split()) for name, text in found}


def text():
    """Return the description as it is written."""
    return json.dumps(Document().make(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
