"""HTTP clients behind one call: `run(url, asks, parallel=...)` sends every `Ask` in one session and returns the answers.

Each is used as its documentation shows first, with its defaults, so that what is tested is what users do.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

WAIT_S = 60
PIECE = 10_000


@dataclass
class Ask:
    method: str = "GET"
    path: str = "/"
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    is_chunked: bool = False
    follows: bool = False

    def pieces(self):
        return [self.content[start : start + PIECE] for start in range(0, len(self.content), PIECE)]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self):
        return json.loads(self.content)


def make_answer(status, headers, content):
    return Answer(status, {name.lower(): value for name, value in headers.items()}, content)


def map_in_threads(function, asks, parallel):
    if parallel == 1:
        return list(map(function, asks))
    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(function, asks))


def run_requests(url, asks, parallel, find_tool):
    import requests

    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=parallel))

        def send(ask):
            data = iter(ask.pieces()) if ask.is_chunked else ask.content
            reply = session.request(
                ask.method,
                url + ask.path,
                data=data,
                headers=ask.headers,
                allow_redirects=ask.follows,
                timeout=WAIT_S,
            )
            return make_answer(reply.status_code, reply.headers, reply.content)

        return map_in_threads(send, asks, parallel)


def httpx_content(ask):
    return iter(ask.pieces()) if ask.is_chunked else ask.content


def run_httpx(url, asks, parallel, find_tool):
    import httpx

    with httpx.Client(timeout=WAIT_S, trust_env=False) as client:

        def send(ask):
            reply = client.request(
                ask.method,
                url + ask.path,
                content=httpx_content(ask),
                headers=ask.headers,
                follow_redirects=ask.follows,
            )
            return make_answer(reply.status_code, reply.headers, reply.content)

        return map_in_threads(send, asks, parallel)


def run_httpx_async(url, asks, parallel, find_tool):
    import httpx

    async def pieces(ask):
        for piece in ask.pieces():
            yield piece

    async def main():
        async with httpx.AsyncClient(timeout=WAIT_S, trust_env=False) as client:

            async def send(ask):
                content = pieces(ask) if ask.is_chunked else ask.content
                reply = await client.request(
                    ask.method,
                    url + ask.path,
                    content=content,
                    headers=ask.headers,
                    follow_redirects=ask.follows,
                )
                return make_answer(reply.status_code, reply.headers, reply.content)

            return await gather(send, asks, parallel)

    return asyncio.run(main())


def run_aiohttp(url, asks, parallel, find_tool):
    import aiohttp

    async def pieces(ask):
        for piece in ask.pieces():
            yield piece

    async def main():
        timeout = aiohttp.ClientTimeout(total=WAIT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:

            async def send(ask):
                data = pieces(ask) if ask.is_chunked else ask.content and io.BytesIO(ask.content)
                async with session.request(
                    ask.method, url + ask.path, data=data, headers=ask.headers, allow_redirects=ask.follows
                ) as reply:
                    return make_answer(reply.status, reply.headers, await reply.read())

            return await gather(send, asks, parallel)

    return asyncio.run(main())


async def gather(send, asks, parallel):
    if parallel == 1:
        return [await send(ask) for ask in asks]
    return await asyncio.gather(*map(send, asks))


def run_urllib3(url, asks, parallel, find_tool):
    import urllib3

    with urllib3.PoolManager(maxsize=parallel, timeout=WAIT_S, retries=urllib3.Retry(2, redirect=5)) as pool:

        def send(ask):
            body = iter(ask.pieces()) if ask.is_chunked else ask.content
            reply = pool.request(
                ask.method, url + ask.path, body=body, headers=ask.headers, redirect=ask.follows
            )
            return make_answer(reply.status, reply.headers, reply.data)

        return map_in_threads(send, asks, parallel)


def run_http_client(url, asks, parallel, find_tool):
    def send(connection, ask):
        body = iter(ask.pieces()) if ask.is_chunked else ask.content
        connection.request(ask.method, ask.path, body, ask.headers, encode_chunked=ask.is_chunked)
        reply = connection.getresponse()
        answer = make_answer(reply.status, dict(reply.headers), reply.read())
        if ask.follows and "location" in answer.headers:  # it follows nothing by itself
            path = urlsplit(urljoin(url + ask.path, answer.headers["location"])).path
            return send(
                connection, Ask(ask.method, path, ask.content, ask.headers, ask.is_chunked, follows=True)
            )
        return answer

    def connect():
        return http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_S)

    def send_alone(ask):
        connection = connect()
        try:
            return send(connection, ask)
        finally:
            connection.close()

    if parallel > 1:
        return map_in_threads(send_alone, asks, parallel)
    connection = connect()
    try:
        return [send(connection, ask) for ask in asks]
    finally:
        connection.close()


def run_node(script):
    def run(url, asks, parallel, find_tool):
        job = {
            "url": url,
            "parallel": parallel > 1,
            "asks": [
                vars(ask)
                | {"content": None if ask.content is None else base64.b64encode(ask.content).decode()}
                for ask in asks
            ],
        }
        done = subprocess.run(
            [find_tool("node"), str(Path(__file__).with_name(script))],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [
            Answer(one["status"], one["headers"], base64.b64decode(one["content"]))
            for one in json.loads(done.stdout)
        ]

    return run


CLIENTS = {
    "requests": run_requests,
    "httpx": run_httpx,
    "httpx-async": run_httpx_async,
    "aiohttp": run_aiohttp,
    "urllib3": run_urllib3,
    "http.client": run_http_client,
    "node-fetch": run_node("node_fetch.mjs"),
    "node-http": run_node("node_http.mjs"),
}
