"""The exception tree: who catches what, what a message says, and that errors travel between processes."""

import doctest
import pickle

import pytest

from penstock import errors
from penstock.errors import (
    ApplicationError,
    ClientDisconnected,
    ConfigError,
    HTTPError,
    LocalProtocolError,
    MissingExtra,
    PenstockError,
    ProtocolError,
    RemoteProtocolError,
    RouteConflict,
    ValidationError,
)

FAULTS = [{"loc": ["query", "page"], "msg": "expected an integer", "type": "int"}]


def test_the_examples_run() -> None:
    assert doctest.testmod(errors).failed == 0


def test_one_root_catches_everything_the_package_raises_on_purpose() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]

    assert len(kinds) == 34
    assert all(issubclass(kind, PenstockError) for kind in kinds)


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (RouteConflict, ApplicationError),
        (MissingExtra, ImportError),
        (RemoteProtocolError, ProtocolError),
        (LocalProtocolError, ProtocolError),
        (ValidationError, HTTPError),
    ],
)
def test_narrow_kinds_are_caught_by_the_wide_one(kind: type, parent: type) -> None:
    assert issubclass(kind, parent)


def test_a_fault_of_the_peer_is_400_and_one_of_ours_500_unless_said() -> None:
    assert (RemoteProtocolError().status, LocalProtocolError().status) == (400, 500)
    assert RemoteProtocolError(431, "too many fields").detail == "too many fields"
    assert str(RemoteProtocolError(431, "too many fields")) == "431: too many fields"


def test_an_http_error_keeps_what_the_response_needs() -> None:
    error = HTTPError(
        404, "no user 7", title="Unknown user", type="/errors/user", headers={"X": "1"}, user_id=7
    )

    assert (error.status, error.detail, error.title, error.type) == (
        404,
        "no user 7",
        "Unknown user",
        "/errors/user",
    )
    assert (error.headers, error.extensions) == ({"X": "1"}, {"user_id": 7})
    assert str(error) == "404: no user 7"
    assert str(HTTPError(404)) == "404: no detail"


@pytest.mark.parametrize("status", [0, 200, 304, 399, 600])
def test_an_http_error_is_an_error(status: int) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        HTTPError(status)


def test_a_validation_error_names_every_fault() -> None:
    error = ValidationError(FAULTS)

    assert (error.status, error.errors, error.extensions) == (422, FAULTS, {"errors": FAULTS})


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("no such file"),
        RouteConflict("twice"),
        MissingExtra("install penstock[redis]"),
        RemoteProtocolError(414, "long"),
        LocalProtocolError(detail="bad field"),
        HTTPError(409, "taken", title="t", name="x"),
        ValidationError(FAULTS, "bad page"),
        ClientDisconnected(),
    ],
)
def test_an_error_survives_the_way_back_from_a_worker_process(error: PenstockError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
