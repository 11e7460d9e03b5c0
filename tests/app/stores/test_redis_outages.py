"""Redis slow, killed, restarted, full, or not Redis at all: a StoreError in time, and well again afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from penstock.app.stores.guard import Guard
from penstock.app.stores.redis import RedisStore, hide_password
from penstock.errors import ApplicationError, StoreError, StoreRefused
from tests.ports import free_port

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")


class Asker:
    """A store by either of its forms, all from one loop."""

    def __init__(self, store, runner=None):
        self.store = store
        self._runner = runner

    def __getattr__(self, name):
        if self._runner is None:
            return getattr(self.store, name)
        form = getattr(self.store, f"a{name}")
        return lambda *args: self._runner.run(form(*args))

    def turn_loop(self):
        """Let the loop see what became of its connections, as one that serves does."""
        for _ in range(5 if self._runner is not None else 0):
            self._runner.run(asyncio.sleep(0))


@pytest.fixture(params=["threads", "loop"])
def opened(request):
    """`opened(url, timeout_s)` is an Asker; closed at the end."""
    runner = asyncio.Runner() if request.param == "loop" else None
    stores = []

    def make(url, timeout_s=20.0, **options):
        stores.append(RedisStore(url, timeout_s=timeout_s, **options))
        return Asker(stores[-1], runner)

    yield make
    for store in stores:
        store.close()
        if runner is not None:
            runner.run(store.aclose())
    if runner is not None:
        runner.close()
    gc.collect()  # what was left open would warn here


def test_a_redis_that_stands_still_is_a_store_error(own_redis, opened):
    store = opened(own_redis.url)
    store.get("a")
    own_redis.hold()
    store.store.timeout_s = 0.1
    try:
        with pytest.raises(StoreError, match=r"within 0\.1 s"):
            store.get("a")
        with pytest.raises(StoreError, match=r"within 0\.1 s"):  # on a new connection
            store.set("a", b"1")
    finally:
        own_redis.release()
        store.store.timeout_s = 20.0

    assert answers(store)


def test_no_answer_of_one_question_is_taken_for_that_of_another(own_redis, opened):
    store = opened(own_redis.url)
    store.set("a", b"of a")
    store.set("b", b"of b")
    own_redis.hold()
    store.store.timeout_s = 0.1
    with pytest.raises(StoreError):
        store.get("a")
    own_redis.release()
    store.store.timeout_s = 20.0

    assert store.get("b") == b"of b"


def test_one_that_was_killed_is_found_again_once_it_runs(own_redis, opened):
    store = opened(own_redis.url)
    store.set("a", b"1")

    own_redis.kill()
    with pytest.raises(StoreError):
        store.get("a")
    own_redis.start()

    assert store.get("a") is None
    store.set("a", b"2")
    assert store.get("a") == b"2"


def test_a_restart_between_two_uses_is_not_seen(own_redis, opened):
    store = opened(own_redis.url)
    store.get("a")

    own_redis.kill()
    own_redis.start()
    store.turn_loop()

    assert store.get("a") is None


def test_a_full_one_refuses_and_goes_on_answering(own_redis, opened):
    store = opened(own_redis.url)
    store.set("a", b"1")
    own_redis.command("CONFIG", "SET", "maxmemory", "1")

    with pytest.raises(StoreRefused, match="maxmemory"):
        store.set("b", b"2")

    assert store.get("a") == b"1"


def test_an_error_of_redis_is_a_store_error(own_redis, opened):
    store = opened(own_redis.url)
    own_redis.command("LPUSH", "penstock:list", "x")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        store.get("list")

    assert store.get("a") is None


def test_a_script_runs_and_is_sent_once(own_redis, opened):
    store = opened(own_redis.url, prefix="p:")
    script = "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1]}"

    first, second = (store.run_script(script, ("k",), value) for value in (b"1", b"2"))

    assert (first, second) == ([b"p:k", b"1"], [b"p:k", b"2"])
    assert own_redis.command("INFO", "commandstats")["cmdstat_eval"]["calls"] == 1


def test_another_prefix_is_another_store(own_redis, opened):
    one, other = opened(own_redis.url, prefix="a*"), opened(own_redis.url, prefix="ab")
    one.set("k", b"1")
    other.set("k", b"2")

    one.clear()

    assert (one.get("k"), other.get("k")) == (None, b"2")


LIES = {
    "garbage": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a number": b":12\r\n",
    "an array": b"*1\r\n:1\r\n",
    "a broken length": b"$1x\r\n",
    "a huge length": b"$99999999999999\r\n",
    "a negative length": b"$-7\r\n\r\n",
    "huge digits": b":" + b"9" * 10_000 + b"\r\n",
    "deep arrays": b"*1\r\n" * 20_000,
    "an error": b"-ERR no such thing\r\n",
    "octets": b"\xff\xfe\x00\x00\r\n",
    "nothing": b"",
    "no line": b"x",
}


@contextmanager
def liar(lie, trickle_s=None):
    """A socket whose end says `lie` to whatever it is asked, and hangs up on nobody; with `trickle_s` octet by octet."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()
    threads = []

    def speak(connection):
        connection.settimeout(20)
        with connection:
            try:
                while not over.is_set() and connection.recv(65_536):
                    if trickle_s is None:
                        connection.sendall(lie)
                        continue
                    while not over.wait(trickle_s):
                        connection.sendall(lie)
            except OSError:
                return

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=speak, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join(30)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_not_redis_is_a_store_error(lie, opened):
    with liar(lie) as url:
        store = opened(url, timeout_s=0.1)

        with pytest.raises(StoreError):
            store.get("a")
        with pytest.raises(StoreError):
            store.set("a", b"1")
        store.store.close()
        if store._runner is not None:
            store._runner.run(store.store.aclose())


