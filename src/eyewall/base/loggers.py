"""The three loggers that everything in Eyewall writes to. Their names are Tornado's, so that a logging
configuration written for it keeps working."""

from __future__ import annotations

import logging

#: One line for each request that was answered.
access_log = logging.getLogger("tornado.access")
#: What goes wrong in application code: exceptions nobody caught.
app_log = logging.getLogger("tornado.application")
#: What Eyewall itself has to say, warnings about clients included.
gen_log = logging.getLogger("tornado.general")
