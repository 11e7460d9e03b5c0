"""examples/hello.py"""

from __future__ import annotations


def test_it_greets(run_example):
    with run_example("hello") as site:
        assert site.get("/").text == "Hello, World!"
        assert site.get("/hello/Ada").json == {"message": "Hello, Ada."}
        assert site.get("/hello/Ada?excited=true").json == {"message": "Hello, Ada!"}
        assert site.get("/hello/Ada?excited=perhaps").status == 422
