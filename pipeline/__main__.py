"""The command `speclrm`, which is also `python -m pipeline`."""

import sys

RUN_STOPPED = 3


def command() -> None:
    """Load the command line and call it; Ctrl-C is answered while it is being loaded, too."""
    try:
        from pipeline.cli import main  # noqa: PLC0415 - see above

        main()
    except KeyboardInterrupt:
        sys.stderr.write("Error: Interrupted.\n")
        sys.exit(RUN_STOPPED)


if __name__ == "__main__":
    command()
