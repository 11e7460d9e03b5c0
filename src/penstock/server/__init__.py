"""The I/O side: sockets, the reactor, pools, deadlines, start and stop.

Rule of this folder: it knows `http.handler`, never `app`. Only the reactor's thread touches the poller,
closes a socket or reads from one; a pool thread writes only while it holds the connection (see `connection`).
Whoever holds work holds the connection object, never its descriptor.
"""
