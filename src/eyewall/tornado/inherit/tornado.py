"""What `import tornado` finds first in a child of a program that runs under the alias.

The folder of this file is on the PYTHONPATH that the child inherits. Nothing else is in it but the metadata of a
distribution of that name: a child that does not import tornado pays nothing. One that does gets `eyewall.tornado`. An
interpreter of another environment, which has no Eyewall, gets what it would have got.
"""

import importlib
import os
import sys


def _become() -> None:
    own = sys.modules.pop(__name__)
    try:
        alias = importlib.import_module("eyewall.tornado._alias")
    except ModuleNotFoundError as error:
        if error.name != "eyewall":
            raise
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    else:
        alias.install()
    try:
        importlib.import_module(own.__name__)
    except BaseException:
        # What imports this module takes it from there, whether or not it could be imported.
        sys.modules[own.__name__] = own
        raise


_become()
