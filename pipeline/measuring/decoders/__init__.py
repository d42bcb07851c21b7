"""Decoders, one a file: ways to write completions. `pipeline.measuring.table` names them all."""
