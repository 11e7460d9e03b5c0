import datetime as dt
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.app.binding import text


@pytest.mark.parametrize(
    ("spelled", "value"),
    [(word, True) for word in ("true", "1", "yes", "on", "True", "TRUE", "On")]
    + [(word, False) for word in ("false", "0", "no", "off", "False", "NO")],
)
def test_bool_has_eight_spellings_in_any_case(spelled, value):
    assert text.parse_bool(spelled) is value


@pytest.mark.parametrize("spelled", ["", "2", "t", "y", "truе", " true", "true ", "null", "-1", "00"])
def test_bool_takes_no_other(spelled):
    with pytest.raises(ValueError):
        text.parse_bool(spelled)


@pytest.mark.parametrize(
    ("parse", "spelled", "value"),
    [
        (text.parse_date, "2024-02-29", dt.date(2024, 2, 29)),
        (text.parse_time, "10:00", dt.time(10)),
        (text.parse_time, "10:00:01.5z", dt.time(10, 0, 1, 500_000, dt.UTC)),
        (text.parse_datetime, "2024-05-01T10:00:00", dt.datetime(2024, 5, 1, 10)),  # noqa: DTZ001
        (text.parse_datetime, "2024-05-01 10:00:00Z", dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)),
        (
            text.parse_datetime,
            "2024-05-01t10:00:00.123456-02:30",
            dt.datetime(2024, 5, 1, 10, 0, 0, 123456, dt.timezone(-dt.timedelta(hours=2.5))),
        ),
    ],
)
def test_dates_and_times_are_those_of_rfc_3339(parse, spelled, value):
    assert parse(spelled) == value


@pytest.mark.parametrize(
    ("parse", "spelled"),
    [
        *[
            (text.parse_date, one)
            for one in (
                "2023-02-29",
                "2024-13-01",
                "20240501",
                "2024-W01-1",
                "2024-5-1",
                "0000-01-01",
                "2024-05-01T10:00",
                "٢٠٢٤-05-01",
            )
        ],
        *[
            (text.parse_time, one)
            for one in ("25:00", "10", "10:60", "T10:00", "10:00:00+25:00", "10:00:00,5")
        ],
        *[
            (text.parse_datetime, one)
            for one in (
                "2024-05-01",
                "20240501T100000",
                "2024-05-01T10",
                "2024-05-01T10:00:00+0200",
                "1714557600",
                "now",
                "",
            )
        ],
    ],
)
def test_other_dates_and_times_are_refused(parse, spelled):
    with pytest.raises(ValueError):
        parse(spelled)


@given(value=st.integers(-(10**40) + 1, 10**40 - 1))
def test_every_bounded_integer_is_read_as_written(value):
    assert text.parse_int(str(value)) == value


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_is_read_as_written(value):
    assert text.parse_float(repr(value)) == value


@given(value=st.uuids())
def test_every_uuid_is_read_as_written(value):
    assert text.parse_uuid(str(value)) == value


@given(
    value=st.datetimes(timezones=st.timezones() | st.none()).filter(
        lambda one: one.utcoffset() is None or one.utcoffset().total_seconds() % 60 == 0
    )
)
def test_every_date_and_time_is_read_as_written(value):
    assert (
        text.parse_datetime(value.isoformat()).isoformat() == value.isoformat()
    )  # == is False in the gap of a zone
    assert text.parse_date(value.date().isoformat()) == value.date()
    assert text.parse_time(value.time().isoformat()) == value.time()


@given(
    spelled=st.text() | st.from_regex(r"[-+0-9.eE_ :TZ]{0,45}"),
    parse=st.sampled_from([getattr(text, name) for name in dir(text) if name.startswith("parse_")]),
)
def test_any_text_is_a_value_or_a_value_error(spelled, parse):
    try:
        value = parse(spelled)
    except ValueError:
        return
    assert spelled.isascii()
    assert isinstance(value, (bool, int, float, UUID, dt.date, dt.time, dt.datetime))
