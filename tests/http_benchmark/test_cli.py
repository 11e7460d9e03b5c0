from __future__ import annotations

import pytest

from http_benchmark.cli import main


@pytest.mark.parametrize("argv", [[], ["run"], ["http://127.0.0.1:8080/"], ["--clients", "4"]])
def test_what_it_cannot_do_yet_is_one_line_and_exit_code_2(argv, capsys):
    code = main(argv)

    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "later version" in err


@pytest.mark.parametrize(
    ("flag", "said"), [("--version", "http-benchmark 0.1.0"), ("--help", "later version")]
)
def test_help_and_version_answer(flag, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main([flag])

    assert ended.value.code == 0
    assert said in " ".join(capsys.readouterr().out.split())
