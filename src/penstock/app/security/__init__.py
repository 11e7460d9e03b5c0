"""Ready-made hooks that guard an application, one file for each concept: `App(hooks=[CORS(...)])`.

They are objects with `before` and `after`, put round routes at start-up (`app.hooks`). A response may be kept
by the application and sent to others, so they change copies only (`http.response_copy`). Absent on purpose:
what needs a store or a key; sessions and tokens are other concepts.
"""
