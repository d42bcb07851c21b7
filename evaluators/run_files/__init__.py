"""The files of a run as graders and reports read them."""
