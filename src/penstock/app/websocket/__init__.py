"""WebSocket routes of an application: what a handler gets, and how it is run.

Rule: frames and the handshake are below, in `penstock.websocket`; here is what belongs to routes.
"""
