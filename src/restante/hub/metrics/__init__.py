"""Metrics: what the operator's Prometheus is shown, so that it can tell whether anything is stuck."""
