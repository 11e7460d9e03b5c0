"""Files of a multipart form: as parameters, in models, in memory and on the disk, closed behind the handler."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from penstock import (
    App,
    AsyncTestClient,
    File,
    Form,
    FormLimits,
    Request,
    StreamResponse,
    TestClient,
    TextResponse,
    UploadFile,
)
from penstock.app.forms.receiving import Received
from penstock.app.forms.spool import SHARED, Spools
from penstock.errors import ApplicationError, MissingExtra
from penstock.http.form import FormData
from penstock.http.handler import THREAD
from penstock.http.multipart import PartHead
from penstock.http.upload import InMemory
from tests.app.driver import content, faults
from tests.app.forms.bodies import MULTIPART, URLENCODED, multipart, part, post
from tests.server.harness import request, serve, wait_until

BIG = os.urandom(3 * 1024 * 1024)
TWO = multipart(part("title", "Grüße".encode()), part("photo", b"octets", "a.png", "Content-Type: image/png"))


def app_with(handler, **options) -> App:
    app = App(form_limits=FormLimits(memory_bytes=1_000_000))
    app.post("/", **options)(handler)
    return app


def describe(file: UploadFile) -> list:
    return [file.name, file.filename, file.content_type, file.size]


async def in_task(photo: UploadFile, title: Annotated[str, Form()]) -> list:
    return [*describe(photo), title, (await photo.aread()).decode()]


def in_thread(photo: UploadFile, title: Annotated[str, Form()]) -> list:
    return [*describe(photo), title, photo.read().decode()]


def ask(server, body: bytes, target: str = "/"):
    with server.connect() as client:
        return client.ask(target, "POST", ": ".join(MULTIPART), body=body)


@pytest.mark.parametrize(
    ("handler", "options"), [(in_task, {}), (in_thread, {}), (in_thread, {"run": "inline"})]
)
def test_a_file_is_passed_with_its_name_type_and_size(handler, options):
    app = app_with(handler, **options)
    expected = ["photo", "a.png", "image/png", 6, "Grüße", "octets"]

    assert content(post(app, TWO)) == expected
    with TestClient(app) as client:
        assert client.post("/", content=TWO, headers=dict([MULTIPART])).json() == expected
    with serve(app) as server:
        assert msgspec.json.decode(ask(server, TWO).content) == expected


def big_task(seen: list):
    async def handler(photo: UploadFile) -> int:
        seen.append(photo)
        assert await photo.aread() == BIG
        return photo.file.fileno()

    return handler


def big_thread(seen: list):
    def handler(photo: UploadFile) -> int:
        seen.append(photo)
        assert b"".join(photo) == BIG
        return photo.file.fileno()

    return handler


@pytest.mark.parametrize("make", [big_task, big_thread])
def test_a_big_file_is_on_the_disk_without_a_name_and_closed_behind_the_handler(make):
    seen: list[UploadFile] = []
    app = app_with(make(seen))

    with serve(app) as server:
        reply = ask(server, multipart(part("photo", BIG, "big.bin")))

    assert reply.status == 200, reply.content
    assert seen[0].file.closed
    assert not list(Path(tempfile.gettempdir()).glob("penstock-*"))


@pytest.mark.parametrize("is_async", [True, False])
def test_a_reply_may_be_made_of_a_file_while_it_is_sent(is_async):
    seen: list[UploadFile] = []

    def thread(photo: UploadFile) -> StreamResponse:
        seen.append(photo)
        return StreamResponse(iter(photo))

    async def task(photo: UploadFile) -> StreamResponse:
        seen.append(photo)

        async def pieces() -> AsyncIterator[bytes]:
            while piece := await photo.aread(100_000):
                yield piece

        return StreamResponse(pieces())

    with serve(app_with(task if is_async else thread)) as server:
        assert ask(server, multipart(part("photo", BIG, "big.bin"))).status == 200
        wait_until(lambda: seen[0].file.closed, "the file is closed behind the reply")
    with TestClient(app_with(task if is_async else thread)) as client:
        body = multipart(part("photo", BIG, "big.bin"))
        assert client.post("/", content=body, headers=dict([MULTIPART])).content == BIG
        wait_until(lambda: seen[1].file.closed, "the file is closed behind the reply")


def test_files_are_not_closed_under_a_thread_that_is_answered_for():
    file = UploadFile(PartHead("f", "f", "f", "", is_file=True), InMemory(b"octets"), 6)
    file.settle()
    received = Received(FormData(files={"f": [file]}), THREAD)

    def handler(request: Request) -> bytes:
        received.close(None)  # the reply is out
        return file.read()

    assert received.serve(handler, Request.build()) == b"octets"
    assert file.file.closed
    assert received.serve(handler, Request.build()) is None


def test_small_files_together_go_to_the_disk_beyond_the_bound():
    def handler(files: list[UploadFile]) -> list:
        return [hasattr(one.file, "getvalue") for one in files] + [sum(len(one.read()) for one in files)]

    app = app_with(handler, form_limits=FormLimits(memory_bytes=200_000))
    parts = [part("files", bytes(65_536), f"{number}.bin") for number in range(6)]

    with serve(app) as server:
        *in_memory, size = msgspec.json.decode(ask(server, multipart(*parts)).content)

    assert size == 6 * 65_536
    assert not all(in_memory)


def test_many_forms_together_hold_no_more_than_the_process_may():
    before = SHARED.held
    forms = [Spools(2**24) for _ in range(6)]
    files = [form.new() for form in forms]
    for file in files:
        file.write(bytes(2**24))

    assert SHARED.held == before + 6 * 2**24
    assert all(form.is_heavy for form in forms)  # though each is within its own bound
    for form in forms[:3]:
        form.write_out()
    assert not any(form.is_heavy for form in forms)
    for form in forms:
        form.close()
        form.close()
    assert SHARED.held == before


def test_what_a_form_holds_is_let_go_of_with_it():
    def handler(photo: UploadFile) -> int:
        return SHARED.held

    before = SHARED.held
    with serve(app_with(handler)) as server:
        for _ in range(3):
            assert int(ask(server, multipart(part("photo", bytes(9_000), "p"))).content) == before + 9_000
            wait_until(lambda: SHARED.held == before, "it is let go of")
        ask(server, multipart(part("photo", bytes(9_000), "p"))[:-9])
        wait_until(lambda: SHARED.held == before, "it is let go of")


def test_files_come_as_a_list_as_none_as_octets_and_as_text():
    def handler(
        files: list[UploadFile],
        raw: Annotated[bytes, File()],
        text: Annotated[str, File(max_length=5)],
        texts: Annotated[list[str], File()],
        none: UploadFile | None,
        other: Annotated[bytes | None, File(alias="the-other")] = None,
    ) -> list:
        return [[one.filename for one in files], raw.hex(), text, texts, none, other]

    app = app_with(handler)
    parts = [part("files", b"1", "a"), part("files", b"2", "b"), part("raw", b"\xff", "r")]
    parts += [part("text", "ä".encode(), "t"), part("texts", b"x", "x"), part("texts", b"", "y")]

    assert content(post(app, multipart(*parts))) == [["a", "b"], "ff", "ä", ["x", ""], None, None]
    wrong = multipart(part("text", b"123456", "t"), part("texts", b"\xff", "x"), part("raw", b"field"))
    assert faults(post(app, wrong)) == [
        ("form", "raw", "file"),
        ("form", "text", "max_length"),
        ("form", "texts", "str"),
    ]


def test_a_file_input_nobody_used_was_not_sent():
    def handler(photo: UploadFile | None, files: list[UploadFile]) -> list:
        return [photo, len(files)]

    empty = part("photo", b"", "", "Content-Type: application/octet-stream")

    assert content(post(app_with(handler), multipart(empty, empty.replace(b"photo", b"files")))) == [None, 0]


def test_a_required_file_that_is_missing_or_a_text_is_422():
    def handler(photo: UploadFile, name: Annotated[str, Form()] = "") -> None: ...

    app = app_with(handler)

    assert faults(post(app, multipart(part("name", b"x")))) == [("form", "photo", "missing")]
    assert faults(post(app, multipart(part("photo", b"x")))) == [("form", "photo", "file")]
    assert faults(post(app, b"photo=x", URLENCODED)) == [("form", "photo", "file")]
    both = multipart(part("photo", b"x", "x"), part("name", b"x", "x"))
    assert faults(post(app, both)) == [("form", "name", "text")]


@dataclass
class Profile:
    name: str
    photo: UploadFile
    more: list[UploadFile]
    age: int = 0


class PydanticProfile(pydantic.BaseModel):
    name: str
    photo: UploadFile
    more: list[UploadFile] = []
    age: int = 0


class StructProfile(msgspec.Struct):
    name: str
    photo: UploadFile
    more: list[UploadFile] = []
    age: int = 0


@pytest.mark.parametrize("model", [Profile, PydanticProfile, StructProfile])
def test_a_model_may_have_files(model):
    def handler(profile: Annotated[Any, Form()]) -> list:
        return [profile.name, profile.age, profile.photo.read().decode(), len(profile.more)]

    handler.__annotations__["profile"] = Annotated[model, Form()]
    app = app_with(handler)
    parts = [part("name", b"ada"), part("photo", b"1", "p"), part("more", b"2", "a"), part("more", b"3", "b")]

    assert content(post(app, multipart(*parts, part("age", b"7")))) == ["ada", 7, "1", 2]
    assert content(post(app, multipart(*parts[:2]))) == ["ada", 0, "1", 0]
    assert faults(post(app, multipart(parts[0], part("photo", b"text"))))[0][:2] == ("form", "photo")
    assert faults(post(app, multipart(parts[1])))[0][0] == "form"


def test_request_form_has_the_files_of_a_whole_body():
    def handler(request: Request) -> list:
        form = request.form()
        photo = form.file("photo")
        assert photo is not None
        return [form["title"], photo.filename, photo.read().decode(), list(form.files)]

    assert content(post(app_with(handler), TWO)) == ["Grüße", "a.png", "octets", ["photo"]]


def test_the_form_a_route_received_is_the_one_its_request_has():
    async def handler(request: Request, photo: UploadFile) -> bool:
        return request.form().file("photo") is photo

    with serve(app_with(handler)) as server:
        assert ask(server, TWO).content == b"true"


def test_a_route_with_files_has_a_limit_of_its_own():
    def handler(photo: UploadFile) -> int:
        return photo.size

    app = app_with(handler)
    app.post("/small", body_limit=1_000)(handler)
    app.post("/files", form_limits=FormLimits(file_bytes=1_000))(handler)
    body = multipart(part("photo", bytes(5_000), "p"))

    with serve(app) as server:
        assert ask(server, multipart(part("photo", BIG, "p"))).content == str(len(BIG)).encode()
        small, files = ask(server, body, "/small"), ask(server, body, "/files")

    assert small.status == 413
    assert msgspec.json.decode(small.content)["limit"] == "total_bytes"
    assert files.status == 413
    assert msgspec.json.decode(files.content)["limit"] == "file_bytes"


def test_a_form_is_saved_in_one_step_and_never_over_another_unless_told(tmp_path):
    async def handler(photo: UploadFile) -> str:
        path = await photo.asave(tmp_path / photo.filename)
        try:
            await photo.asave(path, replace=False)
        except FileExistsError:
            return path.name
        raise AssertionError("replaced")

    with serve(app_with(handler)) as server:
        for octets in (BIG, b"small"):
            reply = ask(server, multipart(part("photo", octets, "../../p.bin")))
            assert reply.content == b"p.bin", reply.content
            assert (tmp_path / "p.bin").read_bytes() == octets

    assert [path.name for path in tmp_path.iterdir()] == ["p.bin"]


def test_a_failed_save_leaves_nothing(tmp_path):
    file = UploadFile(PartHead("f", "f", "f", "", is_file=True), Failing(), 3)
    file.settle()

    with pytest.raises(OSError, match="broken"):
        file.save(tmp_path / "f")

    assert list(tmp_path.iterdir()) == []


class Failing(InMemory):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("broken")


def test_content_that_is_no_form_is_refused_before_it_is_received():
    def handler(photo: UploadFile) -> None: ...

    with serve(app_with(handler)) as server, server.connect() as client:
        client.send(request("/", "POST", "Content-Type: application/json", "Content-Length: 1000000"))
        reply = client.take()

    assert reply is not None
    assert reply.status == 415


def test_hooks_see_a_request_before_its_files_are_received():
    def handler(photo: UploadFile) -> None: ...

    app = app_with(handler)

    @app.before
    def closed(request: Request) -> TextResponse:
        return TextResponse("closed", 403)

    with serve(app) as server, server.connect() as client:
        client.send(request("/", "POST", ": ".join(MULTIPART), "Content-Length: 1000000"))
        reply = client.take()

    assert reply is not None
    assert (reply.status, reply.content) == (403, b"closed")


def test_a_handler_in_a_thread_runs_there_and_its_failure_is_answered():
    def handler(photo: UploadFile) -> str:
        if photo.size > 3:
            raise ValueError("secret")
        return threading.current_thread().name

    with serve(app_with(handler), faults=True) as server:
        name = ask(server, multipart(part("photo", b"1", "p"))).content.decode()
        reply = ask(server, multipart(part("photo", b"1234", "p")))

    assert name not in ("server", "MainThread")
    assert reply.status == 500
    assert b"secret" not in reply.content


def test_a_full_disk_is_507(monkeypatch):
    def handler(photo: UploadFile) -> None: ...

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    with serve(app_with(handler, form_limits=FormLimits(memory_bytes=1_000))) as server:
        reply = ask(server, multipart(part("photo", bytes(5_000), "p")))

    assert reply.status == 507


@pytest.mark.parametrize("is_async", [True, False])
def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(is_async):
    called = []

    async def task(photo: UploadFile) -> None:
        called.append(photo)

    def thread(photo: UploadFile) -> None:
        called.append(photo)

    others = deleted_files()
    with serve(app_with(task if is_async else thread)) as server:
        body = multipart(part("photo", BIG, "p"))
        client = server.connect()
        client.send(request("/", "POST", ": ".join(MULTIPART), f"Content-Length: {len(body)}"))
        client.send(body[:-1_000_000])
        wait_until(lambda: deleted_files() > others, "the form is on the disk")
        client.reset()
        server.wait_idle()
        wait_until(lambda: deleted_files() == others, "the temporary file is closed")

    assert not called


def deleted_files() -> int:
    """How many temporary files this process has open."""
    count = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            target = str(path.readlink())
        except OSError:
            continue
        count += target.startswith(tempfile.gettempdir()) and "(deleted)" in target
    return count


def test_a_cancelled_handler_has_its_files_closed():
    seen = []

    async def handler(photo: UploadFile) -> None:
        seen.append(photo)
        await asyncio.sleep(3600)

    body = multipart(part("photo", BIG, "p"))
    with serve(app_with(handler, cancel_on_disconnect=True)) as server:
        client = server.connect(request("/", "POST", ": ".join(MULTIPART), body=body))
        wait_until(lambda: seen, "the handler is called")
        client.reset()
        wait_until(lambda: seen[0].file.closed, "the file is closed")


def test_another_process_takes_no_open_file():
    with pytest.raises(ApplicationError, match="take it as bytes"):
        app_with(at_module_level, run="process").compile()


def at_module_level(photo: UploadFile) -> None: ...


@pytest.mark.parametrize("module", [None, SimpleNamespace(__version__="1.3.1"), SimpleNamespace()])
def test_without_the_package_files_are_an_error_at_start_up_and_fields_still_work(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "multipart", module)

    def handler(name: Annotated[str, Form()]) -> str:
        return name

    with pytest.raises(MissingExtra, match=r"penstock\[standard\]"):
        app_with(in_thread).compile()
    assert post(app_with(handler), b"name=x", URLENCODED).body == b"x"
    assert post(app_with(handler), TWO).status == 415


def test_an_async_test_client_sends_files_too():
    async def main() -> list:
        async with AsyncTestClient(app_with(in_thread)) as client:
            reply = await client.post("/", content=TWO, headers=dict([MULTIPART]))
            return reply.json()

    assert asyncio.run(main())[4:] == ["Grüße", "octets"]
