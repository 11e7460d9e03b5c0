"""The admin endpoint: what a server tells of itself, apart from the application, however busy or stuck it is.

`endpoint` is its socket and its process or thread, `table` its paths, `sources` what they read, `forms` how
an answer is written; each other module is a page or some. A page reads shared memory and asks nobody, so that
no worker can keep it waiting; it changes nothing. A new page is a row in `table.PAGES`.
"""
