"""A folder of files over HTTP: `StaticFiles` in an application, `StaticSite` for `penstock static`.

`folder` decides which file a path may reach, and opens it; `variants` makes the response for it, coded if the
client likes; `cache` keeps small ones ready; `listing` and `uploads` are options. What may block runs in the
server's threads; what is ready is answered on the loop.
"""