def test_an_answer_octet_by_octet_ends_with_the_time(opened):
    with liar(b"+", trickle_s=0.02) as url:
        store = opened(url, timeout_s=0.2)
        start = time.monotonic()

        with pytest.raises(StoreError, match=r"within 0\.2 s"):
            store.get("a")

        assert time.monotonic() - start < 20  # each octet alone would come in time for ever
        store.store.close()
        if store._runner is not None:
            store._runner.run(store.store.aclose())


def test_where_nobody_listens_is_a_store_error(opened):
    with pytest.raises(StoreError, match=r"127\.0\.0\.1"):
        opened(f"redis://:secret@127.0.0.1:{free_port()}").get("a")


def test_a_guarded_store_recovers_by_itself(own_redis, opened, caplog):
    asker = opened(own_redis.url)
    asker.store = Guard(asker.store)
    asker.set("a", b"1")
    own_redis.kill()
    for _ in range(20):
        with pytest.raises(StoreError):
            asker.get("a")
    own_redis.start()

    wait_until(lambda: answers(asker))

    told = [record.getMessage() for record in caplog.records if record.name == "penstock.store"]
    assert [" is lost" in line or " is back" in line for line in told] == [True, True]


def test_a_child_of_a_fork_has_connections_of_its_own(own_redis):
    store = RedisStore(own_redis.url, timeout_s=20)
    store.set("a", b"of the parent")
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        answer = b"failed"
        try:
            store.set("child", b"1")
            answer = store.get("a")
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    for _ in range(100):
        assert store.get("a") == b"of the parent"
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"of the parent"
    os.waitpid(child, 0)
    assert store.get("child") == b"1"
    store.close()


def test_more_uses_at_once_than_connections_wait_for_their_turn(own_redis):
    async def scene():
        store = RedisStore(own_redis.url, timeout_s=20, limit_connections=3)
        await store.aset("a", b"1")
        values = await asyncio.gather(*(store.aget("a") for _ in range(200)))
        clients = own_redis.command("INFO", "clients")["connected_clients"]
        await store.aclose()
        return values, clients

    values, clients = asyncio.run(scene())

    assert values == [b"1"] * 200
    assert clients <= 4


def test_a_use_that_is_cancelled_leaves_nothing_for_the_next(own_redis):
    async def scene():
        store = RedisStore(own_redis.url, timeout_s=20, limit_connections=1)
        await store.aset("a", b"1")
        await store.aset("b", b"2")
        for steps in range(6):
            task = asyncio.ensure_future(store.aget("a"))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await store.aget("b") == b"2"
        await store.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis://h:port/0", None])
def test_what_is_no_url_of_redis_is_an_application_error(url):
    with pytest.raises(ApplicationError, match="RedisStore"):
        RedisStore(url)


@pytest.mark.parametrize("options", [{"prefix": ""}, {"timeout_s": 0}, {"limit_connections": 0}])
def test_options_that_cannot_be_meant_are_application_errors(options):
    with pytest.raises(ApplicationError, match=next(iter(options))):
        RedisStore("redis://127.0.0.1", **options)


def test_the_password_is_shown_nowhere():
    store = RedisStore("redis://me:geheim@127.0.0.1:6379/0")

    assert "geheim" not in repr(store)
    assert hide_password("redis://h?password=geheim") == "redis://h?password=***"


def answers(store):
    try:
        store.get("a")
    except StoreError:
        return False
    return True


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
