"""A small OpenAI-compatible server whose answers a test chooses."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]
MODELS: Answer = (200, {"data": [{"id": "m", "owned_by": "someone"}]})


@contextlib.contextmanager
def serving(
    answer: Callable[[str], Answer],
    on_post: Callable[[str, Any], Answer] | None = None,
    *,
    takes_ids: bool = False,
) -> Iterator[str]:
    """Serve until the block ends; `answer` maps a path to a status and a JSON body.

    `on_post` is for answers that depend on the body of what was posted.
    Prompts of token ids are refused unless it `takes_ids`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(*answer(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if isinstance(body.get("prompt"), list) and not takes_ids:
                return self.reply(400, "a prompt is a text")
            return self.reply(*(on_post(self.path, body) if on_post else answer(self.path)))

        def reply(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chat(text: str) -> Answer:
    """A server's answer to a chat."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    return 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
