"""Logging in with somebody else's account: OpenID, OAuth 1 and 2, and providers of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.web.login.errors import AuthError, BadProviderAnswer
    from eyewall.web.login.facebook import FacebookGraphMixin
    from eyewall.web.login.google import GoogleOAuth2Mixin
    from eyewall.web.login.oauth1 import OAuthMixin
    from eyewall.web.login.oauth2 import OAuth2Mixin
    from eyewall.web.login.openid import OpenIdMixin
    from eyewall.web.login.twitter import TwitterMixin

__all__ = [
    "AuthError",
    "BadProviderAnswer",
    "FacebookGraphMixin",
    "GoogleOAuth2Mixin",
    "OAuth2Mixin",
    "OAuthMixin",
    "OpenIdMixin",
    "TwitterMixin",
]

_NAMES = {
    "AuthError": "errors",
    "BadProviderAnswer": "errors",
    "FacebookGraphMixin": "facebook",
    "GoogleOAuth2Mixin": "google",
    "OAuth2Mixin": "oauth2",
    "OAuthMixin": "oauth1",
    "OpenIdMixin": "openid",
    "TwitterMixin": "twitter",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
