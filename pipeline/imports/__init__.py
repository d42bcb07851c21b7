"""Results of other programs as runs, so that they are graded and ranked like any other."""
