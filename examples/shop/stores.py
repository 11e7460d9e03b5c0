"""What workers share: values, whole replies, limits and sessions, in Redis where there is one."""

import logging

from examples.shop.settings import get_secret, settings
from penstock import (
    Cache,
    CookieSessions,
    MemoryStore,
    RateLimit,
    RedisStore,
    ResponseCache,
    ServerSessions,
    Store,
)

log = logging.getLogger("shop")
store: Store
sessions: ServerSessions | CookieSessions

if settings.redis_url is not None:
    store = RedisStore(settings.redis_url, prefix="shop:")
    sessions = ServerSessions(store, idle_s=86_400)
    fresh_s = 60
else:
    log.warning(
        "SHOP_REDIS_URL is not set: each worker keeps its own cache and limits; sessions are in cookies"
    )
    store = MemoryStore(limit_bytes=16_000_000)
    sessions = CookieSessions(get_secret())
    fresh_s = 1  # nobody can tell the other workers that goods have changed

cache = Cache(store)
replies = ResponseCache(store, ttl_s=fresh_s, tags=["goods"])
logins = RateLimit(
    f"{settings.logins_per_minute}/minute", store=store, name="logins"
)  # of the pages and the API


def forget_goods() -> None:
    """Values and replies made of goods are no longer true."""
    cache.invalidate("goods")
    replies.invalidate("goods")
