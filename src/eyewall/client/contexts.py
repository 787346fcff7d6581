"""TLS contexts for requests, each made once: loading the system's authorities takes longer than most requests."""

from __future__ import annotations

import os
import ssl
from collections import OrderedDict
from typing import Any, Final

from eyewall.net.tls import client_context, ssl_options_to_context

#: Contexts that one client keeps; the least recently used goes first.
_CONTEXTS: Final = 16


class ContextCache:
    """The TLS contexts of one client."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[object, ssl.SSLContext] = OrderedDict()

    def get(self, options: Any) -> ssl.SSLContext:
        """Returns the context that the options of a request ask for, the same one for the same options.

        Files that have changed are read again. Raises TLSConfigError (a ValueError).
        """
        given = options.ssl_options
        if isinstance(given, ssl.SSLContext):
            return given
        if given is not None:
            key: object = tuple(sorted((name, repr(value)) for name, value in given.items()))
            files = [given.get(name) for name in ("certfile", "keyfile", "ca_certs")]
        else:
            verify = options.validate_cert is None or bool(options.validate_cert)
            files = [options.ca_certs, options.client_cert, options.client_key]
            key = verify
        key = (key, *map(_version, files))
        context = self._contexts.get(key)
        if context is None:
            if given is not None:
                context = ssl_options_to_context(given, server_side=False)
            else:
                context = client_context(
                    ca_certs=options.ca_certs,
                    certfile=options.client_cert,
                    keyfile=options.client_key,
                    verify=verify,
                )
            self._contexts[key] = context
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        else:
            self._contexts.move_to_end(key)
        return context

    def clear(self) -> None:
        """Forgets all contexts."""
        self._contexts.clear()


def _version(path: str | os.PathLike[str] | None) -> object:
    """Returns what changes when a file does."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        # Whoever reads it says what is wrong with it.
        return path, 0
    return path, status.st_mtime_ns, status.st_ino, status.st_size
