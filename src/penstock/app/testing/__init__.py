"""Tests of an App in process: `TestClient` and `AsyncTestClient`.

Requests and responses go through the reader and the serialiser of the wire, so that what a socket would
refuse or change is refused and changed here; between them runs what answers under foreign servers. No socket
is opened.
"""
