"""Names outside of the checked files: which are the same thing, which are classes of interest, what calls return.

Rules write the names as here: those of Tornado for what Tornado and Eyewall have in common.
"""

from __future__ import annotations

#: Beginnings of names, and what they are written as; the longer ones first.
_PREFIXES = (
    ("eyewall.tornado.", "tornado."),
    ("eyewall.web.handler.", "tornado.web."),
    ("eyewall.web.handlers.", "tornado.web."),
    ("eyewall.web.static.", "tornado.web."),
    ("eyewall.web.websocket.WebSocketHandler", "tornado.websocket.WebSocketHandler"),
    ("eyewall.web.WebSocketHandler", "tornado.websocket.WebSocketHandler"),
    ("eyewall.web.", "tornado.web."),
    ("eyewall.client.asyncclient.", "tornado.httpclient."),
    ("eyewall.client.", "tornado.httpclient."),
    ("eyewall.loop.gen.", "tornado.gen."),
    ("eyewall.loop.ioloop.", "tornado.ioloop."),
    ("eyewall.loop.periodic.", "tornado.ioloop."),
    ("eyewall.loop.concurrent.", "tornado.concurrent."),
    ("eyewall.loop.IOLoop", "tornado.ioloop.IOLoop"),
    ("eyewall.loop.PeriodicCallback", "tornado.ioloop.PeriodicCallback"),
    ("concurrent.futures.thread.", "concurrent.futures."),
    ("concurrent.futures.process.", "concurrent.futures."),
    ("concurrent.futures._base.", "concurrent.futures."),
    ("asyncio.tasks.", "asyncio."),
    ("asyncio.exceptions.", "asyncio."),
    ("asyncio.protocols.", "asyncio."),
    ("asyncio.timeouts.", "asyncio."),
    ("requests.api.", "requests."),
    ("requests.sessions.", "requests."),
    ("requests.session", "requests.Session"),
    ("typing_extensions.", "typing."),
    ("multiprocessing.pool.", "multiprocessing."),
    ("multiprocessing.context.", "multiprocessing."),
)

HANDLERS = frozenset(
    f"tornado.web.{name}"
    for name in (
        "RequestHandler",
        "StaticFileHandler",
        "RedirectHandler",
        "ErrorHandler",
        "FallbackHandler",
        "EventSourceHandler",
        "HealthHandler",
    )
) | {"tornado.websocket.WebSocketHandler"}
WEBSOCKETS = frozenset({"tornado.websocket.WebSocketHandler"})
PROTOCOLS = frozenset(
    f"asyncio.{name}"
    for name in ("Protocol", "DatagramProtocol", "SubprocessProtocol", "BufferedProtocol", "BaseProtocol")
)
THREAD_EXECUTORS = frozenset({"concurrent.futures.ThreadPoolExecutor"})
EXECUTORS = THREAD_EXECUTORS | {
    "concurrent.futures.ProcessPoolExecutor",
    "concurrent.futures.InterpreterPoolExecutor",
    "concurrent.futures.Executor",
}
LOOPS = frozenset({"asyncio.AbstractEventLoop", "tornado.ioloop.IOLoop"})
LOCKS = frozenset(
    f"threading.{name}" for name in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition")
)

#: Classes that values are recognised to be of.
TYPES = (
    HANDLERS
    | PROTOCOLS
    | EXECUTORS
    | LOOPS
    | LOCKS
    | {
        "aiohttp.ClientSession",
        "asyncio.TaskGroup",
        "concurrent.futures.Future",
        "ftplib.FTP",
        "ftplib.FTP_TLS",
        "http.client.HTTPConnection",
        "http.client.HTTPSConnection",
        "httpx.AsyncClient",
        "httpx.Client",
        "imaplib.IMAP4",
        "imaplib.IMAP4_SSL",
        "multiprocessing.Pool",
        "multiprocessing.Process",
        "multiprocessing.Queue",
        "pathlib.Path",
        "poplib.POP3",
        "psycopg.Connection",
        "psycopg2.connection",
        "pymongo.MongoClient",
        "queue.LifoQueue",
        "queue.PriorityQueue",
        "queue.Queue",
        "queue.SimpleQueue",
        "redis.Redis",
        "redis.StrictRedis",
        "requests.Session",
        "smtplib.SMTP",
        "smtplib.SMTP_SSL",
        "socket.socket",
        "sqlite3.Connection",
        "sqlite3.Cursor",
        "ssl.SSLSocket",
        "subprocess.Popen",
        "telnetlib.Telnet",
        "threading.Barrier",
        "threading.Event",
        "threading.Thread",
        "threading.Timer",
        "tornado.httpclient.AsyncHTTPClient",
        "tornado.httpclient.HTTPClient",
        "tornado.tcpclient.TCPClient",
        "urllib3.PoolManager",
        "weakref.WeakSet",
        "weakref.WeakValueDictionary",
        "weakref.WeakKeyDictionary",
    }
)

#: What a call returns, by its full name: the class of the value.
RETURNS = {
    "asyncio.get_event_loop": "asyncio.AbstractEventLoop",
    "asyncio.get_running_loop": "asyncio.AbstractEventLoop",
    "asyncio.new_event_loop": "asyncio.AbstractEventLoop",
    "asyncio.run_coroutine_threadsafe": "concurrent.futures.Future",
    "tornado.ioloop.IOLoop.current": "tornado.ioloop.IOLoop",
    "tornado.ioloop.IOLoop.instance": "tornado.ioloop.IOLoop",
    "multiprocessing.Pool": "multiprocessing.Pool",
    "psycopg.connect": "psycopg.Connection",
    "psycopg2.connect": "psycopg2.connection",
    "redis.from_url": "redis.Redis",
    "redis.Redis.from_url": "redis.Redis",
    "requests.Session": "requests.Session",
    "socket.create_connection": "socket.socket",
    "sqlite3.connect": "sqlite3.Connection",
    "sqlite3.Connection.cursor": "sqlite3.Cursor",
    "sqlite3.Connection.execute": "sqlite3.Cursor",
    "psycopg2.connection.cursor": "psycopg2.cursor",
    "psycopg.Connection.cursor": "psycopg.Cursor",
    "pymysql.connect": "pymysql.Connection",
    "pymysql.Connection.cursor": "pymysql.Cursor",
    "MySQLdb.connect": "MySQLdb.Connection",
    "MySQLdb.Connection.cursor": "MySQLdb.Cursor",
    **{f"{executor}.submit": "concurrent.futures.Future" for executor in EXECUTORS},
}


def canonical(name: str) -> str:
    """Returns the one name by which rules know something that has several."""
    for prefix, replacement in _PREFIXES:
        if name.startswith(prefix):
            if prefix.endswith("."):
                return replacement + name[len(prefix) :]
            if name[len(prefix) : len(prefix) + 1] in ("", "."):
                return replacement + name[len(prefix) :]
    return name
