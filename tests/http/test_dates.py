"""HTTP dates: three formats in, one out, and nothing that is not exactly one of them."""

import doctest
import locale
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http import dates as module
from penstock.http.dates import format_date, parse_date

FIRST, LAST = -62_135_596_800, 253_402_300_799  # 0001-01-01 and the last second of 9999


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun Nov  6 08:49:37 1994", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Wed Nov 16 08:49:37 1994", datetime(1994, 11, 16, 8, 49, 37, tzinfo=UTC)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", datetime(1970, 1, 1, tzinfo=UTC)),
        ("Wed, 31 Dec 1969 23:59:59 GMT", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Thu, 29 Feb 2024 00:00:00 GMT", datetime(2024, 2, 29, tzinfo=UTC)),
        ("Tue, 29 Feb 2000 00:00:00 GMT", datetime(2000, 2, 29, tzinfo=UTC)),
        ("Tuesday, 29-Feb-00 00:00:00 GMT", datetime(2000, 2, 29, tzinfo=UTC)),
        ("Mon, 01 Jan 0001 00:00:00 GMT", datetime(1, 1, 1, tzinfo=UTC)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Sat, 31 Dec 2016 23:59:60 GMT", datetime(2017, 1, 1, tzinfo=UTC)),
        ("Saturday, 31-Dec-16 23:59:60 GMT", datetime(2017, 1, 1, tzinfo=UTC)),
        ("Tue, 19 Jan 2038 03:14:08 GMT", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
    ],
)
def test_the_three_formats(text: str, moment: datetime) -> None:
    assert parse_date(text) == moment.timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "784111777",
        "now",
        "Mon, 06 Nov 1994 08:49:37 GMT",  # it was a Sunday
        "Monday, 06-Nov-94 08:49:37 GMT",
        "Mon Nov  6 08:49:37 1994",
        "Thu, 29 Feb 2023 00:00:00 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Mon, 29 Feb 2100 00:00:00 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sat, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",  # a leap second ends a day
        "Sun, 06 Nov 1994 23:59:61 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "sun, 06 nov 1994 08:49:37 GMT",
        "SUN, 06 NOV 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  06 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994\n",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08:49:37 94",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, 06 Nov 1_94 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 0８:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=9",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 GMT" * 1000,
    ],
)
def test_what_is_not_a_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_two_digits_mean_the_latest_year_at_most_fifty_ahead() -> None:
    now = datetime.now(UTC)
    for ahead in range(-48, 50):
        moment = (now + timedelta(days=365.25 * ahead)).replace(microsecond=0)
        text = f"{module._DAYS[moment.weekday()]}, {moment.day:02}-{module._MONTHS[moment.month - 1]}-{moment.year % 100:02} {moment:%H:%M:%S} GMT"

        assert parse_date(text) == moment.timestamp(), text


@pytest.mark.parametrize(
    ("now", "in_year", "year", "expected"),
    [
        ((2026, 3, 2), (3, 2, 0, 0, 0), 76, 2076),
        ((2026, 3, 2), (3, 2, 0, 0, 1), 76, 1976),
        ((2026, 3, 2), (3, 1, 9, 9, 9), 76, 2076),
        ((2026, 3, 2), (3, 3, 0, 0, 0), 76, 1976),
        ((2026, 3, 2), (1, 1, 0, 0, 0), 77, 1977),
        ((2026, 3, 2), (1, 1, 0, 0, 0), 0, 2000),
        ((2051, 1, 2), (1, 1, 0, 0, 0), 99, 2099),
        ((2051, 1, 2), (1, 1, 0, 0, 0), 0, 2100),
        ((2051, 1, 2), (1, 1, 0, 0, 0), 1, 2101),
        ((2051, 1, 2), (1, 1, 0, 0, 0), 2, 2002),
    ],
)
def test_the_century_of_two_digits(
    now: tuple[int, int, int], in_year: tuple[int, ...], year: int, expected: int
) -> None:
    assert module._with_century(year, in_year, datetime(*now, tzinfo=UTC)) == expected


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (-0.5, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (784111777.999999999, "Sun, 06 Nov 1994 08:49:38 GMT"),  # no such float: it is 784111778.0
        (784111777.9999, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (FIRST, "Mon, 01 Jan 0001 00:00:00 GMT"),
    ],
)
def test_format_date_gives_the_second_begun(epoch: float, text: str) -> None:
    assert format_date(epoch) == text


@pytest.mark.parametrize("epoch", [float("inf"), float("nan"), LAST + 1, FIRST - 1, 1e30])
def test_what_has_no_four_digit_year_is_refused(epoch: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        format_date(epoch)


@given(st.integers(FIRST, LAST))
def test_a_date_survives_formatting(epoch: int) -> None:
    text = format_date(epoch)

    assert len(text) == 29
    assert parse_date(text) == epoch
    assert (
        parsedate_to_datetime(text).timestamp() == epoch or epoch < -59_000_000_000
    )  # it reads years below 100 as recent


@given(
    st.text()
    | st.from_regex(module._FORMATS[0], fullmatch=True)
    | st.from_regex(module._FORMATS[1], fullmatch=True)
    | st.from_regex(module._FORMATS[2], fullmatch=True)
)
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert isinstance(parse_date(text), float | None)


def test_the_locale_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> str:
        raise AssertionError("strftime and strptime follow the locale")

    monkeypatch.setattr(time, "strftime", refuse)
    monkeypatch.setattr(time, "strptime", refuse)
    before = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "tr_TR.UTF-8", "ja_JP.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue  # not installed; the refusal above stands for it
        assert format_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert module._parse("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777
    finally:
        locale.setlocale(locale.LC_ALL, before)
