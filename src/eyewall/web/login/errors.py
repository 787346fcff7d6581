"""What goes wrong while somebody logs in.

AuthError                 the login failed: by the visitor's doing, or the provider's
  BadProviderAnswer       what the provider answered is not what the protocol says
"""

from __future__ import annotations


class AuthError(Exception):
    """Nobody could be authenticated."""


class BadProviderAnswer(AuthError, ValueError):
    """The provider's answer lacks something, or cannot be read. A ValueError, as malformed JSON always was."""
