"""Keys that an issuer publishes, fetched over real sockets from one that changes them, is slow, or lies."""

import asyncio
import json
import re
import socket
import threading
from contextlib import contextmanager
from typing import Annotated, Any

import pytest

from penstock import App, Claims, Depends, RedirectResponse, RemoteJWT, Response, StreamResponse
from penstock.app.auth import remote_keys
from penstock.errors import ApplicationError
from tests.app.auth.tokens import jwk, private_key, rsa_key, token
from tests.ports import free_port
from tests.server.harness import serve, wait_until


class Issuer:
    """What publishes keys; `asked` counts. `answer` may be replaced."""

    def __init__(self):
        self.app = App()
        self.app.get("/keys")(self.keys)
        self.app.get("/elsewhere")(self.elsewhere)
        self.asked = 0
        self.published = [jwk("RS256", rsa_key(0), kid="0")]
        self.answer = None
        self.gate = threading.Event()
        self.gate.set()

    def keys(self) -> Response:
        self.asked += 1
        assert self.gate.wait(20)
        if self.answer is not None:
            return self.answer()
        return Response(json.dumps({"keys": self.published}))

    def elsewhere(self) -> Response:
        return Response(json.dumps({"keys": self.published}))


@contextmanager
def serving(issuer, **options):
    """A server that accepts the tokens of an issuer, which serves too: who asks, and that server."""
    with serve(issuer.app) as keys:
        scheme = RemoteJWT(f"http://127.0.0.1:{keys.port}/keys?secret=x", algorithms=["RS256"], **options)
        app = App()

        @app.get("/")
        async def who(found: Annotated[Claims, Depends(scheme)]) -> str | None:
            return found.subject

        @app.get("/thread")
        def in_thread(found: Annotated[Any, Depends(scheme.requires("admin"))]) -> str:
            return found.subject

        with serve(app) as server:

            def ask(text, target="/"):
                with server.connect() as client:
                    return client.ask(target, "GET", f"Authorization: Bearer {text}").status

            issuer.gate.set()
            try:
                yield ask, server, scheme
            finally:
                issuer.gate.set()
                wait_until(lambda: scheme._keys._fetch is None, "nothing is fetched any more")


def token_of(which=0, **others):
    return token("RS256", rsa_key(which), {"kid": str(which)}, **others)


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(remote_keys, "_PAUSE_S", 0.0)
    monkeypatch.setattr(remote_keys, "_SHORT_PAUSE_S", 0.0)


def test_keys_are_fetched_once_and_kept():
    issuer = Issuer()
    with serving(issuer) as (ask, _, _):
        assert issuer.asked == 0
        for _ in range(3):
            assert ask(token_of()) == 200
            assert ask(token_of(scope="admin"), "/thread") == 200
            assert ask(token_of(), "/thread") == 403
    assert issuer.asked == 1


def test_what_needs_no_key_causes_no_fetch():
    issuer = Issuer()
    with serving(issuer) as (ask, _, _):
        for text in ("x", "a.b.c", token(), token("ES256", private_key("ES256"))):
            assert ask(text) == 401
    assert issuer.asked == 0


def test_a_new_key_is_found_and_one_that_was_taken_back_is_not(no_pause):
    issuer = Issuer()
    with serving(issuer) as (ask, _, _):
        assert ask(token_of(0)) == 200
        issuer.published = [jwk("RS256", rsa_key(1), kid="1")]
        assert ask(token_of(1)) == 200
        assert ask(token_of(0)) == 401


def test_unknown_keys_cause_few_fetches(monkeypatch):
    monkeypatch.setattr(remote_keys, "_PAUSE_S", 1e9)
    issuer = Issuer()
    with serving(issuer) as (ask, _, _):
        assert ask(token_of(0)) == 200
        for name in range(20):
            assert ask(token("RS256", rsa_key(1), {"kid": f"made up {name}"})) == 401
        assert ask(token_of(0)) == 200
    assert issuer.asked == 1


def test_many_at_once_cause_one_fetch_and_the_loop_goes_on():
    issuer = Issuer()
    with serving(issuer) as (ask, server, _):
        issuer.gate.clear()
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(ask(token_of()))) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: issuer.asked == 1 and len(server.connections) == 8, "all wait for the keys")

        with server.connect() as client:
            assert client.ask("/nothing").status == 404  # the loop does not wait

        issuer.gate.set()
        for thread in threads:
            thread.join(20)
    assert statuses == [200] * 8
    assert issuer.asked == 1


