"""One file, one table: rows of settings by columns of problems, each cell a run."""
