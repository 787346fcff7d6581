"""EW204: databases that the loop's thread waits for."""

from __future__ import annotations

from eyewall.doctor.checking.problem import RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule
from eyewall.doctor.finding import Severity

_CURSOR = ("execute", "executemany", "executescript", "fetchone", "fetchall", "fetchmany", "callproc")
_DRIVERS = ("psycopg2", "psycopg", "pymysql", "MySQLdb", "mysql.connector", "pyodbc", "cx_Oracle", "oracledb")
_REDIS = (
    "get",
    "set",
    "hget",
    "hset",
    "hgetall",
    "incr",
    "delete",
    "publish",
    "lpush",
    "rpush",
    "blpop",
    "brpop",
    "ping",
)


class BlockingDatabase(BlockingRule):
    """A synchronous database driver in code that runs in the loop."""

    about = RuleInfo(
        "EW204",
        "blocking-database",
        Severity.WARNING,
        "A query waits for the disk, for locks or for another machine, and the loop's thread waits with it.",
        'Use a bounded executor, await executor("database").run(...) of eyewall.guard.executors, or an asynchronous '
        "driver.",
    )
    calls = frozenset(
        {
            "sqlite3.connect",
            *(f"sqlite3.Cursor.{name}" for name in _CURSOR),
            *(
                f"sqlite3.Connection.{name}"
                for name in (*_CURSOR, "commit", "rollback", "backup", "iterdump")
            ),
            *(f"{driver}.connect" for driver in _DRIVERS),
            *(
                f"{driver}.{kind}.{name}"
                for driver in _DRIVERS
                for kind in ("cursor", "Cursor")
                for name in _CURSOR
            ),
            *(f"{driver}.{kind}.commit" for driver in _DRIVERS for kind in ("connection", "Connection")),
            "psycopg.Connection.execute",
            *(f"redis.{kind}.{name}" for kind in ("Redis", "StrictRedis") for name in _REDIS),
        }
    )
