"""One round against servers that behave, and against servers that lie: every request ends in exactly one count."""

import _thread
import resource
import socket
import threading

import pytest

from http_benchmark.errors import NothingMeasured, UsageError
from http_benchmark.load.generator import LoadOptions, run_load
from http_benchmark.load.scenario import Request, Scenario
from tests.http_benchmark.load.liar import HELLO, answering, closing, lying
from tests.ports import free_port


def load(url, *, scenario=None, request=None, **options):
    """A round of 20 requests over 2 connections, where nothing else is asked for."""
    options = {"connections": 2, "requests": 20, "warm_up_s": 0.0, "timeout_s": 20.0} | options
    return run_load(
        scenario or Scenario(requests=(Request(url=url, **(request or {})),)), LoadOptions(**options)
    )


def counts(made):
    return made.requests, made.errors


def test_every_request_is_counted_once():
    with lying(answering(HELLO)) as server:
        made = load(server.url, requests=500, connections=4)

    assert counts(made) == (500, {})
    assert len(server.requests) == 500
    assert set(server.requests) == {f"GET / HTTP/1.1\r\nHost: {server.url[7:-1]}\r\n\r\n".encode()}
    assert made.connections_opened == 4 and made.connections_reused == 496
    assert made.octets_received == 500 * len(HELLO)
    assert made.octets_sent == sum(map(len, server.requests))
    assert made.first_octet.total == 500 and made.corrected.total >= 500 and made.lateness is None
    assert sum(second.latency.total for second in made.seconds) == 500
    assert made.in_flight_at_end == 0 and not made.was_interrupted


def test_a_round_ends_after_its_duration_with_all_replies():
    with lying(answering(HELLO)) as server:
        made = load(server.url, requests=None, duration_s=0.2)

    assert made.requests == len(server.requests) > 0
    assert made.duration_s >= 0.2
    assert 0 < made.effective_concurrency < 3


def test_warm_up_is_not_counted_and_keeps_its_connections():
    with lying(answering(HELLO)) as server:
        made = load(server.url, warm_up_s=0.1)

    assert counts(made) == (20, {})
    assert len(server.requests) > 20
    assert made.connections_opened == server.connections == 2 and made.connections_reused == 20


@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", {"status 503": 20}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world", {"protocol": 20}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", {"protocol": 20}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", {"protocol": 20}),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", {"protocol": 20}),
        (b"SSH-2.0-OpenSSH_9.2\r\n", {"protocol": 20}),
        (b"HTTP/1.1 101 Switching\r\n\r\n", {"protocol": 20}),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 65, {"protocol": 20}),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, {"protocol": 20}),
        (b"HTTP/1.1 200 OK\r\n Folded: no\r\n\r\n", {"protocol": 20}),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", {"protocol": 20}),
    ],
    ids=[
        "status", "surplus", "sign", "two framings", "chunk", "ssh", "upgrade", "interim", "head", "fold", "LF"
    ],
)  # fmt: skip
def test_a_reply_that_is_wrong_is_an_error_of_its_class(reply, errors):
    with lying(answering(reply)) as server:
        made = load(server.url)

    assert counts(made) == (0, errors)
    assert len(made.examples) == 1
    assert made.in_flight_at_end == 0


@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        (HELLO[:-2], {"short": 20}),
        (HELLO[:20], {"short": 20}),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", {"short": 20}),
        (b"", {"reset": 20}),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", {}),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", {}),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", {}),
    ],
    ids=["content", "head", "chunk", "nothing", "until close", "HTTP/1.0", "close"],
)
def test_a_server_that_closes(reply, errors):
    with lying(closing(reply)) as server:
        made = load(server.url, connections=1)

    assert counts(made) == (20 - sum(errors.values()), errors)
    assert made.connections_opened == len(server.requests) == 20


def test_a_server_that_resets():
    def script(peer):
        while peer.request():
            if len(server.requests) % 5 == 0:
                peer.reset()
                return
            peer.say(HELLO)

    with lying(script) as server:
        made = load(server.url, connections=1)

    assert counts(made) == (16, {"reset": 4})


