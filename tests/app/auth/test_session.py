"""What a handler sees as `request.session`, without a hook: reading, changes, their detection."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.http.request import Request
from penstock.http.session import Kept, Session, touched_session

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)  # fmt: skip


def opened(octets=b'{"user":7}'):
    return Session(lambda _: Kept(1, 2, octets), None)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON))
def test_json_values_come_back_as_they_were_and_count_as_unchanged(values):
    session = Session(lambda _: None, None)
    session.update(values)
    octets = session.changed()

    if values:
        again = opened(octets)
        assert dict(again) == values
        assert again.changed() is None
    else:
        assert octets is None


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**40 - 1), st.integers(0, 2**40 - 1), st.binary())
def test_what_is_kept_is_packed_and_unpacked(begun, renewed, octets):
    kept = Kept(begun, renewed, octets)

    assert Kept.unpacked(kept.packed()) == kept


def test_it_is_read_once_and_when_first_asked():
    reads = []
    session = Session(lambda _: reads.append(1), None)
    assert (session.is_touched, repr(session)) == (False, "<Session unread>")

    assert session.get("user") is None
    assert "user" not in session

    assert (reads, session.is_touched, session.is_new) == ([1], True, True)


def test_a_value_inside_a_value_may_change():
    session = opened(b'{"cart":[{"id":1}]}')
    assert session.changed() is None
    assert dict(session) == {"cart": [{"id": 1}]}
    assert session.changed() is None

    session["cart"][0]["id"] = 2

    assert session.changed() == b'{"cart":[{"id":2}]}'


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.__setitem__("user", 8),
        lambda session: session.__delitem__("user"),
        lambda session: session.pop("user"),
        lambda session: session.popitem(),
        lambda session: session.update(user=True),
        lambda session: session.setdefault("other", 1),
        lambda session: session.clear(),
        lambda session: session.rotate(),
    ],
)
def test_every_way_to_change_it_counts(change):
    session = opened()
    change(session)
    assert session.changed() is not None

    sealed = opened()
    sealed.seal()
    with pytest.raises(RuntimeError, match="before the response begins"):
        change(sealed)


def test_the_same_value_set_again_is_no_change():
    session = opened()
    session["user"] = 7
    assert session.changed() is None


def test_a_brace_in_a_text_does_not_hide_a_change():
    session = opened(b'{"note":"{[","tags":[]}')
    session["tags"].append("x")
    assert session.changed() == b'{"note":"{[","tags":["x"]}'


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({1, 2}, TypeError, r"session\['bad'\]: .*set is not JSON.*JSON values only"),
        (float("nan"), ValueError, r"session\['bad'\]"),
        ("\ud800", ValueError, r"session\['bad'\]"),
        (b"x", TypeError, r"session\['bad'\]"),
    ],
)
def test_what_is_not_json_is_refused_by_its_key(value, error, message):
    session = opened()
    session["bad"] = value
    with pytest.raises(error, match=message):
        session.changed()


def test_too_deep_a_value_is_refused():
    deep = []
    for _ in range(200_000):
        deep = [deep]
    session = opened()
    session["deep"] = deep
    with pytest.raises(ValueError, match=r"session\['deep'\]"):
        session.changed()
    del session["deep"]
    while deep:  # freed level by level
        deep = deep.pop()


def test_keys_are_text():
    with pytest.raises(TypeError, match="text, not int"):
        opened()[7] = 1


@pytest.mark.parametrize("octets", [b"", b"[]", b"null", b'{"a":', b"\xff", b"[" * 500])
def test_what_is_no_object_is_an_empty_session(octets):
    session = opened(octets)
    assert (dict(session), session.is_new) == ({}, True)


def test_its_values_are_not_shown():
    session = opened(b'{"token":"very secret"}')
    assert session["token"] == "very secret"
    assert repr(session) == "<Session token>"
    session.clear()
    assert repr(session) == "<Session empty>"


def test_without_a_hook_the_question_names_one():
    request = Request.build()

    assert touched_session(request) is None
    with pytest.raises(RuntimeError, match="CookieSessions"):
        request.session  # noqa: B018 - asking is the test


def test_a_request_tells_whether_its_session_was_asked():
    request = Request.build()
    request.session = session = opened()
    assert touched_session(request) is None

    assert session["user"] == 7

    assert touched_session(request) is session
