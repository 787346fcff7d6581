"""nginx: `return 200` for the plain text, sendfile for files. Replaces itself by nginx."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from common import HOST, KEEP_ALIVE, options

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    open_file_cache max=100;
    keepalive_timeout {keep_alive}s;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/octet-stream;
    server {{
        listen {host}:{port} backlog=4096;
        location = /plaintext {{ default_type text/plain; return 200 "Hello, World!"; }}
        location /static/ {{ alias {static}/; }}
    }}
}}
"""


def main():
    arguments = options()
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    folder = Path(tempfile.mkdtemp(prefix="bench-nginx-"))
    # The worker may run as another user than the one that made the folder.
    folder.chmod(0o755)
    file = folder / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(
            folder=folder,
            keep_alive=KEEP_ALIVE,
            host=HOST,
            port=arguments.port,
            static=arguments.static.absolute(),
        )
    )
    sys.stdout.flush()
    os.execv(program, [program, "-c", str(file), "-p", str(folder)])


main()
