"""Media types by file name: one table, ours, so that a file is served alike on every machine.

`mimetypes` reads what the system happens to have; here are the types that matter on the web, as the IANA
registry names them (https://www.iana.org/assignments/media-types) or, where it has none, as browsers do. Text
is UTF-8. What is not in the table is application/octet-stream, which no browser runs or shows.

Absent on purpose: looking into content, and content codings: `a.tar.gz` is an archive, not a coded `a.tar`.
"""

from __future__ import annotations

OCTETS = "application/octet-stream"

# Extension, lower case -> media type.
TYPES: dict[str, str] = {
    # pages and what belongs to them
    "htm": "text/html; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "xhtml": "application/xhtml+xml",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",  # RFC 9239
    "mjs": "text/javascript; charset=utf-8",
    "cjs": "text/javascript; charset=utf-8",
    "map": "application/json",  # source maps
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "appcache": "text/cache-manifest; charset=utf-8",
    "htc": "text/x-component; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    # data; JSON is UTF-8 by definition and XML says itself what it is
    "json": "application/json",
    "json5": "application/json5",
    "jsonld": "application/ld+json",
    "geojson": "application/geo+json",
    "ndjson": "application/x-ndjson",
    "jsonl": "application/jsonl",
    "topojson": "application/json",
    "har": "application/json",
    "yaml": "application/yaml",  # RFC 9512
    "yml": "application/yaml",
    "toml": "application/toml",
    "xml": "application/xml",
    "xsd": "application/xml",
    "xsl": "application/xslt+xml",
    "xslt": "application/xslt+xml",
    "atom": "application/atom+xml",
    "rss": "application/rss+xml",
    "rdf": "application/rdf+xml",
    "gpx": "application/gpx+xml",
    "kml": "application/vnd.google-earth.kml+xml",
    "kmz": "application/vnd.google-earth.kmz",
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "sqlite": "application/vnd.sqlite3",
    "parquet": "application/vnd.apache.parquet",
    "pb": "application/protobuf",
    "bin": OCTETS,
    # text
    "txt": "text/plain; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8",
    "conf": "text/plain; charset=utf-8",
    "ini": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "rst": "text/plain; charset=utf-8",
    "tex": "text/plain; charset=utf-8",
    "diff": "text/plain; charset=utf-8",
    "patch": "text/plain; charset=utf-8",
    "ics": "text/calendar; charset=utf-8",
    "vcf": "text/vcard; charset=utf-8",
    "c": "text/plain; charset=utf-8",
    "h": "text/plain; charset=utf-8",
    "go": "text/plain; charset=utf-8",
    "java": "text/plain; charset=utf-8",
    "jsx": "text/plain; charset=utf-8",
    "tsx": "text/plain; charset=utf-8",
    "py": "text/plain; charset=utf-8",
    "rs": "text/plain; charset=utf-8",
    "sh": "text/plain; charset=utf-8",
    "sql": "text/plain; charset=utf-8",
    # images
    "apng": "image/apng",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "ico": "image/vnd.microsoft.icon",
    "cur": "image/vnd.microsoft.icon",
    "jpe": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "jxl": "image/jxl",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
    # fonts
    "eot": "application/vnd.ms-fontobject",
    "otf": "font/otf",
    "ttc": "font/collection",
    "ttf": "font/ttf",
    "woff": "font/woff",
    "woff2": "font/woff2",
    # sound
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mid": "audio/midi",
    "midi": "audio/midi",
    "mp3": "audio/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "weba": "audio/webm",
    # moving pictures
    "3gp": "video/3gpp",
    "avi": "video/x-msvideo",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4s": "video/iso.segment",
    "m4v": "video/mp4",
    "mkv": "video/matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "mpd": "application/dash+xml",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "ogv": "video/ogg",
    "ts": "video/mp2t",  # the segments of HLS; no browser asks for TypeScript
    "webm": "video/webm",
    # three dimensions
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "obj": "model/obj",
    "stl": "model/stl",
    "usdz": "model/vnd.usdz+zip",
    # documents
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "pdf": "application/pdf",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "ps": "application/postscript",
    "rtf": "application/rtf",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    # archives and programs
    "7z": "application/x-7z-compressed",
    "apk": "application/vnd.android.package-archive",
    "br": OCTETS,  # no registered type
    "bz2": "application/x-bzip2",
    "crx": "application/x-chrome-extension",
    "deb": "application/vnd.debian.binary-package",
    "dmg": "application/x-apple-diskimage",
    "exe": OCTETS,
    "gz": "application/gzip",
    "iso": OCTETS,
    "jar": "application/java-archive",
    "rar": "application/vnd.rar",
    "rpm": "application/x-rpm",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "whl": "application/zip",
    "xpi": "application/x-xpinstall",
    "xz": "application/x-xz",
    "zip": "application/zip",
    "zst": "application/zstd",
    # keys
    "cer": "application/pkix-cert",
    "crl": "application/pkix-crl",
    "crt": "application/x-x509-ca-cert",
    "p12": "application/x-pkcs12",
    "pem": "application/x-pem-file",
}

# Of what is not text, JSON or XML, these have much to gain; all others are compressed already.
_COMPRESSIBLE = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/json5",
        "application/jsonl",
        "application/msword",
        "application/postscript",
        "application/protobuf",
        "application/rtf",
        "application/toml",
        "application/vnd.apple.mpegurl",
        "application/vnd.ms-excel",
        "application/vnd.ms-fontobject",
        "application/vnd.ms-powerpoint",
        "application/vnd.sqlite3",
        "application/wasm",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-pem-file",
        "application/x-tar",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/yaml",
        "audio/midi",
        "audio/wav",
        "font/collection",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
        "model/gltf-binary",
        "model/obj",
        "model/stl",
    }
)
_COMPRESSIBLE_ENDINGS = ("+json", "+xml", "+yaml")


def media_type_of(name: str, default: str = OCTETS) -> str:
    """Return the value of Content-Type for a file name or path; `default` for an unknown extension.

    >>> media_type_of("app.min.JS"), media_type_of("img/logo.svg"), media_type_of("release.tar.gz")
    ('text/javascript; charset=utf-8', 'image/svg+xml', 'application/gzip')
    >>> media_type_of("LICENSE"), media_type_of(".html"), media_type_of("v1.html/raw")
    ('application/octet-stream', 'application/octet-stream', 'application/octet-stream')
    """
    stem, point, extension = name.rpartition(".")
    if not point or not stem or stem.endswith("/"):  # a name that begins with its only point has no extension
        return default
    return TYPES.get(extension.lower(), default)


def is_compressible(media_type: str) -> bool:
    """Say whether content of this type, parameters and all, is likely to become smaller by a content coding.

    >>> is_compressible("text/html; charset=utf-8"), is_compressible("image/svg+xml")
    (True, True)
    >>> is_compressible("image/png"), is_compressible("font/woff2"), is_compressible("")
    (False, False, False)
    """
    essence = media_type.partition(";")[0].strip(" \t").lower()
    return essence.startswith("text/") or essence in _COMPRESSIBLE or essence.endswith(_COMPRESSIBLE_ENDINGS)
