"""Tornado's `tornado.locale`."""

from eyewall.web.locale import CONTEXT_SEPARATOR as CONTEXT_SEPARATOR, CSVLocale as CSVLocale
from eyewall.web.locale import GettextLocale as GettextLocale, LOCALE_NAMES as LOCALE_NAMES, Locale as Locale
from eyewall.web.locale import _supported_locales as _supported_locales, _translations as _translations
from eyewall.web.locale import _use_gettext as _use_gettext
from eyewall.web.locale import get as get, get_supported_locales as get_supported_locales
from eyewall.web.locale import load_gettext_translations as load_gettext_translations
from eyewall.web.locale import load_translations as load_translations
from eyewall.web.locale import set_default_locale as set_default_locale
