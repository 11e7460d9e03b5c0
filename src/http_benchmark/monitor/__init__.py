"""What processes use while something is measured: CPU time, memory, I/O, threads, context switches.

`sampler.py` is the thread that looks; `family.py` says which processes belong together and adds up those that
have ended; `proc.py` asks Linux, `portable.py` psutil, where there is no /proc. Rule: looking costs less than
1 % of a core (benchmarks/rightness_monitor.py).
"""
