"""The file that makes `tornado` mean Eyewall in a whole virtual environment.

It stands among the installed packages, and the interpreter executes it at every start (`site`). That must cost next
to nothing where nobody imports tornado: one line defines one finder, which imports nothing before it is asked for
tornado.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from eyewall.base.errors import EyewallError

#: Files of one folder are executed in the order of their names; any place among them will do.
NAME = "eyewall-tornado.pth"
_MARK = "# Written by `eyewall tornado on`"

# Some versions of Python execute the files of a virtual environment twice.
# What of it fails fails in `import tornado`, where somebody sees it. It goes when tornado is imported: what it hands
# over to stands in its place.
_FINDER = '''\
class EyewallTornado:
    """Makes `tornado` mean `eyewall.tornado`; see the file that is named below."""
    place = {place!r}
    def find_spec(self, name, path=None, target=None):
        if name == "tornado" or name.startswith("tornado."):
            alias = self.alias()
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            return alias.find_spec(name, path, target)
    def find_distributions(self, context):
        if (context.name or "").lower() == "tornado":
            return self.alias().find_distributions(context)
        return ()
    def alias(self):
        try:
            import eyewall.tornado._alias
        except ModuleNotFoundError as error:
            if error.name != "eyewall":
                raise
            raise ImportError(
                "tornado means Eyewall here, but Eyewall is not installed: install it, or delete " + self.place,
                name="tornado") from None
        return eyewall.tornado._alias
import sys
if not any(type(finder).__name__ == "EyewallTornado" for finder in sys.meta_path):
    sys.meta_path.insert(0, EyewallTornado())
'''


class AliasFileError(EyewallError):
    """The environment can't be changed; the message says why and what can be done."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python environment: its `prefix`, the folder of its `packages`, whether it is a virtual one."""

    prefix: Path
    packages: Path
    virtual: bool

    @classmethod
    def of_interpreter(cls) -> Environment:
        """The environment that this interpreter belongs to."""
        packages = Path(sysconfig.get_paths()["purelib"])
        return cls(Path(sys.prefix), packages, sys.prefix != sys.base_prefix)

    @property
    def file(self) -> Path:
        """Where the file is, or would be."""
        return self.packages / NAME

    def is_on(self) -> bool:
        """Whether the alias is on. Raises AliasFileError where the file is there but not ours."""
        text = self._read()
        if text is None:
            return False
        if not text.startswith(_MARK):
            raise AliasFileError(
                f"{self.file} was not written by `eyewall tornado on`, or has been changed since: look at it, "
                "and delete it yourself"
            )
        return True

    def is_current(self) -> bool:
        """Whether the file is the one that this version of Eyewall writes."""
        return self._read() == self._text()

    def turn_on(self) -> bool:
        """Writes the file. Returns False if it was there already, just as it is to be.

        Raises AliasFileError outside of a virtual environment, and where nothing can be written.
        """
        if not self.virtual:
            raise AliasFileError(
                f"{self.prefix} is not a virtual environment: the alias would change Tornado for every program of "
                "this machine. Make an environment with `python -m venv`, or run one program with "
                "`python -m eyewall.tornado`"
            )
        if self.is_on() and self.is_current():
            return False
        partial = self.file.with_name(f"{NAME}.{os.getpid()}.tmp")
        try:
            partial.write_text(self._text(), "utf-8")
            # At once: an interpreter that starts meanwhile reads the whole of it, or none.
            partial.replace(self.file)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise AliasFileError(f"cannot write {self.file}: {error.strerror}") from error
        return True

    def turn_off(self) -> bool:
        """Removes the file. Returns False if there is none. Raises AliasFileError where it can't be removed."""
        if not self.is_on():
            return False
        try:
            self.file.unlink()
        except OSError as error:
            raise AliasFileError(f"cannot remove {self.file}: {error.strerror}") from error
        return True

    def _read(self) -> str | None:
        try:
            return self.file.read_text("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AliasFileError(f"cannot read {self.file}: {error.strerror}") from error

    def _text(self) -> str:
        finder = _FINDER.format(place=str(self.file))
        # A name that `site` would execute this under belongs to it, not to us.
        return (
            f"{_MARK}: `import tornado` means `eyewall.tornado`. `eyewall tornado off` removes it.\n"
            f"import sys; exec({finder!r}, {{'__name__': 'eyewall-tornado'}})\n"
        )
