"""Metrics of other systems: Prometheus remote write and OTLP, into `samples` and its companions."""
