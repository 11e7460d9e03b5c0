"""The response for a file, in the content coding the client likes best.

Codings come from siblings made ahead (`app.js.br` beside `app.js`) or, for small files of a compressible
type, are made here, once for each state of the file: zstd and br where they are installed, and gzip. A
sibling older than its file is stale and passed over.

Each coding is a representation of its own: own ETag, and Vary wherever there is a choice, also on what was
not coded (RFC 9110 §12.5.5).
"""

from __future__ import annotations

import re
from time import time
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from penstock.app.static.cache import Entry, sign
from penstock.app.static.folder import Absent, Folder
from penstock.errors import ApplicationError, HTTPError, LocalProtocolError
from penstock.http.coders import available, compress
from penstock.http.headers import render_fields
from penstock.http.kept_response import KeptFile, KeptResponse
from penstock.http.media_types import is_compressible, media_type_of
from penstock.http.negotiation import choose_encoding
from penstock.http.open_file import OpenFile
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from penstock.app.static.cache import Cache
    from penstock.http.open_file import Identity

    Rules = Mapping[str, str] | Iterable[tuple[str, str]]

SIBLINGS = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}  # the best first

_WORTH_BYTES = 512  # below it a coding saves less than its fields take; nginx 20, Apache and Caddy 512
# Made once and kept, so more is worth it than for what is sent once: 2 to 7 ms for 90 KB of source, where the
# next levels take twice that or more for 1 % less.
_LEVELS = {"zstd": 12, "br": 8, "gzip": 6}
# A file changed this lately may change once more within one tick of its clock, unseen (as in git's index).
_SETTLED_S = 0.05


class CacheControl:
    """Values of Cache-Control by glob; the first that matches a path, without its leading slash, counts."""

    def __init__(self, rules: Rules) -> None:
        from collections.abc import Mapping
        from fnmatch import translate

        pairs = rules.items() if isinstance(rules, Mapping) else rules
        self._rules = [(re.compile(translate(glob)), _checked(value)) for glob, value in pairs]

    def value_for(self, path: str) -> str | None:
        return next((value for pattern, value in self._rules if pattern.match(path)), None)


def _checked(value: str) -> str:
    try:
        render_fields([("Cache-Control", value)])
    except LocalProtocolError as error:
        raise ApplicationError(f"static files: {error.detail}") from None
    return value


class Variants:
    """Makes responses of files, and keeps the small ones."""

    def __init__(
        self,
        folder: Folder,
        cache: Cache,
        open_files: Cache,
        cache_control: CacheControl,
        *,
        precompressed: bool,
        compress: bool,
        file_limit_bytes: int,
    ) -> None:
        self._folder = folder
        self._cache = cache
        self._open_files = open_files
        self._cache_control = cache_control
        self._siblings = SIBLINGS if precompressed else {}
        self._made = available() if compress else ()
        """Codings made here, the best first."""
        self._open: WeakValueDictionary[Identity, OpenFile] = WeakValueDictionary()
        """Large files being sent: all who fetch one at a time share a descriptor."""
        self._file_limit = file_limit_bytes

    def respond(
        self, key: bytes | None, names: Sequence[str], file: OpenFile, accepted: str | None
    ) -> Response:
        """Return the whole response for an open file; `key` is where to keep it, None: nowhere. Blocks."""
        path = self._folder.path_of(names)
        paths = (path, *(path + ending for ending in self._siblings.values()))
        signature = sign(paths)
        media_type = media_type_of(names[-1])
        can_code = (
            bool(self._made) and _WORTH_BYTES <= file.size <= self._file_limit and is_compressible(media_type)
        )
        ahead = self._made_ahead(signature)
        made = self._made if can_code else ()
        coding, chosen = self._choose(names, file, accepted, ahead, made)
        offered = _joined(ahead, made)
        is_made = coding != "identity" and chosen is file
        fields = self._fields("/".join(names), file, vary=bool(offered))
        is_settled = signature[0] == file.identity and all(
            state is None or time() - state[3] / 1e9 > _SETTLED_S for state in signature
        )
        entry = Entry(paths, signature, offered) if key is not None and is_settled else None
        if chosen.size > self._file_limit:
            kept_file = self._respond_large(chosen, coding, fields, media_type)
            if key is not None and entry is not None:
                entry = self._open_files.add(key, entry, coding, kept_file)
                entry.remember(accepted, kept_file)
            return kept_file
        body = chosen.read()
        asked = coding
        if is_made:
            body, coding = _coded(body, coding)
        etag = chosen.etag if coding == "identity" else f"{chosen.etag}-{coding}"
        fields.append(("ETag", f'"{etag}"'))
        if coding != "identity":
            fields.append(("Content-Encoding", coding))
        response = Response(body, 200, fields, media_type)
        if key is None or entry is None or not (is_made or len(body) == chosen.size):
            return response
        kept = KeptResponse(response)
        entry = self._cache.add(key, entry, asked, kept)
        entry.remember(accepted, kept)
        return kept

    def _respond_large(
        self, file: OpenFile, coding: str, fields: list[tuple[str, str]], media_type: str
    ) -> KeptFile:
        file = self._open.setdefault(file.identity, file)
        if coding != "identity":
            fields += [("ETag", f'"{file.etag}-{coding}"'), ("Content-Encoding", coding)]
        return KeptFile(file, fields, media_type)

    def _made_ahead(self, signature: Sequence[Identity | None]) -> list[str]:
        """Return the codings of siblings, the best first, without those older than the file."""
        main = signature[0]
        return [
            coding
            for coding, state in zip(self._siblings, signature[1:], strict=True)
            if state is not None and main is not None and state[3] // 10**9 >= main[3] // 10**9
        ]

    def _choose(
        self,
        names: Sequence[str],
        file: OpenFile,
        accepted: str | None,
        ahead: list[str],
        made: Sequence[str],
    ) -> tuple[str, OpenFile]:
        """Return the coding to send and the file that has it, `file` itself when the coding is to be made. A
        sibling that may not be had leaves `ahead`.
        """
        while True:
            coding = choose_encoding(accepted, _joined(ahead, made))
            if coding is None:
                raise HTTPError(406, "no content coding is acceptable", headers={"Vary": "Accept-Encoding"})
            if coding == "identity":
                return coding, file
            if coding not in ahead:
                return coding, file
            sibling = self._open_sibling(names, coding)
            if sibling is not None:
                return coding, sibling
            ahead.remove(coding)

    def _open_sibling(self, names: Sequence[str], coding: str) -> OpenFile | None:
        try:
            found = self._folder.open([*names[:-1], names[-1] + self._siblings[coding]])
        except Absent:
            return None
        return found if isinstance(found, OpenFile) else None

    def _fields(self, path: str, file: OpenFile, *, vary: bool) -> list[tuple[str, str]]:
        fields = [("Accept-Ranges", "bytes")]
        modified, cached = file.last_modified, self._cache_control.value_for(path)
        if modified is not None:
            fields.append(("Last-Modified", modified))
        if cached is not None:
            fields.append(("Cache-Control", cached))
        if vary:
            fields.append(("Vary", "Accept-Encoding"))
        return fields


def _joined(ahead: Sequence[str], made: Sequence[str]) -> tuple[str, ...]:
    """What was made ahead goes first: whoever made it had reasons."""
    return (*ahead, *(coding for coding in made if coding not in ahead))


def _coded(body: bytes, coding: str) -> tuple[bytes, str]:
    """Return the content coded, or as it was when that is no gain."""
    coded = compress(coding, body, _LEVELS[coding])
    return (coded, coding) if len(coded) < len(body) else (body, "identity")
