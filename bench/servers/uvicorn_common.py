"""Starts uvicorn with what its documentation names as fastest: uvloop, httptools, no access log."""

import uvicorn
from common import HOST, KEEP_ALIVE


def serve(application, port):
    """Serves `application` on `port` until a signal ends it."""
    uvicorn.run(
        application,
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        backlog=4096,
        timeout_keep_alive=KEEP_ALIVE,
    )
