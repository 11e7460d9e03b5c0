"""The recorder: one series for each route, method and status, whatever clients send."""

import json
import threading

from penstock.observe.metrics.histogram import bucket_of, split
from penstock.observe.metrics.http import Recorder
from penstock.observe.metrics.ledger import Ledger
from penstock.observe.metrics.memory import SERIES_LIMIT, Areas


def served(ledger):
    """By route, method and status: how many, durations, octets."""
    found = {}
    for entry in ledger.area.entries():
        durations, (octets_in, octets_out, *_) = split(ledger.area.read(entry))
        found.setdefault(tuple(json.loads(entry.key)[1:]), []).append((durations, octets_in, octets_out))
    return found


def make():
    ledger = Ledger()
    recorder = Recorder(ledger)
    return ledger, recorder, recorder.begin()


def test_a_request_is_counted_with_its_duration_and_octets():
    ledger, _, record = make()

    record("/users/{id}", "GET", 200, 1_500_000, 80, 1200)
    record("/users/{id}", "GET", 200, 900, 0, 300)

    [(durations, octets_in, octets_out)] = served(ledger)["/users/{id}", "GET", "200"]
    assert durations.count == 2 and durations.counts[bucket_of(1_500_000)] == durations.counts[0] == 1
    assert durations.sum_ns == 1_500_900
    assert (octets_in, octets_out) == (80, 1500)


def test_every_duration_has_its_bucket():
    ledger, _, record = make()
    durations_ns = [
        0,
        1,
        999,
        1000,
        1001,
        16_000,
        16_001,
        65_000,
        10**9,
        2**32 * 1000,
        2**32 * 1000 + 1,
        10**16,
    ]

    for duration_ns in durations_ns:
        record("/", "GET", 200, duration_ns, 0, 0)

    [(durations, _, _)] = served(ledger)["/", "GET", "200"]
    expected = [0] * 464
    for duration_ns in durations_ns:
        expected[bucket_of(duration_ns)] += 1
    assert list(durations.counts) == expected


def test_no_route_unknown_methods_and_impossible_statuses_are_one_series_each():
    ledger, _, record = make()

    for number in range(3 * SERIES_LIMIT):
        record(None, f"X{number}", 501, 1000, 0, 0)
        record("", "GET", 404, 1000, 0, 0)
        record("/", "GET", 10_000 + number, 1000, 0, 0)

    assert {key: found[0][0].count for key, found in served(ledger).items()} == {
        ("", "other", "501"): 3 * SERIES_LIMIT,
        ("", "GET", "404"): 3 * SERIES_LIMIT,
        ("/", "GET", "other"): 3 * SERIES_LIMIT,
    }


def test_a_method_the_application_knows_is_a_label():
    ledger, recorder, record = make()
    recorder.methods = frozenset({*recorder.methods, "PURGE"})

    record("/", "PURGE", 200, 1000, 0, 0)

    assert list(served(ledger)) == [("/", "PURGE", "200")]


def test_series_beyond_the_bound_are_other_and_that_is_said_once(caplog):
    ledger, recorder, record = make()

    for number in range(SERIES_LIMIT + 500):
        record(f"/{number}", "GET", 200, 1000, 0, 10)
        recorder.record_in_thread(f"/{number}", "GET", 200, 1000, 0, 10)

    found = served(ledger)
    assert len(found) <= SERIES_LIMIT + 1
    assert sum(one.count for series in found.values() for one, _, _ in series) == 2 * SERIES_LIMIT + 1000
    assert found["other", "other", "other"][0][0].count > 0
    assert [record.getMessage() for record in caplog.records] == [
        f"this process has {SERIES_LIMIT} series of metrics; what is more counts under the label values 'other'"
    ]


def test_a_long_route_is_cut():
    ledger, _, record = make()

    record("/" + "x" * 500, "GET", 200, 1000, 0, 0)
    record("/\u00fc\ud800", "GET", 200, 1000, 0, 0)

    assert list(served(ledger)) == [("/" + "x" * 127, "GET", "200"), ("/\u00fc?", "GET", "200")]


def test_threads_and_loop_lose_no_count():
    ledger, recorder, record = make()
    threads = [
        threading.Thread(
            target=lambda: [recorder.record_in_thread("/", "GET", 200, 10**6, 1, 2) for _ in range(5000)]
        )
        for _ in range(6)
    ]

    for thread in threads:
        thread.start()
    for _ in range(5000):
        record("/", "GET", 200, 10**6, 1, 2)
    for thread in threads:
        thread.join()

    of_loop, of_threads = served(ledger)["/", "GET", "200"]
    counts = sorted(found.count for found, _, _ in (of_loop, of_threads))
    assert counts == [5000, 30_000]
    assert of_loop[1] + of_threads[1] == 35_000 and of_loop[2] + of_threads[2] == 70_000


def test_a_second_loop_has_to_share():
    _, recorder, record = make()
    others = []

    thread = threading.Thread(target=lambda: others.append(recorder.begin()))
    thread.start()
    thread.join()
    recorder.end()
    thread = threading.Thread(target=lambda: others.append(recorder.begin()))
    thread.start()
    thread.join()

    assert record != recorder.record_in_thread
    assert others == [recorder.record_in_thread, record]


def test_what_was_counted_before_there_was_a_server_goes_along():
    ledger, recorder, record = make()
    record("/", "GET", 200, 1000, 0, 10)
    areas = Areas(1)

    ledger.attach(areas, 1)
    record("/", "GET", 200, 1000, 0, 10)
    recorder.record_in_thread("/", "GET", 200, 1000, 0, 10)

    assert areas.get(1) is ledger.area
    assert sum(found.count for found, _, _ in served(ledger)["/", "GET", "200"]) == 3


def test_a_process_beyond_all_places_counts_for_itself(caplog):
    ledger, _, record = make()

    ledger.attach(Areas(1), 2)
    record("/", "GET", 200, 1000, 0, 10)

    assert served(ledger)["/", "GET", "200"][0][0].count == 1
    assert "no room for the metrics" in caplog.text
