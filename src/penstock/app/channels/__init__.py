"""Messages to whoever listens: in this process (MemoryStore), or in every worker and machine (RedisStore).

`channels.py` is what users hold and the queue of one listener; `redis_listener.py` is the one connection of a
loop on which Redis tells of messages. At most once: who does not listen at the moment has missed it.
"""
