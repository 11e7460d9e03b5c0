"""The document as a whole: OpenAPI 3.1.1, of whatever an application has compiled."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from penstock.app.binding.signature import read_signature
from penstock.app.openapi.components import Components, resolved
from penstock.app.openapi.operations import (
    Described,
    Kinds,
    external_docs,
    is_shown,
    merged,
    operation,
    operation_ids,
)
from penstock.app.openapi.schemas import Schemas
from penstock.app.openapi.security import SecuritySchemes
from penstock.app.routing.template import parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.app.application import App
    from penstock.app.openapi.about import About
    from penstock.app.openapi.components import Schema
    from penstock.app.routing.converters import Converter

VERSION = "3.1.1"


def make_document(app: App) -> dict[str, Any]:
    """Return the OpenAPI document of an application, which is compiled by it."""
    routes = described_routes(app)
    hooks = list(_webhooks(app))
    described = [*routes, *hooks]
    ids = operation_ids(described)
    components = Components()
    kinds = Kinds(Schemas(components), Schemas(components, is_text=True), Schemas(components, is_output=True))
    security = SecuritySchemes()
    paths: dict[str, Schema] = {}
    webhooks: dict[str, Schema] = {}
    for index, one in enumerate(described):
        place = paths if index < len(routes) else webhooks
        item = place.setdefault(one.path if place is paths else one.path[1:], {})
        for method in one.methods:
            # Templates that differ in converters alone are one path here: the first declared is described.
            if method.lower() not in item:
                item[method.lower()] = operation(one, method, ids[index, method], kinds, security)
    document = _head(app.about)
    document["paths"] = paths
    if webhooks:
        document["webhooks"] = webhooks
    schemas, names = components.named()
    parts = {"schemas": schemas, "securitySchemes": dict(sorted(security.named.items()))}
    document["components"] = {key: part for key, part in parts.items() if part}
    tags = _tags(app.about, described)
    if tags:
        document["tags"] = tags
    if "external_docs" in app.about:
        document["externalDocs"] = external_docs(app.about["external_docs"])
    whole: dict[str, Any] = resolved(document, names)
    return merged(whole, app.about.get("openapi_extra", {}))


def described_routes(app: App) -> list[Described]:
    """Return the routes the document tells of."""
    return [
        Described(placed, parse_template(placed.path, converters_of(placed.apps)), plan.signature)
        for placed, plan in app.compile().plans
        if is_shown(placed)
    ]


def _head(about: About) -> Schema:
    info: Schema = {"title": about.get("title", "API"), "version": about.get("version", "0.1.0")}
    for name, key in (
        ("summary", "summary"),
        ("description", "description"),
        ("terms_of_service", "termsOfService"),
        ("contact", "contact"),
        ("license", "license"),
    ):
        if name in about:
            info[key] = about[name]  # type: ignore[literal-required]
    if "description" in info:
        info["description"] = inspect.cleandoc(info["description"])
    document: Schema = {"openapi": VERSION, "info": info}
    servers = [{"url": one} if isinstance(one, str) else dict(one) for one in about.get("servers", ())]
    return {**document, "servers": servers} if servers else document


def _webhooks(app: App) -> Iterable[Described]:
    for placed in app.webhooks.placed(apps=(app,)):
        template = parse_template(placed.path, converters_of(placed.apps))
        yield Described(placed, template, read_signature(placed.route.handler, template), is_webhook=True)


def _tags(about: About, described: Iterable[Described]) -> list[Schema]:
    said = about.get("tag_descriptions", {})
    used = dict.fromkeys(tag for one in described for tag in one.placed.tags)
    return [
        {"name": tag, **({"description": text} if isinstance(text, str) else text)}
        for tag, text in {**said, **{tag: {} for tag in used if tag not in said}}.items()
    ]


def converters_of(apps: Iterable[App]) -> dict[str, Converter]:
    """Return the path converters of applications, those of inner ones first of all."""
    return {name: converter for app in apps for name, converter in app.converters.items()}
