"""HTTP/1.1 octets to values and back, sans-I/O (RFC 9112).

Rule of this folder: no socket, no clock, no asyncio; octets and values in, values and octets out.
One parser: what the fast expressions do not accept goes to the one slow path, which names the fault.
Digits are `[0-9]`, through `parse_digits` and `parse_hex`; `int()` never sees octets of the peer.
"""
