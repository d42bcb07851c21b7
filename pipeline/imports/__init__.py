"""Results of other programs as runs of ours, so that they are graded and ranked beside them."""
