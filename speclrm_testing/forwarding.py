"""A server that passes every request on to another, as a WSGI application.

Tests and benchmarks put it, and the failures that they make, before a real S3 server. The host that
a client named goes with the request, so that its signature stays valid.
"""

import http.client
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SECONDS = 60.0
OF_ONE_CONNECTION = {
    "connection",
    "content-length",
    "date",
    "expect",
    "server",
    "transfer-encoding",
}


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The application; `server` is the address of the other, as http://127.0.0.1:8333."""

    server: str

    def __call__(self, environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Pass a request on, and the answer back."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        method, path = environ["REQUEST_METHOD"], environ["RAW_URI"]
        there = http.client.HTTPConnection(urlsplit(self.server).netloc, timeout=SECONDS)
        there.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in _headers(environ):
            there.putheader(name, value)
        there.putheader("Content-Length", str(len(body)))
        there.endheaders(body)
        answer = there.getresponse()
        content = answer.read()
        told = [pair for pair in answer.getheaders() if pair[0].lower() not in OF_ONE_CONNECTION]
        # What answers HEAD has no content, but says how much there would be.
        length = (method == "HEAD" and answer.getheader("Content-Length")) or str(len(content))
        start(f"{answer.status} {answer.reason}", [*told, ("Content-Length", length)])
        there.close()
        return [content]


def _headers(environ: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if environ.get("CONTENT_TYPE"):
        yield "Content-Type", environ["CONTENT_TYPE"]
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-").lower()
        if key.startswith("HTTP_") and name not in OF_ONE_CONNECTION:
            yield name, value
