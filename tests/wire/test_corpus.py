"""The corpus against the wire: whole, octet by octet, cut everywhere, and with further octets behind it."""

from __future__ import annotations

import pytest

from penstock.wire.limits import STANDARD_METHODS, Limits
from penstock.wire.reader import grammar_for
from tests.corpus.loader import Case, Expected, load_corpus
from tests.wire.driver import Outcome, Seen, drive, split_evenly, split_everywhere

CORPUS = load_corpus()
NEXT = b"GET /behind HTTP/1.1\r\nHost: behind\r\n\r\n"
GARBAGE = b"\x00\xff garbage\r\n\r\n"
OCTETWISE_BYTES = 50_000

every_case = pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case.theme}-{case.name}")


def run(case: Case, pieces: list[bytes]) -> Outcome:
    return drive(pieces, limits=Limits(**case.limits), methods=STANDARD_METHODS | set(case.methods))


def check_request(seen: Seen, expected: Expected) -> None:
    for name in ("method", "raw_path", "raw_query", "version", "persistent", "expects_continue", "content"):
        assert getattr(seen, name) == getattr(expected, name), name
    assert (seen.upgrade or "").lower() == (expected.upgrade or "")
    if expected.host is not None:
        assert seen.host == expected.host
    for name, values in expected.fields.items():
        assert [value for key, value in seen.fields if key == name] == values
    assert not {key for key, _ in seen.fields} & set(expected.absent)
    assert list(seen.trailers) == expected.trailers


def check(outcome: Outcome, case: Case) -> None:
    """Hold the outcome against the case; called with the case whole."""
    assert (outcome.error and outcome.error[0]) == case.error, f"{case.where}: {case.why}: {outcome.error}"
    assert (outcome.cut and outcome.cut[0]) == case.cut, f"{case.where}: {case.why}: {outcome.cut}"
    assert len(outcome.requests) == len(case.requests), f"{case.where}: {case.why}"
    for seen, expected in zip(outcome.requests, case.requests, strict=True):
        check_request(seen, expected)
    if outcome.error:
        for word in case.error_words:
            assert word in outcome.error[1].lower(), case.where


def test_corpus_is_as_large_as_promised():
    assert len(CORPUS) >= 300


@every_case
def test_case_whole(case: Case):
    check(run(case, [case.octets]), case)


@every_case
def test_case_octet_by_octet(case: Case):
    size = 1 if len(case.octets) <= OCTETWISE_BYTES else 4_093

    outcome = run(case, split_evenly(case.octets, size))

    check(outcome, case)


@every_case
def test_case_cut_at_every_point(case: Case):
    whole = run(case, [case.octets]).verdict

    for pieces in split_everywhere(case.octets):
        assert run(case, pieces).verdict == whole, f"{case.where}: cut after {len(pieces[0])} octets"


@every_case
@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
def test_case_with_a_request_behind_it(case: Case, together: bool):
    if case.cut or case.name == "an empty line at the end":
        return  # the octets behind it would be part of it

    outcome = run(case, [case.octets + NEXT] if together else [case.octets, NEXT])

    if not case.error and case.requests[-1].persistent:
        behind = outcome.requests.pop()
        assert (behind.raw_path, behind.host, behind.content, behind.trailers) == (
            b"/behind",
            "behind",
            b"",
            (),
        )
    check(outcome, case)


@every_case
@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
def test_case_with_garbage_behind_it(case: Case, together: bool):
    if case.cut:
        return

    outcome = run(case, [case.octets + GARBAGE] if together else [case.octets, GARBAGE])

    if not case.error and case.requests[-1].persistent:
        assert outcome.error is not None
        assert outcome.error[0] == 400
        outcome.error = None
    check(outcome, case)


@every_case
def test_case_reads_the_same_when_its_parts_were_seen_before(case: Case):
    # Readers share what they have seen and found valid; the first sight and the third must not differ.
    grammar_for.cache_clear()
    first = run(case, [case.octets]).verdict
    run(case, [case.octets])

    again = run(case, [case.octets]).verdict

    assert again == first