@pytest.mark.parametrize(
    "reply",
    [
        HELLO,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n",
        b"HTTP/1.1 200 \r\ncontent-length: 5\r\nSet-Cookie: a=b\r\n\r\nhello",
    ],
    ids=["length", "interim", "chunked", "no reason"],
)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "octet by octet"])
def test_a_reply_is_read_however_it_is_cut(reply, split):
    def script(peer):
        while peer.request():
            (peer.say_split if split else peer.say)(reply)

    with lying(script) as server:
        made = load(server.url, expect_body=b"hello", expect_status=frozenset({200}))

    assert counts(made) == (20, {})
    assert made.octets_received == 20 * len(reply)


@pytest.mark.parametrize(
    ("reply", "request_", "errors"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {"method": "HEAD"}, {}),
        (b"HTTP/1.1 204 No Content\r\n\r\n", {}, {}),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", {}, {}),
        (HELLO, {"expect_body": b"hello"}, {}),
        (HELLO, {"expect_body": b"hellO"}, {"content": 20}),
        (HELLO, {"expect_body": b"hell"}, {"content": 20}),
        (HELLO, {"expect_body": b"hello!"}, {"content": 20}),
        (HELLO, {"expect_status": frozenset({201})}, {"status 200": 20}),
    ],
    ids=["HEAD", "204", "304", "right", "other octet", "longer", "shorter", "status"],
)
def test_what_is_expected(reply, request_, errors):
    with lying(answering(reply)) as server:
        made = load(server.url, request=request_)

    assert counts(made) == (20 - sum(errors.values()), errors)
    assert made.connections_opened == 2


def test_a_known_reply_is_still_wrong_where_another_is_expected():
    with lying(answering(HELLO)) as server:
        requests = (Request(url=server.url), Request(url=server.url + "b", expect_body=b"other"))
        made = load(server.url, scenario=Scenario(requests=requests))

    assert counts(made) == (10, {"content": 10})


def test_replies_that_are_wrong_now_and_then_are_counted_exactly():
    error = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
    with lying(answering(*[HELLO] * 9, error)) as server:
        made = load(server.url, requests=400, connections=1)

    assert counts(made) == (360, {"status 500": 40})


@pytest.mark.parametrize("limit", [1, 3])
def test_connections_are_closed_after_so_many_requests(limit):
    with lying(answering(HELLO)) as server:
        made = load(server.url, requests=12, connections=1, requests_per_connection=limit)

    assert counts(made) == (12, {})
    assert made.connections_opened == server.connections == 12 // limit
    assert made.connections_reused == 12 - 12 // limit
    last = [b"Connection: close\r\n" in request for request in server.requests]
    assert last == [(index + 1) % limit == 0 for index in range(12)]


@pytest.mark.parametrize("split", [False, True], ids=["whole", "octet by octet"])
def test_pipelined_replies_are_matched_in_order(split):
    def script(peer):
        while peer.request():
            requests = [server.requests[-1]] + [peer.request() for _ in range(4)]
            replies = b"".join(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + request[5:7] for request in requests
            )
            (peer.say_split if split else peer.say)(replies)

    with lying(script) as server:
        requests = tuple(Request(url=f"{server.url}{n}", expect_body=b"%d " % n) for n in range(7))
        scenario = Scenario(requests=requests)
        made = load(server.url, scenario=scenario, requests=35, connections=1, pipeline=5)

    assert counts(made) == (35, {})
    assert [int(request[5:6]) for request in server.requests] == scenario.order * 5


def test_a_pipeline_that_breaks_loses_all_that_was_in_flight():
    def script(peer):
        for _ in range(4):
            peer.request()
        peer.say(HELLO)

    with lying(script) as server:
        made = load(server.url, requests=20, connections=1, pipeline=4)

    # Four times five are sent, the fifth when the first was answered; the others are lost.
    assert counts(made) == (4, {"reset": 16})


def test_octets_before_any_request_fail_the_request_that_meets_them():
    def script(peer):
        peer.say(HELLO)
        peer.request()

    with lying(script) as server:
        made = load(server.url, requests=1, connections=1)

    assert made.requests + made.error_count == 1


def test_a_server_that_never_answers_times_out():
    with lying(answering(b"")) as server:
        made = load(server.url, requests=2, timeout_s=0.1)

    assert counts(made) == (0, {"timeout": 2})


def test_a_server_that_dribbles_times_out():
    done = threading.Event()

    def script(peer):
        while peer.request():
            peer.say(b"HTTP/1.1 200 OK\r\n")
            while not done.wait(0.01):
                peer.say(b"X: y\r\n")

    with lying(script) as server:
        made = load(server.url, requests=2, timeout_s=0.2)
        done.set()

    assert counts(made) == (0, {"timeout": 2})


