"""Hello, World. Run it: eyewall run examples/hello.py"""

from eyewall.web import Application, RequestHandler


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("Hello, World!\n")


app = Application([("/", Hello)])
