"""Small applications of the frameworks, unchanged, under `penstock run`, asked by httpx."""

from __future__ import annotations

import random
import re
import socket
import time

import pytest

from tests.e2e.serving import serving

BIG = random.Random(2).randbytes(3_000_000)
LINES = "".join(f"{number}\n" for number in range(1000))
TOLD = {"X-Forwarded-Prefix": "/app", "X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "big.bin").write_bytes(BIG)
    (folder / "page.txt").write_text("a page\n")
    return folder


def hosting(package, application, *flags):
    """A fixture: the running application, and a client of it that keeps cookies."""

    @pytest.fixture(scope="module")
    def fixture(folder, need_package):
        for name in (package, "httpx", "websockets"):
            need_package(name)
        import httpx

        words = ("--content-limit", "10M", "--proxy-trust", "127.0.0.1", *flags)
        with serving(
            f"tests.apps.{application}",
            *words,
            may_fail=True,
            PYTHONWARNINGS="default",
            SHOP_FOLDER=str(folder),
        ) as server:
            yield server, lambda: httpx.Client(base_url=server.url, timeout=20)

    return fixture


starlette = hosting("starlette", "starlette_app:app")
fastapi = hosting("fastapi", "fastapi_app:app")
litestar = hosting("litestar", "litestar_app:app")
flask = hosting("flask", "flask_app:app")
django_asgi = hosting("django", "django_app:asgi")
django_wsgi = hosting("django", "django_app:wsgi")


def connect(server, path, **options):
    from websockets.sync.client import connect

    return connect(f"{server.url.replace('http', 'ws')}{path}", **options)


def wait_for(client, event):
    end = time.monotonic() + 20
    while event not in client.get("/events").json():
        assert time.monotonic() < end, f"no {event!r}"
        time.sleep(0.01)


def check_download(client, path, *, ranges=True, head=True):
    """A large file, whole and, where the framework does them, in parts and by HEAD."""
    whole = client.get(path)
    assert (whole.status_code, whole.content == BIG) == (200, True)
    assert whole.headers["content-length"] == str(len(BIG))
    if head:
        bare = client.head(path)
        assert (bare.status_code, bare.headers["content-length"], bare.content) == (200, str(len(BIG)), b"")
    if ranges:
        part = client.get(path, headers={"Range": "bytes=100-299"})
        assert (part.status_code, part.content) == (206, BIG[100:300])
        again = client.get(path, headers={"If-None-Match": whole.headers["etag"], "Range": "bytes=0-1"})
        assert again.status_code in (206, 304)


# ------------------------------------------------------------------------------------------------------------ interface


def test_banner_says_what_was_decided(starlette, flask, django_asgi, django_wsgi):
    seen = [
        re.search(r"application\s+(\S+ \(.*\))", server.log)[1]
        for server, _ in (starlette, flask, django_asgi, django_wsgi)
    ]

    assert seen == [
        "tests.apps.starlette_app:app (ASGI)",
        "tests.apps.flask_app:app (WSGI)",
        "tests.apps.django_app:asgi (ASGI)",
        "tests.apps.django_app:wsgi (WSGI)",
    ]


# ------------------------------------------------------------------------------------------------------------ Starlette


def test_starlette_keeps_a_session_and_its_state(starlette):
    server, make = starlette
    with make() as client:
        seen = [client.get("/").json() for _ in range(3)]
        cookie = f"session={client.cookies['session']}"
        with connect(server, "/chat", additional_headers={"Cookie": cookie}) as chat:
            chat.send("hello")
            assert chat.recv() == "3 hello"

    assert seen == [{"visits": number, "rates": {"EUR": 1}} for number in (1, 2, 3)]


def test_starlette_works_on_in_the_background(starlette):
    with starlette[1]() as client:
        assert client.get("/later").text == "now"
        wait_for(client, "worked")


def test_starlette_serves_files(starlette):
    with starlette[1]() as client:
        check_download(client, "/files/big.bin")
        check_download(client, "/download")
        page = client.get("/files/page.txt")
        again = client.get("/files/page.txt", headers={"If-None-Match": page.headers["etag"]})
        statuses = [client.get(path).status_code for path in ("/files/none", "/files/..%2Fx", "/files/")]

    assert (page.text, page.headers["content-type"]) == ("a page\n", "text/plain; charset=utf-8")
    assert again.status_code == 304
    assert statuses == [404, 404, 404]


def test_starlette_streams_both_ways(starlette):
    def pieces():
        for _ in range(50):
            yield b"x" * 40_000

    with starlette[1]() as client:
        assert client.post("/upload", content=pieces()).text == "2000000"
        assert client.post("/upload", content=BIG).text == str(len(BIG))
        with client.stream("GET", "/ticks") as reply:
            lines = reply.iter_lines()
            assert [next(lines) for _ in range(3)] == ["data: 0", "", "data: 1"]
        wait_for(client, "ticks ended")


def test_starlette_makes_urls_behind_a_proxy(starlette):
    with starlette[1]() as client:
        base = "https://shop.example/app/shop/items"
        assert client.get("/shop/items/7", headers=TOLD).json() == [f"{base}/7", f"{base}/8"]
        assert client.get("/old", headers=TOLD).headers["location"] == f"{base}/1"


def test_starlette_middleware_errors_and_threads(starlette):
    with starlette[1]() as client:
        allowed = client.get("/", headers={"Origin": "https://page.example"})
        packed = client.get("/download", headers={"Accept-Encoding": "gzip"})
        assert allowed.headers["access-control-allow-origin"] == "https://page.example"
        assert packed.content == BIG
        assert client.get("/shop/items/0").status_code == 404
        assert client.get("/shop/items/x").status_code == 404
        assert client.post("/").status_code == 405
        assert client.get("/blocking").text == "from a thread"


def test_starlette_sends_early_hints(starlette):
    server, _ = starlette
    with server.connect() as client:
        client.sendall(b"GET /hint HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        octets = b"".join(iter(lambda: client.recv(65_536), b""))

    assert octets.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK"
    )


# -------------------------------------------------------------------------------------------------------------- FastAPI


def test_fastapi_binds_and_validates(fastapi):
    with fastapi[1]() as client:
        item = {"name": "tea", "price": 2.5}
        user = {"Authorization": "Bearer ann"}
        home = client.get("/").json()
        made = client.post("/items", json=item, headers=user)
        wrong = client.post("/items", json={"name": "tea"}, headers=user)
        unknown = client.post("/items", json=item)
        thread = client.get("/thread/7?q=b").json()
        missing = client.get("/thread/x")
        wait_for(client, "ann made tea")
        wait_for(client, "closed")

    assert home == {"found": "connected", "started": True}
    assert (made.status_code, made.json()) == (201, item)
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "price"])
    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
    assert thread == {"number": 7, "q": ["b"]}
    assert missing.status_code == 422


