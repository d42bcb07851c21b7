"""Run directories on shared storage: their addresses, and the objects behind them."""
