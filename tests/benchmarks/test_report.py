import io

from benchmarks.report import Report, render_table, write_reports
from benchmarks.timing import Figure

FIGURES = [
    Figure("hello", "penstock", 2.0, 1.0, 3.0, "us"),
    Figure("hello", "peer", 5.0, 4.0, 6.0, "us"),
    Figure("hello", "penstock", 100_000.0, 100_000.0, 100_000.0, "req/s"),
    Figure("nothing", "penstock", 0.0, 0.0, 0.0, "modules"),
]


def test_the_last_column_compares_with_the_first_subject_of_the_same_case_and_unit():
    _, *lines = render_table({"name": Report(FIGURES)}).splitlines()

    assert [line.split()[-1] for line in lines] == ["1.00", "2.50", "1.00", "-"]


def test_what_was_left_out_is_said_once():
    stream = io.StringIO()

    write_reports({"a": Report([], ["x: gone"]), "b": Report([], ["x: gone", "y: gone"])}, stream)

    assert stream.getvalue().endswith("left out: x: gone\nleft out: y: gone\n")
    assert stream.getvalue().count("x: gone") == 1
