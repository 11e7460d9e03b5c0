"""The compiled route table: one function from a request to the endpoint that answers it.

Literal paths are looked up whole, by their octets; everything else, other spellings of literal paths
included, goes through the tree. Whatever finds no route (404, 405, automatic OPTIONS, an unusable path) is an
endpoint like any other.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from penstock.app.routing.dots import resolve_dots
from penstock.app.routing.other_end import redirect_to_other_end
from penstock.app.routing.tree import Node
from penstock.errors import HTTPError, RouteConflict
from penstock.http.query import decode_segment, encode_segment
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.app.routing.router import Placed
    from penstock.app.routing.template import Template
    from penstock.http.handler import Endpoint
    from penstock.http.request import Request

    # Makes an endpoint out of what answers: a function that returns a response or raises.
    MakeEndpoint = Callable[[Callable[[], Response]], Endpoint]
    # Of a template that ends in its only parameter: what converts it, what answers, its name, and the
    # literals that come before it.
    Tail = tuple[Callable[[str], object] | None, Endpoint, str, Mapping[str, object] | None]
    # Makes what answers OPTIONS for the routes of one path, by method; None leaves it to the table.
    MakeOptions = Callable[[dict[str, "Bound"]], "Bound | None"]


_NO_TAILS: dict[str, Tail] = {}


class Bound(NamedTuple):
    """A route ready to answer."""

    placed: Placed
    template: Template
    endpoint: Endpoint
    names: tuple[str, ...]
    """Of the parameters, in the order of their segments."""


def build_tree(routes: Iterable[Bound], make_options: MakeOptions | None = None) -> Node[Bound]:
    """Put routes into a tree, GET answering HEAD as well; RouteConflict names both when two claim one method
    and path. `make_options` may answer OPTIONS where no route does.
    """
    tree: Node[Bound] = Node()
    for bound in routes:
        leaf = tree.leaf(bound.template.segments)
        for method in bound.placed.route.methods:
            other = leaf.setdefault(method, bound)
            if other is not bound:
                raise RouteConflict(
                    f"two routes answer {method} {bound.placed.path}: {other.placed.label} and "
                    f"{bound.placed.label}"
                )
    for leaf in tree.leaves():
        if "GET" in leaf:
            leaf.setdefault("HEAD", leaf["GET"])
        options = make_options(leaf) if make_options is not None and "OPTIONS" not in leaf else None
        if options is not None:
            leaf["OPTIONS"] = options
    return tree


def build_resolver(
    routes: Iterable[Bound],
    make_endpoint: MakeEndpoint,
    make_options: MakeOptions | None = None,
    trailing_slash: str = "strict",
) -> Callable[[Request], Endpoint]:
    """Return the function behind `App.resolve`; it never raises. `trailing_slash` is that of an App."""
    tree = build_tree(routes, make_options)
    literals = _literal_paths(tree)
    find_literal = literals.get
    search = _searcher(tree, make_endpoint, trailing_slash)

    def resolve(request: Request) -> Endpoint:
        methods = find_literal(request.raw_path)
        if methods is not None:
            endpoint = methods.get(request.method)
            if endpoint is not None:
                request.route = endpoint.route
                return endpoint
        return search(request)

    return resolve


def _literal_paths(tree: Node[Bound], path: str = "") -> dict[bytes, dict[str, Endpoint]]:
    """Return the endpoints of every template without parameters, by the octets of its path."""
    found = {}
    if tree.methods:
        found[path.encode("ascii")] = {method: bound.endpoint for method, bound in tree.methods.items()}
    for segment, child in tree.literals.items():
        found |= _literal_paths(child, f"{path}/{encode_segment(segment)}")
    return found


def _tails(tree: Node[Bound], path: str = "") -> dict[str, dict[str, Tail]]:
    """Return, by method and by what stands before the last slash, the templates of literal text with one
    parameter at the end, where it is the first of those a path could have.
    """
    found: dict[str, dict[str, Tail]] = {}
    if tree.variables:
        convert, leaf = tree.variables[0]
        for method, bound in leaf.methods.items():
            found[method] = {path: (convert, bound.endpoint, bound.names[0], tree.literals or None)}
    for segment, child in tree.literals.items():
        for method, tails in _tails(child, f"{path}/{segment}").items():
            found.setdefault(method, {}).update(tails)
    return found


def _refuse(
    make_endpoint: MakeEndpoint,
    status: int,
    detail: str | None = None,
    headers: dict[str, str] | None = None,
) -> Endpoint:
    def answer() -> Response:  # a new exception each time: one that is kept keeps its tracebacks
        raise HTTPError(status, detail, headers=headers)

    return make_endpoint(answer)


def _allow(make_endpoint: MakeEndpoint, method: str, allowed: set[str]) -> Endpoint:
    fields = {"Allow": ", ".join(sorted(allowed))}
    if method == "OPTIONS":
        return make_endpoint(lambda: Response(b"", 204, fields))
    return _refuse(make_endpoint, 405, f"{method} is not allowed here", fields)


def _searcher(
    tree: Node[Bound], make_endpoint: MakeEndpoint, trailing_slash: str
) -> Callable[[Request], Endpoint]:
    top: Node[Bound] = Node()
    top.literals[""] = tree  # a path that is split whole begins with what stands before its first slash
    find_first = top.find_first
    tails = _tails(tree)
    every_method = {method for leaf in tree.leaves() for method in leaf} | {"OPTIONS"}

    refuse, allow = partial(_refuse, make_endpoint), partial(_allow, make_endpoint)
    not_found = refuse(404)
    above_root = refuse(400, "the path leads above its root")

    def search(request: Request) -> Endpoint:
        raw_path = request.raw_path
        bound: Bound | None = None
        values: list[object] = []
        try:
            path = raw_path.decode()
            # PERF: 0.01 us each, asked of the str; `b"%" in raw_path` tries b"%" as a number first, 0.14.
            if "%" not in path and "/." not in path:
                # PERF: one look-up for the head of `/users/42`, 0.5 us against 0.7, and where there are many
                # routes fewer objects of each that the processor has to fetch (benchmarks/many_routes.py).
                head, _, last = path.rpartition("/")
                tail = tails.get(request.method, _NO_TAILS).get(head)
                if tail is not None and last:
                    convert, endpoint, name, literals = tail
                    if literals is None or last not in literals:
                        request.path_params = {name: last if convert is None else convert(last)}
                        request.route = endpoint.route
                        return endpoint
                bound = find_first(path.split("/"), request.method, values)
        except Exception:
            bound = None  # the thorough search meets it again, and answers it
        if bound is not None:
            return _take(request, bound, values)
        return search_thoroughly(request, raw_path)

    def search_thoroughly(request: Request, raw_path: bytes) -> Endpoint:
        if not raw_path.startswith(b"/"):
            is_asterisk = raw_path == b"*" and request.method == "OPTIONS"
            return allow("OPTIONS", every_method) if is_asterisk else not_found
        raw = raw_path[1:].split(b"/")
        try:
            segments = [decode_segment(part) for part in raw]
        except ValueError as error:
            return refuse(400, str(error))
        if "." in segments or ".." in segments:
            resolved = resolve_dots(raw, segments)
            if resolved is None:
                return above_root
            # What hooks and handlers see is what was matched.
            request.raw_path = b"/" + b"/".join(resolved)
            segments = [decode_segment(part) for part in resolved]
        return answer_by(request, segments)

    def answer_by(request: Request, segments: list[str], *, is_other_end: bool = False) -> Endpoint:
        allowed: set[str] = set()
        values: list[object] = []
        try:
            bound = tree.find(segments, 0, request.method, values, allowed) if segments else None
        except Exception as error:  # a converter of the application's failed
            return make_endpoint(raiser(error))
        if bound is None and not allowed:
            if is_other_end or trailing_slash == "strict":
                return not_found
            other = segments[:-1] if segments[-1] == "" else [*segments, ""]
            return answer_by(request, other, is_other_end=True)
        if is_other_end and trailing_slash == "redirect":
            return make_endpoint(partial(redirect_to_other_end, request))
        if bound is not None:
            return _take(request, bound, values)
        return allow(request.method, allowed | {"OPTIONS"})

    return search


def _take(request: Request, bound: Bound, values: list[object]) -> Endpoint:
    """Tell the request which route it takes, and return its endpoint."""
    endpoint, names = bound.endpoint, bound.names
    request.route = endpoint.route
    # PERF: 0.06 us instead of 0.35 for the one parameter most routes have.
    request.path_params = {names[0]: values[0]} if len(names) == 1 else dict(zip(names, values, strict=True))
    return endpoint


def raiser(error: Exception) -> Callable[[], Response]:
    """Return what raises an error in the place of an answer."""

    def answer() -> Response:
        raise error

    return answer
