"""An S3 server for tests, which can be told to fail, and to be gone for a while.

It is moto's, or the one that SPECLRM_TEST_S3 names, behind a proxy; the key and the secret that
tests have there are `key` and `secret`.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from speclrm_testing.forwarding import Forwarding

BUCKET = "studies"
Trouble = Callable[[str, str], bool]
"""Whether a request of this method for this path fails."""


@dataclass(slots=True)
class S3:
    """The server, its address, what it was asked, and what it is to fail at."""

    app: Any
    port: int = 0
    fails: Trouble = lambda _method, _path: False
    asked: list[tuple[str, str]] = field(default_factory=list)
    _server: Any = None

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer a request, or fail at it."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.asked.append((method, path))
        if self.fails(method, path):
            start("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]
        return self.app(environ, start)

    def come(self) -> None:
        """Be there, at the port at which it was before."""
        serving = pytest.importorskip("werkzeug.serving")
        self._server = serving.make_server("127.0.0.1", self.port, self, threaded=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go(self) -> None:
        """Be gone: connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def failing(self, fails: Trouble) -> Iterator[None]:
        """Fail at some requests for as long as the block is open."""
        self.fails = fails
        try:
            yield
        finally:
            self.fails = lambda _method, _path: False


def s3_server() -> S3:
    """A server that is there; skipped where there is none and moto is not installed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    real = os.environ.get("SPECLRM_TEST_S3")
    if real:
        server = S3(Forwarding(real))
    else:
        moto = pytest.importorskip("moto.server")
        server = S3(moto.DomainDispatcherApplication(moto.create_backend_app))
    server.come()
    return server