def test_old_keys_are_fetched_again_while_they_stay_in_use(no_pause):
    issuer = Issuer()
    with serving(issuer, max_age_s=1e-9) as (ask, _, _):
        assert ask(token_of(0)) == 200
        issuer.gate.clear()
        issuer.published = [jwk("RS256", rsa_key(1), kid="1")]
        assert ask(token_of(0)) == 200
        wait_until(lambda: issuer.asked == 2, "keys are fetched again")
        issuer.gate.set()
        wait_until(lambda: ask(token_of(0)) == 401, "the old key is gone")
        assert ask(token_of(1)) == 200


def redirected():
    return RedirectResponse("/elsewhere")


WRONG = {
    "an error": lambda: Response("no", 500),
    "a redirect": redirected,
    "no json": lambda: Response("<html>"),
    "no keys": lambda: Response('{"keys":[]}'),
    "no set": lambda: Response("[]"),
    "other keys": lambda: Response(json.dumps({"keys": [jwk("ES256", private_key("ES256"))]})),
    "too deep": lambda: Response("[" * 5000),
    "too much": lambda: StreamResponse(b" " * 65_536 for _ in range(100)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_issuer_that_fails_is_a_503_told_once_and_recovers(no_pause, wrong):
    issuer = Issuer()
    with serving(issuer) as (ask, server, _):
        issuer.answer = WRONG[wrong]
        assert [ask(token_of()) for _ in range(3)] == [503] * 3
        (line,) = server.log.messages("cannot be had")
        assert "tokens cannot be verified" in line
        assert "secret" not in line

        issuer.answer = None
        assert ask(token_of()) == 200
        assert len(server.log.messages("can be had again")) == 1

        issuer.answer = WRONG[wrong]
        assert ask(token("RS256", rsa_key(1), {"kid": "unknown"})) == 401
        assert ask(token_of()) == 200
        assert "those known stay in use" in server.log.messages("cannot be had")[-1]


def test_without_keys_an_issuer_is_not_asked_at_every_request(monkeypatch):
    monkeypatch.setattr(remote_keys, "_SHORT_PAUSE_S", 1e9)
    issuer = Issuer()
    issuer.answer = WRONG["an error"]
    with serving(issuer) as (ask, _, _):
        assert [ask(token_of()) for _ in range(5)] == [503] * 5
    assert issuer.asked == 1


def test_nobody_listening_is_a_503():
    scheme = RemoteJWT(f"http://127.0.0.1:{free_port()}/", algorithms=["RS256"], timeout_s=20)
    with serve(app_of(scheme)) as server, server.connect() as client:
        reply = client.ask("/", "GET", f"Authorization: Bearer {token_of()}")
        assert (reply.status, reply.get("retry-after")) == (503, "2")


def app_of(scheme):
    app = App()

    @app.get("/")
    async def who(found: Annotated[Claims, Depends(scheme)]) -> str | None:
        return found.subject

    return app


def test_an_issuer_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        scheme = RemoteJWT(url, algorithms=["RS256"], timeout_s=0.05)
        with serve(app_of(scheme)) as server, server.connect() as client:
            assert client.ask("/", "GET", f"Authorization: Bearer {token_of()}").status == 503


def test_an_issuer_that_drips_is_given_up():
    stop = threading.Event()

    def drip(listening):
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                while not stop.wait(0.01):
                    connection.sendall(b" ")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            scheme = RemoteJWT(url, algorithms=["RS256"], timeout_s=0.2)
            with serve(app_of(scheme)) as server, server.connect() as client:
                assert client.ask("/", "GET", f"Authorization: Bearer {token_of()}").status == 503
                # The second when this machine stood still for so long.
                assert re.search("not whole within|timed out", server.log.messages("cannot be had")[0])
        finally:
            stop.set()
            thread.join(20)


def test_who_goes_away_does_not_end_the_fetch_of_others():
    issuer = Issuer()
    issuer.gate.clear()
    with serve(issuer.app) as keys:
        scheme = RemoteJWT(f"http://127.0.0.1:{keys.port}/keys", algorithms=["RS256"])
        try:
            assert asyncio.run(_one_is_cancelled(scheme, issuer)) == "ann"
        finally:
            issuer.gate.set()
    assert issuer.asked == 1


async def _one_is_cancelled(scheme, issuer):
    from penstock import Request

    request = Request.build(headers=(("authorization", f"Bearer {token_of()}"),))
    first, second = asyncio.ensure_future(scheme(request)), asyncio.ensure_future(scheme(request))
    await asyncio.to_thread(wait_until, lambda: issuer.asked, "the keys are asked for")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    issuer.gate.set()
    return (await second).subject


def test_secrets_are_not_published():
    with pytest.raises(ApplicationError, match="a secret is not published"):
        RemoteJWT("https://issuer.example/keys", algorithms=["HS256"])
