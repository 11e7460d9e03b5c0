"""One route as Operation Objects, one for each of its methods."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.binding.signature import read_signature
from penstock.app.openapi.bodies import request_body
from penstock.app.openapi.parameters import every_argument, parameters_of
from penstock.app.openapi.responses import possible_errors, responses_of
from penstock.app.routing.router import Router, inner_function
from penstock.app.routing.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.app.binding.signature import Signature
    from penstock.app.openapi.components import Schema
    from penstock.app.openapi.schemas import Schemas
    from penstock.app.openapi.security import SecuritySchemes
    from penstock.app.routing.router import Placed

METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
"""Those a Path Item Object has a place for."""


class Described(NamedTuple):
    """A route to be described."""

    placed: Placed
    template: Template
    signature: Signature
    is_webhook: bool = False

    @property
    def path(self) -> str:
        """The template as OpenAPI writes it, without converters."""
        return "/" + "/".join(
            one if isinstance(one, str) else f"{{{one.name}}}" for one in self.template.segments
        )

    @property
    def methods(self) -> list[str]:
        return [method for method in self.placed.route.methods if method in METHODS]


class Kinds(NamedTuple):
    """Who makes the schemas of what is received as JSON, as text, and of what is sent."""

    body: Schemas
    text: Schemas
    output: Schemas


def operation(
    described: Described, method: str, operation_id: str, kinds: Kinds, security: SecuritySchemes
) -> Schema:
    """Return the Operation Object of a route for one of its methods."""
    placed, route = described.placed, described.placed.route
    options: Any = route.options
    arguments = list(every_argument(described.signature))
    summary, description = _texts(described)
    made: Schema = {}
    if placed.tags:
        made["tags"] = list(placed.tags)
    made["summary"] = summary
    if description:
        made["description"] = description
    if "external_docs" in options:
        made["externalDocs"] = external_docs(options["external_docs"])
    made["operationId"] = operation_id
    parameters = parameters_of(arguments, described.template, kinds.text)
    if parameters:
        made["parameters"] = parameters
    body = request_body(arguments, kinds.body, kinds.text)
    if body is not None:
        made["requestBody"] = body
    needs = security.requirements(described.signature)
    errors = possible_errors(arguments, described.template)
    if described.is_webhook:
        errors = []  # whoever is called says what is wrong in a way of its own
    if needs:
        errors += [401, 403] if any(needs[0].values()) else [401]
    model = options.get("response_model")
    returns = described.signature.returns if model is None else model
    made["responses"] = responses_of(placed, returns, errors, kinds.output, method)
    if needs:
        made["security"] = needs
    if placed.host:
        made["servers"] = [_server_of(placed.host)]
    if options.get("deprecated") or any(one.deprecated for one in placed.routers):
        made["deprecated"] = True
    if "callbacks" in options:
        made["callbacks"] = {
            name: {
                expression: {"post": _callback(described, name, function, kinds, security)}
                for expression, function in by_expression.items()
            }
            for name, by_expression in options["callbacks"].items()
        }
    return merged(made, options.get("openapi_extra", {}))


def _callback(
    described: Described, name: str, function: Any, kinds: Kinds, security: SecuritySchemes
) -> Schema:
    """Return the Operation Object of a request that is made to the client because of one of its own."""
    router = Router()
    router.post("/", name=name)(function)
    placed = next(router.placed(apps=described.placed.apps))
    template = Template("/", ("",))
    signature = read_signature(function, template)
    inner = Described(placed, template, signature, is_webhook=True)
    return operation(inner, "POST", f"{described.placed.route.name}_{name}", kinds, security)


def _server_of(host: str) -> Schema:
    """Return the Server Object of a host, whose parameters are variables.

    >>> _server_of("{tenant:slug}.example.org")
    {'url': '//{tenant}.example.org', 'variables': {'tenant': {'default': 'tenant'}}}
    """
    url = re.sub(r":[^{}]*}", "}", host)
    variables = {name: {"default": name} for name in re.findall(r"{([^{}]*)}", url)}
    return {"url": f"//{url}", "variables": variables} if variables else {"url": f"//{url}"}


def is_shown(placed: Placed) -> bool:
    """Tell whether a route is for the document: no WebSocket, and nobody above it says otherwise."""
    shown = [placed.route.options.get("include_in_schema", True)]
    shown += [router.include_in_schema for router in placed.routers]
    return placed.route.websocket is None and all(shown)


def external_docs(given: Any) -> Schema:
    """Return an External Documentation Object of one, or of an address."""
    return {"url": given} if isinstance(given, str) else dict(given)


def merged(base: Schema, extra: Any) -> Schema:
    """Return `base` with what `extra` says; objects in both are merged, all else is replaced."""
    result = dict(base)
    for key, value in extra.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def operation_ids(described: Iterable[Described]) -> dict[tuple[int, str], str]:
    """Return the id of each operation, by the place of its route and the method.

    It is the name of the route while nobody else has that; then the method follows, and then the path: an id
    does not depend on the order of declarations, so it stays what it is when others come.
    """
    entries = [(index, method, one) for index, one in enumerate(described) for method in one.methods]
    wanted = [_ids(one, method) for _, method, one in entries]
    found: dict[tuple[int, str], str] = {}
    taken: set[str] = set()
    counts = [Counter(names) for names in zip(*wanted, strict=True)]
    for (index, method, _), names in zip(entries, wanted, strict=True):
        unique = (name for count, name in zip(counts, names, strict=True) if count[name] == 1)
        name = next((one for one in unique if one not in taken), names[-1])
        number = 1
        while name in taken:
            number += 1
            name = f"{names[-1]}_{number}"
        taken.add(name)
        found[index, method] = name
    return found


def _ids(described: Described, method: str) -> tuple[str, str, str]:
    route = described.placed.route
    said = route.options.get("operation_id")
    name = str(said) if said is not None else route.name
    with_method = f"{name}_{method.lower()}"
    slug = re.sub(r"[^a-zA-Z0-9]+", "_", described.path).strip("_")
    return name, with_method, f"{with_method}_{slug}" if slug else with_method


def _texts(described: Described) -> tuple[str, str]:
    """Return summary and description: what is said, else the first paragraph of the docstring and its rest,
    else the name.
    """
    route, options = described.placed.route, described.placed.route.options
    function = inner_function(route.handler)
    text = inspect.cleandoc(getattr(function, "__doc__", None) or "")
    first, _, rest = text.partition("\n\n")
    summary, description = options.get("summary"), options.get("description")
    if summary is None:
        summary = " ".join(first.split()).removesuffix(".") or _spoken(route.name)
    elif description is None:
        rest = text
    return summary, inspect.cleandoc(description) if description is not None else rest.strip()


def _spoken(name: str) -> str:
    """Return a name as words: `Users.create_user` is "Create user"."""
    return name.rpartition(".")[2].replace("_", " ").strip().capitalize() or name
