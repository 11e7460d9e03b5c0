"""Ids of requests: what a client may say, and what is made when it says nothing of use."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http.current import current, current_request, trace_headers
from penstock.http.request import Request
from penstock.http.trace import Trace, new_span_id, new_trace, read_ids, trace_of

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
HEX = set("0123456789abcdef")


def ask(*fields: tuple[str, str]) -> Request:
    return Request.build(headers=[("host", "a"), *fields])


def traced(state: str, *more: str) -> Request:
    return ask(("traceparent", TRACEPARENT), *(("tracestate", one) for one in (state, *more)))


def is_new(request: Request) -> bool:
    ids = request.trace_id, request.span_id
    return (
        TRACE_ID not in ids and PARENT_ID not in ids and request.parent_id == "" and request.trace_flags == 3
    )


def test_a_valid_traceparent_is_taken_over():
    request = ask(("traceparent", TRACEPARENT))

    assert (request.trace_id, request.parent_id, request.trace_flags) == (TRACE_ID, PARENT_ID, 1)
    assert len(request.span_id) == 16
    assert set(request.span_id) <= HEX
    assert request.span_id not in (PARENT_ID, "0" * 16)


def test_ids_stay_the_same_all_request_long():
    request = ask()

    assert request.trace_id == request.trace_id
    assert request.span_id == request.span_id
    assert request.request_id == request.trace_id


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "00",
        TRACEPARENT.upper(),
        TRACEPARENT.replace("f0", "F0"),
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}-{PARENT_ID}",
        f"00-{TRACE_ID}-{PARENT_ID}-",
        f"00-{TRACE_ID}-{PARENT_ID}-1",
        f"00-{TRACE_ID}-{PARENT_ID}-011",
        f"00-{TRACE_ID}-{PARENT_ID}-01-",
        f"00-{TRACE_ID}-{PARENT_ID}-01-more",
        f"00-{TRACE_ID}-{PARENT_ID}-0x",
        f"0-{TRACE_ID}-{PARENT_ID}-01",
        f"000-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{TRACE_ID[1:]}-{PARENT_ID}-01",
        f"00-{TRACE_ID}0-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}0-01",
        f"00_{TRACE_ID}_{PARENT_ID}_01",
        f"01-{TRACE_ID}-{PARENT_ID}-01more",
        f"01-{TRACE_ID}-{PARENT_ID}-01-a b",
        f"{TRACEPARENT},",
        f"{TRACEPARENT}, {TRACEPARENT}",
        f"00-{TRACE_ID}-{PARENT_ID}-01-{'0' * 9000}",
        f"00-{'4' * 9000}-{PARENT_ID}-01",
        "\xb2" * 55,
    ],
)
def test_a_malformed_traceparent_is_none(sent):
    assert is_new(ask(("traceparent", sent), ("tracestate", "a=1")))
    assert ask(("traceparent", sent), ("tracestate", "a=1")).tracestate == ""


@pytest.mark.parametrize("second", [TRACEPARENT, f"01-{'1' * 32}-{'2' * 16}-01", "", "x"])
@pytest.mark.parametrize("first", [TRACEPARENT, f"01-{TRACE_ID}-{PARENT_ID}-01-more"])
def test_several_traceparents_are_none(first, second):
    assert is_new(ask(("traceparent", first), ("Traceparent", second)))
    assert is_new(ask(("traceparent", second), ("TRACEPARENT", first)))


@pytest.mark.parametrize(
    "sent", [f"01-{TRACE_ID}-{PARENT_ID}-01", f"cc-{TRACE_ID}-{PARENT_ID}-01-what-the-future-brings"]
)
def test_a_later_version_gives_what_it_has_in_common_with_ours(sent):
    request = ask(("traceparent", sent))

    assert (request.trace_id, request.parent_id, request.trace_flags) == (TRACE_ID, PARENT_ID, 1)


@pytest.mark.parametrize(
    ("sent", "flags"), [("00", 0), ("01", 1), ("02", 2), ("03", 3), ("ff", 3), ("fc", 0)]
)
def test_only_known_flags_are_kept(sent, flags):
    assert ask(("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-{sent}")).trace_flags == flags


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["a=1"], "a=1"),
        (["a=1,b=2"], "a=1,b=2"),
        (["a=1 , \tb=2\t,, ,"], "a=1,b=2"),
        (["a=1", "b=2", "c=3"], "a=1,b=2,c=3"),
        (["1x@vendor=o p/q;:"], "1x@vendor=o p/q;:"),
        (["a=1,b=2,a=3"], "a=1,b=2"),
        (["a=1", "a=1"], "a=1"),
        ([f"{'k' * 256}=1"], f"{'k' * 256}=1"),
        ([",".join(f"k{i}=1" for i in range(32))], ",".join(f"k{i}=1" for i in range(32))),
        ([",".join(f"k{i}=1" for i in range(33))], ""),
        (["a=1," * 33], ""),
        (["," * 10_000], ""),
        (["," * 100 + "a=1"], "a=1"),
        (["A=1"], ""),
        (["a=1,B=2"], ""),
        (["a"], ""),
        (["a="], ""),
        (["=1"], ""),
        (["a=1=2"], ""),
        (["a =1"], ""),
        (["a= 1"], "a= 1"),
        (["a=\xe9"], ""),
        (["_a=1"], ""),
        ([f"{'k' * 257}=1"], ""),
        ([f"a={'v' * 257}"], ""),
        # Too long: the long members go first, then the last.
        ([f"a=1,b={'v' * 256},c={'v' * 256},d=2"], "a=1,d=2"),
        ([",".join(f"k{i}={'v' * 100}" for i in range(6))], ",".join(f"k{i}={'v' * 100}" for i in range(4))),
        ([f"a={'v' * 252},b={'v' * 255}"], f"a={'v' * 252},b={'v' * 255}"),
        ([f"a={'v' * 253},b={'v' * 255}"], ""),
    ],
)
def test_tracestate_is_valid_or_dropped(sent, kept):
    assert traced(*sent).tracestate == kept


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=2000)
)
def test_whatever_comes_what_goes_out_is_valid(text):
    text = "".join(char for char in text if char == "\t" or 0x20 <= ord(char) < 0x7F or ord(char) > 0xA0)
    request = ask(("traceparent", text), ("tracestate", text), ("x-request-id", text))

    assert read_ids(f"00-{request.trace_id}-{request.span_id}-{request.trace_flags:02x}")[2]
    assert len(request.request_id) <= 128
    assert request.request_id.isascii()
    again = traced(text).tracestate
    assert len(again) <= 512
    assert traced(again).tracestate == again


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,20}", fullmatch=True),
            st.from_regex(r"[ -+\--<>-~]{0,40}[!-+\--<>-~]", fullmatch=True),
        ),
        max_size=8,
        unique_by=lambda pair: pair[0],
    )
)
def test_a_valid_tracestate_goes_through_untouched(pairs):
    state = ",".join(f"{key}={value}" for key, value in pairs)

    assert traced(state).tracestate == (state if len(state) <= 512 else traced(state).tracestate)


@pytest.mark.parametrize(
    "name", ["a", "x" * 128, "0-9~a.b_c:d/e+f=g@h", "7c9e6679-7425-40de-944b-e07fc1f90ae7"]
)
def test_a_plain_request_id_is_taken_over(name):
    assert ask(("X-Request-ID", name)).request_id == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 129, "a b", "<script>", 'a"b', "a\tb", "a%0d", "a,b", "\xe9", "a;b", "x" * 30_000, "a\\b"],
)
def test_any_other_request_id_is_the_trace_id(name):
    request = ask(("X-Request-ID", name), ("traceparent", TRACEPARENT))

    assert request.request_id == TRACE_ID


def test_several_request_ids_are_none():
    request = ask(("X-Request-ID", "a"), ("X-Request-ID", "b"))

    assert request.request_id == request.trace_id


def test_who_asks_for_no_id_pays_for_none():
    request = ask(("traceparent", TRACEPARENT))

    assert request.is_plain


def test_threads_make_different_ids():
    made: list[str] = []
    start = threading.Barrier(4)

    def make() -> None:
        start.wait(20)
        made.extend([read_ids(None)[0] + new_span_id() for _ in range(500)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 2000


def test_a_seed_of_the_application_makes_no_ids_come_again():
    random.seed(1)
    first = read_ids(None)
    random.seed(1)

    assert read_ids(None)[:2] != first[:2]


_FORKING = """
import os, random
random.seed(1)
from penstock.http.trace import read_ids
read_ids(None)
for number in range(3):
    if not os.fork():
        print(read_ids(None)[0], flush=True)
        os._exit(0)
    os.wait()
