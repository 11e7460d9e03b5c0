"""Computing beside serving: `penstock run examples.processes:app`.

`run="process"` moves a handler to another process, so a long computation neither stops the loop nor holds the
interpreter lock. The handler must be a function of a module, and its arguments and result must pickle.
"""

import os
from math import isqrt

from penstock import App

app = App()


@app.get("/primes/{limit}", run="process")
def primes(limit: int) -> dict[str, int]:
    """How many primes there are below a limit, by a sieve."""
    limit = max(2, min(limit, 5_000_000))
    is_prime = bytearray([1]) * limit
    is_prime[:2] = b"\0\0"
    for number in range(2, isqrt(limit) + 1):
        if is_prime[number]:
            is_prime[number * number :: number] = bytes(len(range(number * number, len(is_prime), number)))
    return {"limit": limit, "primes": sum(is_prime), "process": os.getpid()}


@app.get("/process")
async def process() -> dict[str, int]:
    """The process that serves."""
    return {"process": os.getpid()}
