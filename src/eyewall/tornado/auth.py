"""Tornado's `tornado.auth`."""

from eyewall.web.login.errors import AuthError as AuthError
from eyewall.web.login.facebook import FacebookGraphMixin as FacebookGraphMixin
from eyewall.web.login.google import GoogleOAuth2Mixin as GoogleOAuth2Mixin
from eyewall.web.login.oauth1 import OAuthMixin as OAuthMixin
from eyewall.web.login.oauth2 import OAuth2Mixin as OAuth2Mixin
from eyewall.web.login.openid import OpenIdMixin as OpenIdMixin
from eyewall.web.login.twitter import TwitterMixin as TwitterMixin