print(read_ids(None)[0])
"""


def test_forked_processes_make_different_ids():
    done = subprocess.run([sys.executable, "-c", _FORKING], capture_output=True, text=True, check=True)

    assert len(set(done.stdout.split())) == 4


def test_a_trace_is_what_a_request_says_and_can_be_pickled():
    request = traced("a=1")
    request.route = "/x/{y}"

    trace = pickle.loads(pickle.dumps(trace_of(request)))

    assert isinstance(trace, Trace)
    assert trace.trace_id == TRACE_ID
    assert trace.span_id == request.span_id
    assert (trace.tracestate, trace.method, trace.raw_path, trace.route) == ("a=1", "GET", b"/", "/x/{y}")


def test_outside_of_a_request_there_are_no_fields():
    assert trace_headers() == {}
    assert current_request() is None


def test_the_fields_of_an_outgoing_call_name_us_as_the_parent():
    request = ask(("traceparent", TRACEPARENT), ("tracestate", "a=1"), ("x-request-id", "r-1"))
    token = current.set(request)
    try:
        assert current_request() is request
        assert trace_headers() == {
            "traceparent": f"00-{TRACE_ID}-{request.span_id}-01",
            "tracestate": "a=1",
            "X-Request-ID": "r-1",
        }
    finally:
        current.reset(token)


def test_a_trace_without_a_request_has_fields_and_no_request():
    trace = new_trace()
    token = current.set(trace)
    try:
        assert current_request() is None
        assert trace_headers() == {
            "traceparent": f"00-{trace.trace_id}-{trace.span_id}-03",
            "X-Request-ID": trace.trace_id,
        }
    finally:
        current.reset(token)
