"""Applications of other interfaces, each made a `penstock.http.handler.Handler`: ASGI 3 and WSGI (PEP 3333).

Rule: it knows requests and responses, never the server nor the native `App`. What an application sends is
checked where every response is, when it is rendered; here only its form and its order are.
"""
