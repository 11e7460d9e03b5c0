"""The generated function: readable, and one with the thorough way that names faults."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from penstock.app.application import App
from penstock.app.binding.faults import faults_of
from penstock.app.binding.query import first_values
from penstock.app.binding.signature import read_signature
from penstock.app.routing.template import parse_template
from penstock.http.request import Request
from tests.app.test_binding import Colour
from tests.app.test_body import Account


async def everything(
    account: Account,
    a: int,
    b: float,
    c: bool,
    d: list[int],
    e: Colour = Colour.RED,
    f: int | None = None,
    g: str = "g",
) -> dict:
    return {}


app = App()
app.post("/{a}/{b:float}")(everything)
SIGNATURE = read_signature(everything, parse_template("/{a}/{b:float}", {}))

values = st.sampled_from(["1", "-2", "x", "", "1.5", "true", "red", "%31", "a+b", "%FF"])
queries = st.lists(st.tuples(st.sampled_from("acdefgx"), values), max_size=6).map(
    lambda pairs: "&".join(map("=".join, pairs))
)
bodies = st.sampled_from(
    [b'{"name":"x"}', b'{"name":1}', b'{"name":""}', b"{}", b"[]", b"{", b'{"name":"x","active":0}']
)


@given(
    a=st.sampled_from(["1", "x", "1.5"]),
    b=st.sampled_from(["1", "x", "1.5"]),
    query=queries,
    body=bodies,
    media_type=st.sampled_from(["application/json", "text/plain"]),
)
def test_the_quick_way_refuses_exactly_what_the_thorough_way_faults(a, b, query, body, media_type):
    request = Request.build("POST", f"/{a}/{b}?{query}", [("host", "t"), ("content-type", media_type)], body)
    endpoint = app.resolve(request)

    response = asyncio.run(_run(endpoint.call(request)) if endpoint.route else _value(endpoint.call(request)))

    if endpoint.route is None:
        assert b == "x"
    elif response.status == 200:
        assert not [fault for argument in SIGNATURE.arguments for fault in faults_of(argument, request)]
    else:
        assert response.status in (400, 415, 422)


async def _run(awaitable):
    return await awaitable


async def _value(value):
    return value


raw_queries = st.text("ab=&%+12", max_size=12).map(lambda text: text.replace("%", "%4")) | st.lists(
    st.sampled_from(["a", "b", "=", "&", "%61", "+", "%FF", "%E2%82%AC", "1"]), max_size=8
).map("".join)


@given(raw=raw_queries)
def test_the_quick_look_into_a_query_agrees_with_the_query(raw):
    request, other = Request.build(target="/?" + raw), Request.build(target="/?" + raw)
    try:
        query = other.query
    except ValueError:
        query = None

    try:
        get = first_values(request)
    except ValueError:
        assert query is None
        return

    assert query is not None
    for name in ("a", "b", "A", "a1", "€", *filter(None, query)):
        assert get(name) == query.get(name)


def test_the_source_reads_like_written_by_hand():
    app = App()

    @app.get("/users/{user_id}")
    async def user(user_id: int, verbose: bool = False) -> dict: ...

    @app.get("/", run="inline")
    def home() -> str: ...

    first, second = (plan.source.splitlines() for _, plan in app.compile().plans)

    assert first[1].startswith("    # GET /users/{user_id} -> ")
    assert [first[0], *first[2:]] == [
        "async def call(request):",
        "    try:",
        "        try:",
        "            params = request.path_params",
        "            arg_user_id = convert_user_id(params['user_id'])",
        "            if request.raw_query:",
        "                get = first_values(request)",
        "                text = get('verbose')",
        "                arg_verbose = default_verbose if text is None else convert_verbose(text)",
        "            else:",
        "                arg_verbose = default_verbose",
        "        except ValueError:",
        "            raise binding_error(arguments, request) from None",
        "        result = await handler(arg_user_id, arg_verbose)",
        "        if type(result) is dict:",
        "            return Response(dumps(result), 200, None, JSON)",
        "        return to_response(result, status, stream_type)",
        "    except BaseException as error:",
        "        return await failed(request, error)",
    ]
    assert [second[0], *second[2:]] == [
        "def call(request):",
        "    try:",
        "        result = handler()",
        "        if type(result) is str:",
        "            return Response(result.encode(), 200, None, TEXT)",
        "        return respond(request, result)",
        "    except BaseException as error:",
        "        return failed(request, error)",
    ]
