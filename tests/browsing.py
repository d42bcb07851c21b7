"""Pages opened in a browser that must neither fail nor ask for anything beside themselves.

Waiting for an expression needs a function (`() => …`): a page does not evaluate texts.
"""

from contextlib import contextmanager


@contextmanager
def opened(browser, file, *, anchor="", **options):
    """The page, which in the end said no error, ran no foreign script, asked for nothing."""
    tab = browser.new_page(**options)
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(file.as_uri() + anchor)
    yield tab
    assert tab.evaluate("window.hacked") is None
    assert (said, asked) == ([], [file.as_uri()])
    tab.close()
