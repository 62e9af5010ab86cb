"""The scenarios' series as unit tests of promtool, with every label and every text of an alert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from alerts.errors import ToolError
from alerts.links import Links, texts
from alerts.model import Alert
from alerts.play import Outcome
from alerts.prometheus import run_tool
from alerts.render import PROMETHEUS, prometheus_rules
from alerts.scenarios import Expected, Scenario
from alerts.template import rendered

Json = dict[str, Any]


def run(folder: Path, alerts: Sequence[Alert], scenarios: Sequence[Scenario]) -> list[Outcome]:
    """Write the rules and a test file a rule, and run promtool on each. Raises ToolError."""
    outcomes = []
    for alert in alerts:
        mine = [s for s in scenarios if s.series and s.alert.name == alert.name]
        if not mine:
            continue
        (folder / PROMETHEUS).write_text(prometheus_rules((alert,), Links()))
        problem = ""
        files = write(folder, alert, mine)
        try:
            run_tool(["promtool", "test", "rules", *map(str, files)])
        except ToolError as error:
            problem = str(error)
        outcomes += [Outcome(alert.name, f"promtool: {s.name}", problem) for s in mine]
    return outcomes


def write(folder: Path, alert: Alert, scenarios: Sequence[Scenario]) -> list[Path]:
    """Test files of promtool, one for each step of time, beside the rule file; returns them."""
    files = []
    for step in sorted({s.step for s in scenarios}):
        tests = [_test(s) for s in scenarios if s.step == step]
        path = folder / f"{alert.anchor}-{step}s.test.yml"
        tree = {
            "rule_files": [PROMETHEUS],
            "evaluation_interval": f"{step}s",
            "tests": tests,
        }
        path.write_text(yaml.safe_dump(tree, sort_keys=False))
        files.append(path)
    return files


def _test(scenario: Scenario) -> Json:
    alert = scenario.alert
    return {
        "name": scenario.name,
        "interval": f"{scenario.step}s",
        "input_series": [{"series": s, "values": v} for s, v in scenario.series],
        "alert_rule_test": [
            {
                "eval_time": f"{instant.at}s",
                "alertname": alert.name,
                "exp_alerts": [_alert(alert, e) for e in instant.fires],
            }
            for instant in scenario.instants
        ],
    }


def _alert(alert: Alert, expected: Expected) -> Json:
    value = expected.value or 0.0
    said = {k: rendered(t, expected.labels, value) for k, t in texts(alert, Links()).items()}
    own = {"severity": alert.severity, "area": alert.area}
    return {"exp_labels": {**own, **expected.labels}, "exp_annotations": said}
