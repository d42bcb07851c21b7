"""Rich's console for untrusted text: its markup and control characters have no effect."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from evaluators.reports.safe_text import safe
from pipeline.cli.terminal import echo


def safe_console(*, err: bool = False, piped_width: int | None = None) -> Console:
    """A console on standard output, or on standard error, that shows text as it is.

    `piped_width` is the width where there is no terminal: a pipe or a log has none to fit.
    """
    console = _SafeConsole(stderr=err, markup=False, emoji=False, highlight=False)
    if piped_width is not None and not console.is_terminal:
        console.width = piped_width
    return console


def echo_wrapped(text: str, *, indent: int = 0, err: bool = False) -> None:
    """Print a paragraph as wide as the terminal; where there is none, on one line."""
    console = safe_console(err=err)
    if console.is_terminal:
        console.print(Padding.indent(Text(text), indent))
    else:
        echo(" " * indent + text, err=err)


class _SafeConsole(Console):
    """Makes the text of everything that it renders safe, whoever wrote the text."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of a renderable; those that move the cursor are rich's own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(safe(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Left to the command line, which ends every command alike."""
        raise BrokenPipeError
