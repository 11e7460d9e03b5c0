"""Servers under test: defined in TOML, started, asked for the right answer, loaded in turns, ended.

`definitions.py` reads the file, `placeholders.py` and `launch.py` fill it in, `presence.py` says what is
missing. `guard.py` is the process that starts a server and ends it with all that came of it, whatever becomes
of us; `subject.py` is our side of it. `check.py` asks before anything is timed; `load_process.py` and
`wrk.py` make the load in a process of its own; `rounds.py` takes the turns, `figures.py` says what came out,
`table.py`, `page.py` and `output.py` show it.
"""
