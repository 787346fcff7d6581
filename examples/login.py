"""Signed cookies, a login, and forms that other sites can't forge. Run it: eyewall run examples/login.py"""

import secrets

from eyewall.web import Application, RequestHandler, authenticated


class Page(RequestHandler):
    def get_current_user(self) -> str | None:
        name = self.get_signed_cookie("user", max_age_days=7)
        return name.decode() if name else None


class Home(Page):
    @authenticated
    def get(self) -> None:
        self.write({"user": self.current_user})


class Login(Page):
    def get(self) -> None:
        self.write(
            f'<form method="post"><input name="name">{self.xsrf_form_html()}<button>Enter</button></form>'
        )

    def post(self) -> None:
        name = self.get_body_argument("name")
        self.set_signed_cookie("user", name, expires_days=7, httponly=True, samesite="Lax")
        self.redirect("/")


app = Application(
    [("/", Home), ("/login", Login)],
    # New cookies are signed with key 2; those signed with key 1 are still read.
    cookie_secret={1: secrets.token_hex(32), 2: secrets.token_hex(32)},
    key_version=2,
    login_url="/login",
    xsrf_cookies=True,
    cross_origin_protection=True,
)
