"""The server of the page: bound to this machine, behind a token, and with nothing of a student's in its HTML."""

import asyncio
import hmac
import json
import secrets
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, StaticFileHandler

from diffusion_lab.grading.ledger import Conflict, Mark
from diffusion_lab.grading.review.items import Gradebook

PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)


class Server:
    """A page for one gradebook."""

    def __init__(self, gradebook: Gradebook, port: int = 0):
        """Bind it to a port of the loopback interface, or to a free one for 0; `OSError` if it is taken."""
        self.gradebook, self.token = gradebook, secrets.token_urlsafe(24)
        self._sockets = bind_sockets(port, "127.0.0.1")
        self.port = self._sockets[0].getsockname()[1]
        self.cookie = f"diffusion-lab-review-{self.port}"

    @property
    def address(self) -> str:
        """Where the page is; whoever knows it may give points."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    async def serve(self, stop: asyncio.Event | None = None) -> None:
        """Answer requests until `stop` is set, or for ever."""
        shared = {"server": self}
        routes = [
            (r"/", _Index, shared),
            (r"/items", _Items, shared),
            (r"/mark", _Mark, shared),
            (r"/page/(review\.(?:js|css))", _File, shared | {"path": str(PAGE)}),
        ]
        server = HTTPServer(Application(routes), max_body_size=100_000)
        server.add_sockets(self._sockets)
        await (stop or asyncio.Event()).wait()
        server.stop()


class _Guarded(RequestHandler):
    """Answers only who has the token, under the address that was given."""

    def initialize(self, server: Server) -> None:
        self.server = server

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        given = self.get_cookie(self.server.cookie) or self.get_query_argument("token", "")
        is_known = hmac.compare_digest(given.encode(), self.server.token.encode())
        if self.request.host != f"127.0.0.1:{self.server.port}" or not is_known:
            self.set_status(403)
            self.finish("Open the whole address that diffusion-lab review has printed, with its token.")

    def write_json(self, content: dict | list) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(content))


class _Index(_Guarded):
    def get(self) -> None:
        self.set_cookie(self.server.cookie, self.server.token, httponly=True, samesite="Strict")
        if self.get_query_argument("token", ""):
            self.redirect("/")
            return
        self.write((PAGE / "review.html").read_text(encoding="utf-8"))


class _File(_Guarded, StaticFileHandler):
    def initialize(self, server: Server, path: str) -> None:
        _Guarded.initialize(self, server)
        StaticFileHandler.initialize(self, path)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-store")


class _Items(_Guarded):
    def get(self) -> None:
        gradebook = self.server.gradebook
        try:
            self.write_json([item._asdict() | {"mark": mark._asdict()} for item, mark in gradebook.marked()])
        except (OSError, ValueError) as error:
            self.set_status(500)
            self.write_json({"error": str(error)})


class _Mark(_Guarded):
    def post(self) -> None:
        """Change one mark; the header that only a script of this page can set keeps other pages out."""
        if self.request.headers.get("Content-Type") != "application/json":
            self.set_status(415)
            return
        gradebook = self.server.gradebook
        try:
            sent = json.loads(self.request.body)
            name = (sent["student"], sent["exercise"], sent["task"])
            mark, before = (
                Mark(_number(part["points"]), _number(part["max"]), str(part["comment"]).strip()[:2000])
                for part in (sent["mark"], sent["before"])
            )
            if name not in {(item.student, item.exercise, item.task) for item in gradebook.items()}:
                raise ValueError("there is no such task in the gradebook")
            gradebook.ledger.change(*name, mark, before=before, why="review")
            self.write_json({"mark": mark._asdict()})
        except Conflict as conflict:
            self.set_status(409)
            self.write_json({"error": str(conflict), "mark": conflict.mark._asdict()})
        except (KeyError, TypeError, ValueError, OSError) as error:
            self.set_status(400)
            self.write_json({"error": str(error)})


def _number(value) -> float | None:
    return None if value is None else float(value)