def test_fastapi_streams_sends_files_and_converses(fastapi):
    server, make = fastapi
    with make() as client:
        assert client.get("/stream").text == LINES
        check_download(client, "/download", head=False)
        assert client.get("/fail").status_code == 500
        assert "/thread/{number}" in client.get("/openapi.json").json()["paths"]
        assert "swagger" in client.get("/docs").text
    with connect(server, "/chat/7") as chat:
        for number in range(3):
            chat.send(f'{{"number":{number}}}')
            assert chat.recv() == f'{{"room":7,"found":"connected","number":{number}}}'


# ------------------------------------------------------------------------------------------------------------- Litestar


def test_litestar_binds_models_and_forms(litestar):
    with litestar[1]() as client:
        client.cookies["user"] = "ann"
        assert client.get("/").json() == {"started": True, "user": "ann"}
        item = {"name": "tea", "price": 2.5}
        assert client.post("/items", json=item).json() == item
        assert client.post("/items", json={"name": "tea"}).status_code == 400
        assert client.post("/upload", files={"data": ("a.bin", BIG)}).text == f"a.bin {len(BIG)}"


def test_litestar_streams_sends_files_and_converses(litestar):
    server, make = litestar
    with make() as client:
        assert client.get("/stream").text == LINES
        assert client.get("/sse").text.split() == ["data:", "0", "data:", "1", "data:", "2"]
        check_download(client, "/download", ranges=False, head=False)
        check_download(client, "/files/big.bin", ranges=False)
        assert client.get("/none").status_code == 404
    with connect(server, "/chat", subprotocols=["chat"]) as chat:
        chat.send('{"a":1}')
        assert (chat.recv(), chat.subprotocol) == ('{"a":1}', "chat")


# --------------------------------------------------------------------------------------------------------------- Django


@pytest.fixture(params=["asgi", "wsgi"])
def django(request):
    return request.getfixturevalue(f"django_{request.param}")