def test_nobody_listens():
    with pytest.raises(NothingMeasured, match=r"cannot connect to 127\.0\.0\.1:\d+: .*is the server running"):
        load(f"http://127.0.0.1:{free_port()}/")


def test_a_server_that_goes_away_is_counted_as_refused():
    def script(peer):
        peer.request()
        server.refuse()

    with lying(script) as server:
        made = load(server.url, requests=3, connections=1)

    assert counts(made) == (0, {"reset": 1, "refused": 2})


def test_stop_ends_the_round_and_reports():
    stop = threading.Event()

    def script(peer):
        while peer.request():
            peer.say(HELLO)
            if len(server.requests) > 50:
                stop.set()

    with lying(script) as server:
        scenario = Scenario(requests=(Request(url=server.url),))
        options = LoadOptions(connections=2, duration_s=300.0, warm_up_s=0.0)
        made = run_load(scenario, options, stop=stop)

    assert made.was_interrupted
    assert made.requests > 45
    assert made.duration_s < 60


def test_a_large_body_is_sent_whole_to_a_server_that_reads_slowly():
    body = bytes(range(256)) * 20_000
    with lying(answering(HELLO)) as server:
        made = load(server.url, request={"method": "POST", "body": body}, requests=2, connections=1)

    assert counts(made) == (2, {})
    assert [request.partition(b"\r\n\r\n")[2] == body for request in server.requests] == [True, True]


def test_a_reply_before_the_whole_request_counts_and_ends_the_connection():
    def script(peer):
        peer.sock.recv(1000)
        peer.say(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n")
        peer.sock.recv(1)

    with lying(script) as server:
        made = load(
            server.url, request={"method": "POST", "body": bytes(20_000_000)}, requests=2, connections=1
        )

    assert counts(made) == (0, {"status 413": 2})
    assert made.connections_opened == 2


def test_unix_sockets(tmp_path):
    path = str(tmp_path / "s")
    with lying(answering(HELLO), unix=path) as server:
        made = load(server.url, unix_path=path)

    assert counts(made) == (20, {})
    assert server.requests[0] == b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_ctrl_c_ends_the_round_and_reports():
    interrupted = threading.Event()

    def script(peer):
        while peer.request():
            peer.say(HELLO)
            if len(server.requests) > 50 and not interrupted.is_set():
                interrupted.set()
                _thread.interrupt_main()

    with lying(script) as server:
        made = load(server.url, requests=None, duration_s=300.0)

    assert made.was_interrupted
    assert made.requests > 40 and made.requests + made.in_flight_at_end <= len(server.requests) + 2


def test_the_next_address_of_a_host_is_taken_where_nobody_listens_at_the_first(monkeypatch):
    with lying(answering(HELLO)) as server:
        port = int(server.url.rstrip("/").rpartition(":")[2])
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each)) for each in (free_port(), port)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        made = load(f"http://somewhere:{port}/")

    assert counts(made) == (20, {})
    assert b"Host: somewhere" in server.requests[0]


def test_a_host_nobody_knows():
    with pytest.raises(NothingMeasured, match=r"the host 'no-host\.invalid' is not known"):
        load("http://no-host.invalid/")


def test_more_connections_than_files_may_be_open(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (50, 100))

    with pytest.raises(UsageError, match="200 connections need 264 open files, and 100 are allowed"):
        load("http://127.0.0.1:1/", connections=200)


def test_stop_ends_the_wait_for_the_last_replies():
    stop = threading.Event()

    def script(peer):
        peer.request()
        threading.Timer(0.3, stop.set).start()
        peer.request()  # never comes

    with lying(script) as server:
        scenario = Scenario(requests=(Request(url=server.url),))
        options = LoadOptions(connections=2, duration_s=0.05, warm_up_s=0.0, timeout_s=300.0)
        made = run_load(scenario, options, stop=stop)

    assert (made.requests, made.errors, made.in_flight_at_end) == (0, {}, 2)
    assert made.was_interrupted


def test_a_unix_socket_whose_backlog_is_full(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with pytest.raises(NothingMeasured, match=r"not connected within 0\.2 s; is it reachable"):
            load("http://localhost/", unix_path=path, timeout_s=0.2)
