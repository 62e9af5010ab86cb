"""grafana-foundation-sdk, as far as we use it.

Importing its model of a dashboard warns that the newer kind (v2) is preferred. Grafana knows that
kind from version 12 on only, so that we keep the one that every supported Grafana imports.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common as build_common
    from grafana_foundation_sdk.builders import dashboard as build
    from grafana_foundation_sdk.builders import heatmap, prometheus, stat, table, timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common, dashboard
    from grafana_foundation_sdk.models import heatmap as heat_model

__all__ = [
    "JSONEncoder",
    "build",
    "build_common",
    "common",
    "dashboard",
    "heat_model",
    "heatmap",
    "prometheus",
    "stat",
    "table",
    "timeseries",
]
