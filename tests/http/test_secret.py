"""A `Secret` shows itself to nobody and is its value to whoever asks."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback
from dataclasses import asdict, dataclass

import pytest

from penstock import Secret
from penstock.http.json import dumps
from penstock.http.redaction import redactor

VALUE = "hunter2-Sekret"


@dataclass
class Login:
    user: str
    password: Secret[str]


def test_no_way_to_text_shows_it(caplog):
    secret = Secret(VALUE)
    log = logging.getLogger("secrets")

    log.warning("%s %r %s", secret, secret, {"password": secret})
    ways = [
        repr(secret),
        str(secret),
        f"{secret} {secret!r} {secret!s:>20} {secret:>20}",
        "{} {:10}".format(secret, secret),  # noqa: UP032
        "%s %r %10s" % (secret, secret, secret),  # noqa: UP031
        pprint.pformat({"a": [secret]}),
        repr(Login("bob", secret)),
        repr(asdict(Login("bob", secret))),
        dumps(Login("bob", secret)).decode(),
        json.dumps({"a": secret}, default=str),
        str(redactor().locals({"x": secret, "login": Login("bob", secret)})),
        str(secret.__dir__()),
        caplog.text,
    ]

    assert [way for way in ways if VALUE in way] == []
    assert str(secret) == "[redacted]"
    assert dumps({"a": secret}) == b'{"a":"[redacted]"}'


def test_it_is_not_in_a_traceback_that_shows_variables():
    secret = Secret(VALUE)

    try:
        secret.password = 1
    except AttributeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())

    assert "secret = Secret('[redacted]')" in shown
    assert VALUE not in shown


def test_its_value_is_there_for_who_asks():
    assert Secret(VALUE).reveal() == VALUE
    assert Secret(7).reveal() == 7


def test_two_are_equal_when_their_values_are():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("é\ud800") == Secret("é\ud800")
    assert Secret(b"a") == Secret(b"a")
    assert Secret(1) == Secret(1)
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a")
    assert not Secret("")


def test_it_is_copied_and_sent_to_other_processes_with_its_value():
    secret = Secret(VALUE)

    copies = [copy.copy(secret), copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))]

    assert [one.reveal() for one in copies] == [VALUE] * 3


def test_it_does_not_change():
    secret = Secret(VALUE)

    with pytest.raises(AttributeError):
        secret._value = "other"
    with pytest.raises(AttributeError):
        del secret._value