def test_django_form_with_csrf_and_session(django):
    with django[1]() as client:
        for name in ("ann", "bob"):
            page = client.get("/").text
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
            content = {"csrfmiddlewaretoken": token, "name": name}
            assert client.post("/", data=content).headers["location"] == "/"
        forged = client.post("/", data={"name": "eve"})
        page = client.get("/").text

    assert forged.status_code == 403
    assert "<p>ann,bob</p>" in page


@pytest.mark.parametrize("size", [100, len(BIG)])
def test_django_takes_uploads(django, size):
    with django[1]() as client:
        reply = client.post("/upload", data={"a": "é"}, files={"file": ("a.bin", BIG[:size])})

    assert reply.json() == {"fields": {"a": "é"}, "sizes": {"file": size}}


def test_django_streams_and_sends_files(django):
    with django[1]() as client:
        assert client.get("/stream").text == LINES
        check_download(client, "/download", ranges=False)
        check_download(client, "/static/big.bin", ranges=False)
        page = client.get("/static/page.txt")
        modified = {"If-Modified-Since": page.headers["last-modified"]}
        assert client.get("/static/page.txt", headers=modified).status_code == 304
        assert client.get("/wait").text == "waited"


def test_django_errors_and_urls(django):
    with django[1]() as client:
        assert [client.get(path).status_code for path in ("/none", "/fail")] == [404, 500]
        assert client.get("/where", headers={"Host": "evil.example"}).status_code == 400
        told = client.get("/where", headers={**TOLD, "X-Forwarded-For": "203.0.113.9"}).json()
        location = client.get("/static/", headers=TOLD).status_code

    assert told == ["https://shop.example/app/where", True, "203.0.113.9"]
    assert location == 404


# ---------------------------------------------------------------------------------------------------------------- Flask


def test_flask_keeps_a_session(flask):
    with flask[1]() as client:
        seen = [client.get("/").json() for _ in range(3)]

    assert seen == [{"visits": number, "thread": True} for number in (1, 2, 3)]


def test_flask_takes_uploads(flask):
    def pieces():
        for _ in range(50):
            yield b"x" * 40_000

    with flask[1]() as client:
        reply = client.post("/upload", data={"a": "é"}, files={"file": ("a.bin", BIG)})
        assert reply.json() == {"fields": {"a": "é"}, "sizes": {"file": len(BIG)}}
        assert client.post("/raw", content=BIG).text == str(len(BIG))
        assert client.post("/raw", content=pieces()).text == "2000000"


def test_flask_streams_and_sends_files(flask):
    server, make = flask
    with make() as client:
        assert client.get("/stream?prefix=n").text == LINES.replace("\n", "\nn")[:-1].join(["n", ""])
        wait_for(client, "stream ended")
        check_download(client, "/download")
        check_download(client, "/files/big.bin")
        page = client.get("/files/page.txt")
        again = client.get("/files/page.txt", headers={"If-None-Match": page.headers["etag"]})
        assert (page.text, again.status_code) == ("a page\n", 304)
        with server.connect() as leaving:
            leaving.sendall(b"GET /forever HTTP/1.1\r\nHost: t\r\n\r\n")
            assert leaving.recv(100)
            leaving.shutdown(socket.SHUT_RDWR)
        wait_for(client, "forever ended")


def test_flask_errors_hooks_and_urls(flask):
    with flask[1]() as client:
        none = client.get("/none")
        assert (none.status_code, none.text) == (404, "nothing here")
        assert client.get("/fail").status_code == 500
        assert client.post("/").status_code == 405
        where = client.get("/where/7", headers={**TOLD, "X-Forwarded-For": "203.0.113.9"}).json()
        wait_for(client, "end of /where/7")

    assert where == ["https://shop.example/app/where/7", "/app/where/8", "203.0.113.9"]


# ------------------------------------------------------------------------------------------------------------- lifespan


@pytest.mark.parametrize("workers", ["1", "2"])
def test_start_that_fails_is_one_readable_line(tmp_path, need_package, workers):
    need_package("starlette")
    import subprocess
    import sys

    from tests.e2e.serving import environment

    (tmp_path / "broken.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "from starlette.applications import Starlette\n"
        "@asynccontextmanager\n"
        "async def lifespan(app):\n"
        "    raise ConnectionError('no database at db:5432')\n"
        "    yield\n"
        "app = Starlette(lifespan=lifespan)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "run", "broken:app", "--port", "0", "--workers", workers],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    last = "penstock: error: the application failed to start: ConnectionError: no database at db:5432"
    assert done.stderr.splitlines()[-1] == last
    assert "    raise ConnectionError('no database at db:5432')\n" in done.stderr  # and where, above it
