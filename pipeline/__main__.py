"""`python -m pipeline` is the command `speclrm`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
