"""Records as JSON and as text: what a line has, what it never has, and how long it gets."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import JSONFormatter, Request, TextFormatter, TraceFilter
from penstock.http.current import current

TEXTS = st.text(st.characters(codec=None), max_size=40)
LINE_BYTES = 65_536


@pytest.fixture
def request_now():
    """A request that the test works for."""
    request = Request.build(headers=[("host", "t"), ("x-request-id", "order-7")])
    token = current.set(request)
    yield request
    current.reset(token)


def make_record(message="sold", args=(), **members):
    fields = {"name": "shop", "levelname": "INFO", "levelno": logging.INFO, "msg": message, "args": args}
    return logging.makeLogRecord(fields | {"created": 1_700_000_000.1234, "process": 7} | members)


def failed(error):
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def test_line_of_json_has_time_level_logger_message_and_worker():
    line = JSONFormatter().format(make_record("sold %d", (3,)))

    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.123Z",
        "level": "INFO",
        "logger": "shop",
        "message": "sold 3",
        "worker": 7,
    }


@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
def test_line_tells_the_request_it_was_logged_for(request_now, formatter):
    line = formatter.format(make_record())

    assert request_now.trace_id in line


def test_json_tells_span_and_request_id_too(request_now):
    told = json.loads(JSONFormatter().format(make_record()))

    assert (told["span_id"], told["request_id"]) == (request_now.span_id, "order-7")


def test_filter_marks_records_for_formats_of_others(request_now):
    record = make_record()

    assert TraceFilter().filter(record) is True
    current.set(None)

    form = logging.Formatter("%(trace_id)s %(span_id)s %(request_id)s %(message)s")
    assert form.format(record) == f"{request_now.trace_id} {request_now.span_id} order-7 sold"


def test_filter_marks_records_outside_of_requests_with_nothing():
    record = make_record()

    TraceFilter().filter(record)

    assert logging.Formatter("[%(trace_id)s] %(message)s").format(record) == "[] sold"


def test_filter_leaves_a_record_the_request_it_tells_of(request_now):
    record = make_record(trace_id="other")

    TraceFilter().filter(record)

    assert (record.trace_id, record.span_id, record.request_id) == ("other", "", "")


def test_members_of_the_caller_are_members_of_the_line():
    told = json.loads(
        JSONFormatter(release="1.2").format(make_record(order=17, items=["tea"], left=float("inf")))
    )

    assert (told["order"], told["items"], told["left"], told["release"]) == (17, ["tea"], "inf", "1.2")


@pytest.mark.parametrize("name", ["time", "level", "logger", "worker", "release", "exception", "stack"])
def test_member_with_a_name_of_ours_does_not_take_it(name):
    record = make_record(**{name: "forged"})

    assert "forged" not in JSONFormatter(release="1.2").format(record)


def test_members_are_shown_in_text_behind_the_message():
    line = TextFormatter().format(make_record(order=17, who="a b", empty=""))

    assert line == '2023-11-14T22:13:20.123Z INFO shop sold order=17 who="a b" empty=""'


def test_member_whose_name_would_forge_a_line_is_quoted():
    line = TextFormatter().format(make_record(**{"a\n2023-11-14T22:13:20.123Z INFO forged": 1}))

    assert line == '2023-11-14T22:13:20.123Z INFO shop sold "a\\n2023-11-14T22:13:20.123Z INFO forged"=1'


def test_exception_is_told_in_parts():
    told = json.loads(JSONFormatter().format(make_record(exc_info=failed(KeyError("tea")))))

    assert told["exception"]["type"] == "KeyError"
    assert told["exception"]["message"] == "'tea'"
    assert told["exception"]["stack"].startswith("Traceback (most recent call last):\n")
    assert told["exception"]["stack"].endswith("KeyError: 'tea'")


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
def test_exception_that_cannot_be_shown_costs_its_message_alone(formatter):
    assert "Broken" in formatter.format(make_record(exc_info=failed(Broken())))


@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
@settings(max_examples=30)
@given(message=TEXTS, name=TEXTS, value=TEXTS, error=TEXTS)
def test_whatever_is_said_the_line_is_one_line(formatter, message, name, value, error):
    record = make_record(message, **{"m" + name: value}, exc_info=failed(ValueError(error)))

    line = formatter.format(record)

    line.encode("utf-8", "backslashreplace" if isinstance(formatter, TextFormatter) else "strict")
    if isinstance(formatter, JSONFormatter):
        assert len(line.splitlines()) == 1
        assert json.loads(line)["message"] == message
    first, *rest = line.split("\n")
    assert all(part.startswith("    ") for part in rest)
    assert first.startswith(("2023-11-14T22:13:20.123Z ", "{"))


@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
@pytest.mark.parametrize("evil", ["a\n2023-11-14T22:13:20.123Z ERROR shop sold", "\x1b[31m", "\u202e"])
def test_names_cannot_pass_for_a_record_or_be_obeyed_by_a_terminal(formatter, evil):
    line = formatter.format(make_record(name=evil, levelname=evil, **{evil: {evil: evil}}))

    assert line.isprintable()


@pytest.mark.parametrize("character", ["x", "\x00", "ü", "\U0001f375", "\udc80", '"'])
def test_line_of_json_is_bounded_whatever_is_in_it(character):
    text = character * 200_000

    line = JSONFormatter().format(
        make_record(
            text, exc_info=failed(ValueError(text)), stack_info=text, one=text, two=[text] * 50, name=text
        )
    )

    assert len(line.encode()) <= LINE_BYTES
    assert "characters cut]" in json.loads(line)["message"]


def test_secrets_are_hidden_wherever_they_are():
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        record = make_record(
            "token=hunter2 for %s",
            ("Bearer hunter2hunter2",),
            exc_info=sys.exc_info(),
            api_key="hunter2",
            pin={"secret": ["hunter2", 2]},
        )

    assert "hunter2" not in JSONFormatter().format(record).replace('raise ValueError(\\"password=hunter2', "")
    assert "hunter2" not in TextFormatter().format(record).replace('raise ValueError("password=hunter2', "")


def test_arguments_that_do_not_fit_still_make_a_line():
    line = JSONFormatter().format(make_record("%d seconds", ("none",)))

    assert json.loads(line)["message"] == "'%d seconds' with ('none',)"


def test_colours_are_for_terminals_alone(monkeypatch):
    coloured = TextFormatter(is_coloured=True).format(make_record("sold \x1b[31m", order=1))

    assert "\x1b[32mINFO\x1b[0m" in coloured
    assert "sold \\x1b[31m" in coloured
    assert "\x1b" not in TextFormatter().format(make_record())
