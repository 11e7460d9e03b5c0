"""A rate limit and a response cache that several workers share through the Redis at TEST_REDIS_URL."""

from __future__ import annotations

import os

from penstock import App, RateLimit, RedisStore, ResponseCache

store = RedisStore(os.environ["TEST_REDIS_URL"], timeout_s=float(os.environ.get("TEST_REDIS_TIMEOUT", "20")))
app = App()
app.on_shutdown(store.aclose)


@app.get("/bucket", hooks=[RateLimit("25/hour", store=store, name="bucket")])
def bucket() -> int:
    return os.getpid()


@app.get("/window", hooks=[RateLimit("25/hour", store=store, name="window", algorithm="sliding-window")])
async def window() -> int:
    return os.getpid()


@app.get("/page", hooks=[ResponseCache(store, ttl_s=600)])
async def page() -> int:
    return os.getpid()


@app.get("/plain-page", hooks=[ResponseCache(store, ttl_s=600)])
def plain_page() -> int:
    return os.getpid()


@app.get("/who", run="inline")
def who() -> int:
    return os.getpid()
