"""Answers of providers: read strictly, because what they say decides who somebody is.

Two readers of one answer must not see different users in it, so that names which come twice are refused, not
resolved.
"""

from __future__ import annotations

import json
from typing import Any

from eyewall.base.query import parse_arguments
from eyewall.base.text import text_of
from eyewall.web.login.errors import BadProviderAnswer

#: Fields of an answer in the encoding of forms.
_FIELDS = 1000


def read_json(body: str | bytes) -> Any:
    """Returns the value that a JSON answer describes.

    Raises BadProviderAnswer for what is not JSON in UTF-8, is nested too deeply, or has an object with two members
    of one name.
    """
    try:
        return json.loads(_text(body), object_pairs_hook=_object)
    except RecursionError as error:
        raise BadProviderAnswer("the provider's JSON is nested too deeply") from error
    except BadProviderAnswer:
        raise
    except ValueError as error:
        raise BadProviderAnswer(f"the provider's answer is not JSON: {error}") from error


def read_json_object(body: str | bytes) -> dict[str, Any]:
    """Returns what `read_json` does. Raises BadProviderAnswer for what is no object, too."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise BadProviderAnswer(f"the provider's answer is no JSON object but {type(value).__name__}")
    return value


def read_token(body: bytes) -> dict[str, Any]:
    """Returns `{"key": …, "secret": …}` from an OAuth 1 answer with a token (RFC 5849 sections 2.1 and 2.3).

    Further fields that the provider sent are in the dict, too, by their own names; of one that comes several times
    the first value. Raises BadProviderAnswer where the token or its secret is missing, empty, there twice, or not
    UTF-8, and where the provider says that it has not taken the callback.
    """
    try:
        fields = parse_arguments(body.strip(), _FIELDS, False, False)
    except ValueError as error:
        raise BadProviderAnswer(f"the provider's answer is no form: {error}") from error
    token = {"key": _only(fields, "oauth_token"), "secret": _only(fields, "oauth_token_secret")}
    if fields.pop("oauth_callback_confirmed", [b"true"]) != [b"true"]:
        raise BadProviderAnswer("the provider has not confirmed the callback")
    for name, values in fields.items():
        token.setdefault(_text(name.encode("latin-1")), _text(values[0]))
    return token


def _only(fields: dict[str, list[bytes]], name: str) -> str:
    values = fields.pop(name, [])
    if len(values) != 1:
        raise BadProviderAnswer(f"{name} is {len(values)} times in the provider's answer, not once")
    return _text(values[0])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadProviderAnswer(f"{twice!r} stands twice in an object of the provider's answer")
    return found


def _text(data: str | bytes) -> str:
    try:
        return text_of(data) if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise BadProviderAnswer(f"the provider's answer is not UTF-8: {error}") from error
