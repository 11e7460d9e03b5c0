"""Status codes: the registry's phrases, and which statuses carry content."""

import doctest
from http import HTTPStatus

import pytest

from penstock.http import status as module
from penstock.http.status import REASONS, has_content, reason


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


# Renamed by RFC 9110, dropped from the registry, or never in it.
DIFFERENT = {413, 414, 416, 418, 422, 510}


@pytest.mark.parametrize("known", [status for status in HTTPStatus if status not in DIFFERENT])
def test_phrases_agree_with_the_standard_library(known: HTTPStatus) -> None:
    assert reason(known) == known.phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
    ],
)
def test_phrases_renamed_by_rfc_9110(status: int, phrase: str) -> None:
    assert reason(status) == phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (199, "Informational"),
        (299, "Success"),
        (399, "Redirection"),
        (418, "Client Error"),
        (599, "Server Error"),
        (600, "Unknown"),
        (99, "Unknown"),
        (0, "Unknown"),
        (-1, "Unknown"),
    ],
)
def test_an_unregistered_status_has_the_name_of_its_class(status: int, phrase: str) -> None:
    assert reason(status) == phrase


def test_every_phrase_may_stand_in_a_status_line() -> None:
    assert all(
        phrase.isascii() and phrase.isprintable() and phrase.strip() == phrase for phrase in REASONS.values()
    )
    assert list(REASONS) == sorted(REASONS)


@pytest.mark.parametrize("status", [100, 101, 103, 199, 204, 205, 304])
def test_statuses_without_content(status: int) -> None:
    assert not has_content(status)


@pytest.mark.parametrize("status", [200, 201, 206, 301, 303, 307, 400, 404, 413, 500, 599])
def test_statuses_with_content(status: int) -> None:
    assert has_content(status)
