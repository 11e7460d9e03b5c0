from benchmarks.timing import Case, Figure, summarise, time_cases


def spin(rounds):
    for _ in range(rounds):
        sum(range(500))


def test_figures_are_microseconds_of_one_operation_in_the_order_of_the_cases():
    cases = [Case("small", "a", lambda: spin(10), 10), Case("large", "b", lambda: spin(100), 10)]

    small, large = time_cases(cases, is_quick=True)

    assert (small.case, small.subject, large.case, large.unit) == ("small", "a", "large", "us")
    assert 0 < small.low <= small.median <= small.high
    assert large.low > 3 * small.low


def test_a_summary_is_the_median_with_the_extremes():
    figure = summarise("case", "subject", iter([3.0, 1.0, 2.0]), "ms")

    assert figure == Figure("case", "subject", 2.0, 1.0, 3.0, "ms")
