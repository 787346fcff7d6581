"""EW205: files that the loop's thread waits for."""

from __future__ import annotations

import ast

from eyewall.doctor.checking.problem import RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule, is_constant
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.finding import Severity


class BlockingFile(BlockingRule):
    """Whole files read, written or copied in code that runs in the loop."""

    about = RuleInfo(
        "EW205",
        "blocking-file",
        Severity.NOTICE,
        "A file may be large, or on a disk that is busy or far away; the loop's thread waits for it. A small one that "
        "is read once hardly matters.",
        "Do it in a thread: await asyncio.to_thread(...). To send a file, use StaticFileHandler.",
        ("ASYNC230", "ASYNC240", "ASYNC101"),
    )
    calls = frozenset(
        {
            "builtins.open",
            "io.open",
            "pathlib.Path.open",
            "pathlib.Path.read_bytes",
            "pathlib.Path.read_text",
            "pathlib.Path.write_bytes",
            "pathlib.Path.write_text",
            "gzip.open",
            "bz2.open",
            "lzma.open",
            "tarfile.open",
            "zipfile.ZipFile",
            "os.fsync",
            "os.fdatasync",
            *(f"shutil.{name}" for name in ("copy", "copy2", "copyfile", "copytree", "rmtree", "move")),
            *(f"shutil.{name}" for name in ("copyfileobj", "make_archive", "unpack_archive")),
        }
    )
    # At start-up much is read from files, three functions away.
    reach = 1

    def blocks(self, call: ast.Call, name: str, function: Function) -> bool:
        """The null device and what the kernel makes up are no files."""
        first = call.args[0] if call.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return not first.value.startswith(("/dev/", "/proc/", "/sys/"))
        return not is_constant(first, *range(3))
