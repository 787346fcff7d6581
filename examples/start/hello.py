from eyewall.web import Application, RequestHandler


class Hello(RequestHandler):
    def get(self) -> None:
        name = self.get_argument("name", "World")
        self.write(f"Hello, {name}!\n")


app = Application([("/", Hello)])
