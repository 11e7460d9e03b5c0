"""The metrics of several processes: each worker gets an area to count in, and what it counted outlives it.

The supervisor counts into the past by itself. It adds the area of each worker that has ended, however that
came, before its place is given to another.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from penstock.observe.metrics import server_metrics
from penstock.observe.metrics.folding import add_area
from penstock.observe.metrics.ledger import ledger
from penstock.observe.metrics.memory import Areas

_log = logging.getLogger("penstock.server")

# More than wanted are there while they are replaced, and as long as old ones drain.
_LEAST_PLACES: Final = 64
_SPARE: Final = 4


def open_areas(workers: int, limit: int) -> None:
    """Have this process and those it forks count in memory they share, as many as there is room for."""
    places = min(limit, max(_LEAST_PLACES, _SPARE * workers))
    while places:
        try:
            areas = Areas(places)
        except OSError as error:
            _log.warning("no shared memory for the metrics of %d processes: %s", places, error)
            places //= 4
        else:
            ledger.attach(areas, 0)
            return


def open_own_area() -> None:
    """Have this process, which serves alone, count in an area that could be shared."""
    try:
        areas = Areas(1)
    except OSError as error:
        _log.warning("no memory for the metrics: %s", error)  # they are told as those of any process
        return
    areas.reserve(1)
    ledger.attach(areas, 1)


def reserve(place: int) -> None:
    """In the supervisor: a worker is to have this place."""
    if ledger.areas is not None:
        ledger.areas.reserve(place)


def join(place: int) -> None:
    """In the worker: count in the area of this place."""
    if ledger.areas is not None:
        ledger.attach(ledger.areas, place)


def bury(place: int, *, was_told: bool) -> None:
    """In the supervisor: the worker of this place has ended, and was told to or not."""
    if not was_told:
        server_metrics.worker_restarts.inc()
    areas = ledger.areas
    area = areas.get(place) if areas is not None else None
    if areas is None or area is None or not area.pid:
        return
    began = time.monotonic()
    with ledger.lock, areas.folding():  # a preloaded application may have left threads that count
        try:
            add_area(areas.past, area)
        except Exception:
            # What a worker wrote there must not end who starts workers; a bug costs the rest of its counts.
            _log.exception("the metrics of place %d could not be kept", place)
        area.clear()
    _log.debug("the metrics of place %d were kept in %.1f ms", place, (time.monotonic() - began) * 1e3)
