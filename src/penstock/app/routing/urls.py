"""From a route's name and parameters back to a path: the inverse of matching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.routing.converters import PATH
from penstock.errors import ApplicationError
from penstock.http.query import encode_query, encode_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.app.routing.template import Parameter, Template


def build_url(name: str, templates: Iterable[Template], params: Mapping[str, object]) -> str:
    """Return the path of the one template, among those of this name, whose parameters are given; the rest
    becomes the query.

    ApplicationError says which parameter is missing, does not fit, or which templates are equally good.
    """
    templates = list(dict.fromkeys(templates))
    if not templates:
        raise ApplicationError(f"no route is called {name!r}")
    fitting = [template for template in templates if params.keys() >= set(template.names)]
    if not fitting:
        missing = [one for one in templates[0].names if one not in params]
        raise ApplicationError(f"url_for({name!r}): {templates[0].text} needs {', '.join(missing)}")
    most = max(len(template.names) for template in fitting)
    best = [template for template in fitting if len(template.names) == most]
    if len(best) > 1:
        paths = ", ".join(template.text for template in best)
        raise ApplicationError(
            f"url_for({name!r}): several routes have that name: {paths}; give one another name="
        )
    template = best[0]
    path = "".join(f"/{_written(name, segment, params)}" for segment in template.segments)
    query = encode_query({key: value for key, value in params.items() if key not in template.names})
    return f"{path}?{query}" if query else path


def _written(name: str, segment: str | Parameter, params: Mapping[str, object]) -> str:
    if isinstance(segment, str):
        return encode_segment(segment)
    value = params[segment.name]
    try:
        text = segment.converter.to_url(value)
    except (ValueError, TypeError, AttributeError):
        raise ApplicationError(
            f"url_for({name!r}): {value!r} does not fit {{{segment.name}:{segment.kind}}}"
        ) from None
    parts = text.split("/") if segment.converter is PATH else [text]
    # Encoded dots are still dots, and a leading slash or nothing at all would not match again.
    if not parts[0] or any(part in (".", "..") for part in parts):
        raise ApplicationError(f"url_for({name!r}): {text!r} cannot stand in a path as {segment.name!r}")
    return "/".join(map(encode_segment, parts))
