from hypothesis import example, given
from hypothesis import strategies as st

from penstock.app.application import App
from penstock.app.routing.converters import PATH
from penstock.app.routing.template import Parameter, parse_template
from penstock.app.routing.tree import Node
from penstock.http.request import Request
from tests.app.driver import get

METHODS = ("GET", "POST")
segments = st.sampled_from(["a", "b", "1", "1.5", "", "{x}", "{x:int}", "{x:float}", "{x:path}"])


def _templates():
    def place(parts):
        named = [
            part.replace("x", f"x{index}") if part.startswith("{") else part
            for index, part in enumerate(parts)
        ]
        return "/" + "/".join(named)

    lists = st.lists(segments, min_size=1, max_size=4).filter(lambda parts: "{x:path}" not in parts[:-1])
    return lists.map(place)


routes = st.lists(st.tuples(_templates(), st.sampled_from(METHODS)), max_size=12)
paths = st.lists(st.sampled_from(["a", "b", "c", "1", "1.5", "", "-1"]), min_size=1, max_size=5)


def _match(template, path):
    """Return what orders the matches of a path, and the values; None for no match. Lower comes first."""
    key, values = [], []
    for index, segment in enumerate(template.segments):
        if not isinstance(segment, Parameter):
            if index >= len(path) or path[index] != segment:
                return None
            key.append(-1)
            continue
        if index >= len(path) or not path[index]:
            return None
        if segment.converter is PATH:
            return [*key, float("inf")], [*values, "/".join(path[index:])]
        try:
            values.append(segment.converter.match(path[index]))
        except ValueError:
            return None
        key.append(segment.rank)
    return (key, values) if len(path) == len(template.segments) else None


def _naive(declared, path, method):
    """Try every template, best first."""
    found, allowed = [], set()
    for template, known in declared:
        match = _match(template, path)
        if match is None:
            continue
        allowed.add(known)
        if known == method:
            found.append((*match, template.text))
    return min(found, key=lambda one: one[0], default=None), allowed


def _shape(template):
    return tuple(one if isinstance(one, str) else one.kind for one in template.segments)


@given(routes=routes, path=paths, method=st.sampled_from(METHODS))
@example(routes=[("/a/{x1}/b", "GET"), ("/{x0}/1/{x2}", "GET")], path=["a", "1", "c"], method="GET")
@example(routes=[("/a/b", "POST"), ("/{x0}/b", "GET")], path=["a", "b"], method="GET")
def test_the_tree_finds_what_trying_every_template_finds(routes, path, method):
    declared, shapes = [], set()
    tree = Node()
    for text, known in routes:
        template = parse_template(text, {})
        if (_shape(template), known) in shapes:
            continue
        shapes.add((_shape(template), known))
        declared.append((template, known))
        tree.leaf(template.segments)[known] = template.text
    values, allowed, quick_values = [], set(), []

    found = tree.find(path, 0, method, values, allowed)
    first = tree.find_first(path, method, quick_values)

    best, naively_allowed = _naive(declared, path, method)
    if best is None:
        assert found is None
        assert allowed == naively_allowed
    else:
        assert (values, found) == best[1:]
    if first is not None:
        assert (first, quick_values) == (found, values)


@given(routes=routes, path=paths, method=st.sampled_from(METHODS))
def test_the_application_answers_as_trying_every_template_would(routes, path, method):
    app, declared, shapes = App(), [], set()
    for text, known in routes:
        template = parse_template(text, {})
        if (_shape(template), known) in shapes:
            continue
        shapes.add((_shape(template), known))
        declared.append((template, known))

        app.route(text, [known])(lambda: None)

    request = Request.build(method, "/" + "/".join(path))
    endpoint = app.resolve(request)

    best, allowed = _naive(declared, path, method)
    assert endpoint.route == (None if best is None else best[2])
    if best is not None and best[1]:
        assert list(request.path_params.values()) == best[1]
    elif best is None:
        assert endpoint.call(request).status == (405 if allowed else 404)


def _app(*paths, method="GET"):
    app = App()
    for path in paths:
        app.route(path, [method])(lambda path=path: path)
    return app


def test_a_literal_beats_a_parameter_whatever_the_order():
    for order in (("/users/me", "/users/{id}"), ("/users/{id}", "/users/me")):
        app = _app(*order)

        assert app.resolve(Request.build(target="/users/me")).route == "/users/me"
        assert app.resolve(Request.build(target="/users/you")).route == "/users/{id}"


def test_the_search_turns_back_from_a_literal_that_leads_nowhere():
    app = _app("/users/me/settings", "/users/{name}/posts")

    assert app.resolve(Request.build(target="/users/me/posts")).route == "/users/{name}/posts"


def test_values_of_an_abandoned_branch_do_not_leak():
    app = App()

    @app.get("/{a:int}/{b:int}/x")
    def first(a: int, b: int) -> str:
        return "first"

    @app.get("/{c}/{d}/y")
    def second(request) -> dict:
        return request.path_params

    assert get(app, "/1/2/y").body == b'{"c":"1","d":"2"}'


def test_different_names_live_on_one_level():
    app = App()

    @app.get("/users/{id}")
    def one(id: str) -> str:
        return "one " + id

    @app.get("/users/{name}/posts")
    def posts(name: str) -> str:
        return "posts of " + name

    assert get(app, "/users/7").body == b"one 7"
    assert get(app, "/users/ada/posts").body == b"posts of ada"


def test_ten_thousand_segments_are_answered_at_once():
    app = _app("/{a}/{b}/{c}", "/x/{rest:path}", "/{a:int}/{b:int}/{c:int}")

    assert app.resolve(Request.build(target="/1" * 10_000)).call(Request.build()).status == 404
    assert app.resolve(Request.build(target="/x" + "/1" * 10_000)).route == "/x/{rest:path}"
