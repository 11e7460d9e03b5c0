"""Two ways of counting, each as one step in the memory of this process and as one script in Redis.

The token bucket holds `burst` tokens and gets `quota` new ones in each window; a request takes one. All that
is kept is the moment at which it will be full again (the "generic cell rate algorithm"), so a key is one
number. The sliding window keeps the moment of each request that was let through: never more than `quota` in
any window, at the price of eight octets for each. Requests that are refused count in neither.

Time is that of whoever counts: monotonic here, the clock of Redis there, so that the clocks of workers do
not matter. What is kept and cannot be read counts as nothing.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from math import floor
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from penstock.errors import StoreError

if TYPE_CHECKING:
    from penstock.app.limiting.rate import Rate

_ROUNDING_S: Final = 1e-6
_MOMENT: Final = struct.Struct("<d")


class Verdict(NamedTuple):
    """What was found for one request."""

    is_allowed: bool
    remaining: int
    """Requests that would be let through now."""
    full_in_s: float
    """Until the whole quota is there again."""
    retry_in_s: float
    """Until a request is let through; 0 when it was."""


class Algorithm(Protocol):
    """How it is counted."""

    kind: str
    """Part of the keys: what one keeps the other cannot read."""
    script: str
    """Lua; returns [allowed, two numbers as text]."""

    @property
    def arguments(self) -> tuple[object, ...]:
        """What the script takes."""
        ...

    def count(self, kept: bytes | None, now: float) -> tuple[bytes, float, Verdict]:
        """Count one request: what is to be kept then, for how long, and what was found."""
        ...

    def read(self, answer: Any) -> Verdict:
        """Return what the script found; StoreError when that is no answer."""
        ...


class TokenBucket:
    """`rate`, with up to `burst` requests at once."""

    kind = "bucket"
    script = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local room = interval * burst
local kept = redis.call('GET', KEYS[1])
local full = math.min(math.max(tonumber(kept or '') or now, now), now + room)
local over = full + interval - now - room
if over > 0.000002 then
  return {0, string.format('%.6f', full - now), string.format('%.6f', over)}
end
full = full + interval
redis.call('SET', KEYS[1], string.format('%.6f', full), 'PX', math.max(1, math.ceil((full - now) * 1000)))
return {1, string.format('%.6f', full - now), '0'}
"""

    def __init__(self, rate: Rate, burst: int) -> None:
        self._interval_s = rate.window_s / rate.quota
        self._burst = burst
        self._room_s = self._interval_s * burst

    @property
    def arguments(self) -> tuple[object, ...]:
        return repr(self._interval_s), self._burst

    def count(self, kept: bytes | None, now: float) -> tuple[bytes, float, Verdict]:
        full = now
        if kept is not None and len(kept) == _MOMENT.size:
            (said,) = _MOMENT.unpack(kept)
            if said > now:
                full = min(said, now + self._room_s)
        over = full + self._interval_s - now - self._room_s
        is_allowed = over <= _ROUNDING_S
        if is_allowed:
            full += self._interval_s
            over = 0.0
        left_s = max(full - now, _ROUNDING_S)
        return _MOMENT.pack(full), left_s, self._verdict(left_s, over, is_allowed=is_allowed)

    def read(self, answer: Any) -> Verdict:
        is_allowed, full_in_s, over = _numbers(answer)
        return self._verdict(full_in_s, over, is_allowed=is_allowed)

    def _verdict(self, full_in_s: float, over: float, *, is_allowed: bool) -> Verdict:
        remaining = floor((self._room_s - full_in_s + 2 * _ROUNDING_S) / self._interval_s)
        return Verdict(is_allowed, max(0, remaining), full_in_s, over)


class SlidingWindow:
    """At most `rate.quota` requests in any window."""

    kind = "window"
    script = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local window, quota = tonumber(ARGV[1]) * 1000000, tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
local allowed = 0
if count < quota then
  allowed = 1
  count = count + 1
  redis.call('ZADD', KEYS[1], now, string.format('%.0f', now) .. ARGV[3])
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {allowed, tostring(count), string.format('%.6f', (tonumber(oldest[2]) + window - now) / 1000000)}
"""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate

    @property
    def arguments(self) -> tuple[object, ...]:
        from random import getrandbits

        return self._rate.window_s, self._rate.quota, f"-{getrandbits(64):x}"  # two in one microsecond

    def count(self, kept: bytes | None, now: float) -> tuple[bytes, float, Verdict]:
        moments = array("d")
        if kept is not None and len(kept) % moments.itemsize == 0:
            moments.frombytes(kept)
        window_s = self._rate.window_s
        if moments and now - window_s < moments[-1] <= now:
            del moments[: bisect_right(moments, now - window_s)]
        else:  # all too old, or no moments
            del moments[:]
        is_allowed = len(moments) < self._rate.quota
        if is_allowed:
            moments.append(now)
        oldest_in_s = moments[0] + window_s - now
        return (
            moments.tobytes(),
            float(window_s),
            self._verdict(len(moments), oldest_in_s, is_allowed=is_allowed),
        )

    def read(self, answer: Any) -> Verdict:
        is_allowed, count, oldest_in_s = _numbers(answer)
        return self._verdict(int(count), oldest_in_s, is_allowed=is_allowed)

    def _verdict(self, count: int, oldest_in_s: float, *, is_allowed: bool) -> Verdict:
        remaining = max(0, self._rate.quota - count)
        return Verdict(is_allowed, remaining, oldest_in_s, 0.0 if is_allowed else oldest_in_s)


def _numbers(answer: Any) -> tuple[bool, float, float]:
    try:
        allowed, one, other = answer
        numbers = float(one), float(other)
        if allowed in (0, 1) and all(0 <= number < float("inf") for number in numbers):
            return allowed == 1, *numbers
    except (TypeError, ValueError):
        pass
    raise StoreError(f"Redis counts what was not asked for: {type(answer).__name__}")
