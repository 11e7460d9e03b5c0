"""`OpenFile`, `FileResponse`, `narrow` and `KeptResponse` without a server."""

from __future__ import annotations

import gc
import os
import time

import pytest

from penstock.errors import HTTPError
from penstock.http.file_response import FileResponse
from penstock.http.kept_response import KeptResponse
from penstock.http.open_file import OpenFile, open_file
from penstock.http.partial import narrow
from penstock.http.request import Request
from penstock.http.response import Response
from penstock.wire.serialise import Serialiser


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"0123456789")
    return path


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def asked(*fields, method="GET"):
    return Request.build(method, headers=[("Host", "t"), *fields])


def test_a_file_closes_with_the_last_who_holds_it(path):
    file = open_file(path)
    fd, first, second = file.fd, FileResponse(file), FileResponse(file)

    del file, first
    assert is_open(fd) and second.file.read() == b"0123456789"

    gc.disable()  # no cycle keeps it
    try:
        del second
        assert not is_open(fd)
    finally:
        gc.enable()


def test_what_is_no_regular_file_is_refused_and_closed(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)

    with pytest.raises(IsADirectoryError):
        OpenFile(fd)

    assert not is_open(fd)
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe", "none", "none/x"):
        with pytest.raises(HTTPError) as caught:
            FileResponse(tmp_path / name)
        assert caught.value.status == 404


def test_the_entity_tag_changes_with_time_and_size(path):
    tags = {open_file(path).etag}
    os.utime(path, ns=(1, 1))
    tags.add(open_file(path).etag)
    path.write_bytes(b"longer than before")
    os.utime(path, ns=(1, 1))
    tags.add(open_file(path).etag)

    assert len(tags) == 3


def test_last_modified_is_never_to_come(path):
    os.utime(path, (0, time.time() + 10_000))
    assert Response(headers={"Date": open_file(path).last_modified}).headers["date"].endswith("GMT")
    assert open_file(path).last_modified != "Thu, 01 Jan 1970 00:00:01 GMT"
    os.utime(path, (1, 1))
    assert open_file(path).last_modified == "Thu, 01 Jan 1970 00:00:01 GMT"


def test_the_fields_a_handler_gives_stay(path):
    response = FileResponse(path, headers={"ETag": '"mine"', "X": "y"}, media_type="text/x-mine")

    assert response.headers["etag"] == '"mine"' and response.headers["x"] == "y"
    assert (response.media_type, response.headers["content-length"]) == ("text/x-mine", "10")


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_narrowing(path, kind):
    def make():
        return FileResponse(path) if kind == "file" else Response(b"0123456789", headers={"ETag": '"1"'})

    def content(response):
        if not isinstance(response, FileResponse):
            return response.body
        whole = response.file.read()
        return b"".join(s if isinstance(s, bytes) else whole[s[0] : s[1]] for s in response.spans)

    tag = make().headers["etag"]
    whole = make()
    assert narrow(asked(), whole) is whole
    assert narrow(asked(("Range", "bytes=0-1"), method="POST"), whole) is whole
    assert narrow(asked(("If-None-Match", tag)), make()).status == 304
    assert narrow(asked(("If-Match", '"no"')), make()).status == 412
    assert narrow(asked(("Range", "bytes=10-")), make()).headers["content-range"] == "bytes */10"
    part = narrow(asked(("Range", "bytes=2-4")), make())
    assert (part.status, content(part)) == (206, b"234")
    assert narrow(asked(("Range", "bytes=2-4")), part) is part
    parts = narrow(asked(("Range", "bytes=0-0,5-6")), make())
    assert b"\r\n\r\n0\r\n--" in content(parts) and b"\r\n\r\n56\r\n--" in content(parts)
    if kind == "file":
        assert parts.headers["content-length"] == str(len(content(parts)))


def test_other_responses_pass():
    for status in (201, 206, 307, 404):
        response = Response(b"x", status, {"ETag": '"1"'})
        assert narrow(asked(("If-None-Match", "*")), response) is response


def test_a_kept_response_is_rendered_once_for_each_date():
    serialiser, request = Serialiser(), asked()
    kept = KeptResponse(Response(b"content", headers={"ETag": '"1"'}))
    serialiser.set_date(0)

    first = serialiser.render(request, kept)
    assert serialiser.render(request, kept) is first
    assert first == serialiser.render(request, kept.original)
    serialiser.set_date(1)
    assert serialiser.render(request, kept) != first
    assert serialiser.render(asked(method="HEAD"), kept).endswith(b"\r\n\r\n")
    assert b"Connection: close" in serialiser.render(request, kept, False)


def test_a_copy_of_a_kept_response_is_ones_own():
    kept = KeptResponse(Response(b"content", headers={"ETag": '"1"'}))

    kept.copy().headers["ETag"] = "changed"

    assert kept.original.headers["etag"] == '"1"'


def test_a_file_as_a_stream_is_the_same(path):
    part = narrow(asked(("Range", "bytes=0-0,5-6")), FileResponse(path))
    stream = part.to_stream()

    assert (stream.status, stream.media_type) == (206, part.media_type)
    content = b"".join(stream.content)
    assert b"\r\n\r\n56\r\n--" in content and stream.headers["content-length"] == str(len(content))


def test_a_file_under_another_server_is_sent_and_narrowed(path):
    import asyncio

    from penstock.app.application import App

    app, sent = App(), []

    @app.get("/")
    def notes():
        return FileResponse(path)

    async def ask(*fields):
        sent.clear()
        requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive():
            message = next(requests, None)
            if message is None:
                await asyncio.Event().wait()
            return message

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [(b"host", b"t"), *fields],
            "client": None,
            "server": None,
        }
        await app(scope, receive, send)
        content = b"".join(m.get("body", b"") for m in sent[1:])
        return sent[0]["status"], content

    assert asyncio.run(ask()) == (200, b"0123456789")
    assert asyncio.run(ask((b"range", b"bytes=3-4"))) == (206, b"34")
    assert asyncio.run(ask((b"if-none-match", b"*"))) == (304, b"")
