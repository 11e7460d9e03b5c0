"""Properties of rendered responses: one response, its fields and content as given, or LocalProtocolError. Never a line more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError
from penstock.http.request import Request
from penstock.http.response import RedirectResponse, Response
from penstock.wire.serialise import Serialiser
from tests.property.messages import names, tokens, values
from tests.wire.replies import Reply, take_reply

OURS = {"date", "server", "connection", "content-length", "content-type", "transfer-encoding"}
WITHOUT_CONTENT = {204, 205, 304}

methods = st.sampled_from(["GET", "HEAD", "POST"])
statuses = st.integers(200, 599)
hostile = st.text(
    st.sampled_from("aX:; ,\t\r\n\x00\x0b\x7f\x85é\u2028\u010d\u560a\0") | st.characters(max_codepoint=0x2FF),
    max_size=15,
)
injections = st.sampled_from(
    [
        "a\r\nX: y",
        "a\nX: y",
        "a\rX: y",
        "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "a\x00",
        "\u560a\u560d",
        "a\r\n b",
    ]
)
cases = st.sampled_from([str.lower, str.upper, str.title])


def render(
    response: Response,
    method: str = "GET",
    *,
    version: bytes = b"1",
    persistent: bool = True,
    warm: bool = False,
) -> bytes:
    serialiser = Serialiser("penstock")
    serialiser.set_date(784111777)
    request = Request.build(method)
    request.version = version
    if warm:  # the second rendering takes the head it kept from the first
        serialiser.render(Request.build("GET"), response, True)
    return serialiser.render(request, response, persistent)


def read(octets: bytes, method: str) -> Reply:
    """The one response in the octets, and nothing behind it."""
    found = take_reply(octets, method)
    assert found is not None
    reply, rest = found
    assert rest == b""
    return reply


def own_fields(reply: Reply) -> list[tuple[str, str]]:
    return [(name, value) for name, value in reply.fields if name not in OURS]


@given(
    st.binary(max_size=40),
    statuses,
    st.lists(st.tuples(names, values), max_size=5),
    methods,
    st.sampled_from([b"0", b"1"]),
    st.booleans(),
    st.booleans(),
)
def test_what_we_render_is_read_back(content, status, fields, method, version, persistent, warm):
    fields = [(name, value) for name, value in fields if name.lower() not in OURS]

    octets = render(
        Response(content, status, fields), method, version=version, persistent=persistent, warm=warm
    )

    reply = read(octets, method)
    assert reply.status == status
    assert own_fields(reply) == [(name.lower(), value) for name, value in fields]
    assert reply.content == (b"" if method == "HEAD" or status in WITHOUT_CONTENT else content)
    assert reply.closes is not persistent
    assert reply.get("date") == "Sun, 06 Nov 1994 08:49:37 GMT"
    if status not in WITHOUT_CONTENT:
        # What answers HEAD without content may be a reply to GET with some.
        length = str(len(content)) if content or method != "HEAD" else None
        assert reply.get("content-length") == length


@given(
    st.lists(st.binary(max_size=20), min_size=2, max_size=4), st.sampled_from([200, 404, 500]), st.booleans()
)
def test_a_kept_head_never_leaks_into_the_next_response(contents, status, persistent):
    serialiser = Serialiser()
    serialiser.set_date(0)

    for content in contents:
        octets = serialiser.render(Request.build("GET"), Response(content, status), persistent)

        reply = read(octets, "GET")
        assert (reply.status, reply.content, reply.closes) == (status, content, not persistent)


@given(
    st.lists(st.tuples(hostile | tokens | injections, hostile | values | injections), min_size=1, max_size=3),
    methods,
)
def test_no_field_of_an_application_makes_another_line(fields, method):
    try:
        octets = render(Response(b"content", 200, fields), method)
    except LocalProtocolError:
        return

    reply = read(octets, method)

    given_names = [name.lower() for name, _ in fields]
    assert {name for name, _ in reply.fields} <= OURS | set(given_names)
    assert own_fields(reply) == [
        (name.lower(), value.strip(" \t")) for name, value in fields if name.lower() not in OURS
    ]


@given(
    names.filter(lambda name: name.lower() not in OURS),
    injections | hostile.filter(lambda text: any(mark in text for mark in "\r\n\0")),
)
def test_a_value_that_would_split_the_response_is_refused(name, value):
    if value.strip(" \t").isprintable() and value.isascii():
        return

    try:
        octets = render(Response(b"", 200, [(name, value)]))
    except LocalProtocolError:
        return

    # Obs-text may pass; the octets that split may not.
    assert not any(mark in value for mark in "\r\n\0")
    read(octets, "GET")


@given(hostile | injections)
def test_no_media_type_makes_another_line(media_type):
    try:
        octets = render(Response(b"content", 200, media_type=media_type))
    except LocalProtocolError:
        return

    assert {name for name, _ in read(octets, "GET").fields} <= OURS


@given(hostile | injections, st.sampled_from(["name", "value", "path", "domain"]))
def test_no_cookie_makes_another_line(text, place):
    response = Response(b"content")
    arguments = {"name": "n", "value": "v", "path": "/", "domain": "a.example", place: text}
    try:
        response.set_cookie(arguments.pop("name"), arguments.pop("value"), **arguments)
        octets = render(response)
    except LocalProtocolError:
        return

    reply = read(octets, "GET")

    assert own_fields(reply) == [("set-cookie", reply.get("set-cookie"))]


@given(hostile | injections)
def test_no_redirect_makes_another_line(location):
    try:
        octets = render(RedirectResponse(location))
    except LocalProtocolError:
        return

    assert {name for name, _ in read(octets, "GET").fields} <= OURS | {"location"}


@given(st.integers(-1000, 2000) | st.sampled_from([100, 101, 199, 600, True]))
def test_a_status_that_is_not_final_is_refused(status):
    try:
        octets = render(Response(b"", status))
    except LocalProtocolError:
        assert not (200 <= status <= 599)
        return

    assert read(octets, "GET").status == status


@given(
    st.binary(max_size=5),
    st.sampled_from(["0", "3", "5", "05", "-1", "+3", "3 ", "1_0", "x", "", "٣", "3, 3"]),
    methods,
)
def test_a_content_length_that_is_wrong_is_refused(content, length, method):
    try:
        octets = render(Response(content, 200, [("Content-Length", length)]), method)
    except LocalProtocolError:
        return

    reply = read(octets, method)

    assert int(reply.get("content-length")) == len(content) or (method == "HEAD" and content == b"")


@given(cases, st.sampled_from(["chunked", "gzip", "identity"]))
def test_an_application_never_sets_transfer_encoding(case, coding):
    try:
        octets = render(Response(b"content", 200, [(case("transfer-encoding"), coding)]))
    except LocalProtocolError:
        return

    assert read(octets, "GET").get("transfer-encoding") is None
