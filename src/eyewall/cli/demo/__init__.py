"""`eyewall demo`: an application that shows what Eyewall can do, and how it is done.

What it knows is in `room`, `meter`, `shelf`, `tasks` and `guestbook`, which have no idea of HTTP; `state` holds
them together. `handlers` puts each on the web, `application` has the routes, `server` starts and ends it all.
"""
