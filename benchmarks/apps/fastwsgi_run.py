"""FastWSGI, which starts itself: the port is the first argument."""

import sys

import fastwsgi
from raw_wsgi import app  # found by PYTHONPATH

if __name__ == "__main__":
    fastwsgi.run(app, "127.0.0.1", int(sys.argv[1]))
