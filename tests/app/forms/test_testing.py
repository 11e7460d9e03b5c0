"""Files sent by the test clients."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest

from penstock import App, AsyncTestClient, Form, TestClient, UploadFile

app = App()


@app.post("/")
def handler(file: list[UploadFile], title: Annotated[list[str], Form()]) -> list:
    return [title, *[[one.raw_filename, one.content_type, one.read().decode()] for one in file]]


OPTIONS = {
    "data": {"title": ["a", 'b"\r\n']},
    "files": {"file": [b"1", ('ä "x".txt', "ü"), ("c", b"3", "image/png")]},
}
EXPECTED = [
    ["a", 'b"\r\n'],
    ["file", "application/octet-stream", "1"],
    ['ä "x".txt', "application/octet-stream", "ü"],
    ["c", "image/png", "3"],
]


def test_files_go_with_data_as_a_multipart_form():
    with TestClient(app) as client:
        assert client.post("/", **OPTIONS).json() == EXPECTED
        assert client.post("/", files={"file": b"x"}).json() == [
            [],
            ["file", "application/octet-stream", "x"],
        ]


def test_the_async_client_does_the_same():
    async def main() -> object:
        async with AsyncTestClient(app) as client:
            return (await client.post("/", **OPTIONS)).json()

    assert asyncio.run(main()) == EXPECTED


@pytest.mark.parametrize("other", [{"json": {}}, {"content": b""}])
def test_files_go_with_nothing_else(other):
    with TestClient(app) as client, pytest.raises(ValueError, match="files go with data"):
        client.post("/", files={"file": b""}, **other)
