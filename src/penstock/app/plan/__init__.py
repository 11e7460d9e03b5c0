"""Plans: each route as one straight-line function, generated once at start-up.

A plan binds the arguments, calls what the handler depends on and the handler itself, and turns what it
returns, or raises, into a response. The source looks like what one would write by hand for that route;
tracebacks show it. For `async def user(user_id: int, verbose: bool = False) -> dict`:

    async def call(request):
        # GET /users/{user_id} -> shop:user (/srv/shop.py:12)
        try:
            try:
                params = request.path_params
                arg_user_id = convert_user_id(params['user_id'])
                if request.raw_query:
                    get = first_values(request)
                    text = get('verbose')
                    arg_verbose = default_verbose if text is None else convert_verbose(text)
                else:
                    arg_verbose = default_verbose
            except ValueError:
                raise binding_error(arguments, request) from None
            result = await handler(arg_user_id, arg_verbose)
            if type(result) is dict:
                return Response(dumps(result), 200, None, JSON)
            return to_response(result, status, stream_type)
        except BaseException as error:
            return await failed(request, error)

What the user named has a prefix (`arg_`, `convert_`, `default_`, `read_`), what the plan uses has none: no
two names collide.

PERF: 2.05 us for this route, 0.22 for one without arguments; closures that loop over getters take 2.46 and
0.45 (0.7 us of it are JSON, 0.2 driving the coroutine).
"""
