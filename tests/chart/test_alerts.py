"""Alerts come when they should and not before, by promtool; the dashboard asks for what there is."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

import helm

FOLDER = pathlib.Path(__file__).parent
METRICS = helm.CHART.parents[1] / "docs/operations/metrics.md"
# What Prometheus makes of a histogram.
SUFFIXES = re.compile(r"_(bucket|sum|count)$")


def promtool(*arguments, **options):
    return subprocess.run([os.environ["PROMTOOL"], *arguments], capture_output=True, text=True, **options)


def of_kind(kind):
    return next(thing for thing in helm.objects(helm.cases()["all-on"]) if thing["kind"] == kind)


class Alerts(unittest.TestCase):
    def test_each_comes_when_it_should_and_not_before(self):
        ran = promtool("test", "rules", "alerts.yaml", cwd=FOLDER)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_each_is_tried(self):
        groups = yaml.safe_load((helm.CHART / "files/rules.yaml").read_text())["groups"]
        alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
        tried = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["tests"]
        tried = [alert for test in tried for alert in test.get("alert_rule_test", [])]
        self.assertEqual({alert["alertname"] for alert in tried if alert.get("exp_alerts")}, alerts)
        self.assertEqual({alert["alertname"] for alert in tried if not alert.get("exp_alerts")}, alerts)

    def test_each_record_is_tried_or_used(self):
        groups = yaml.safe_load((helm.CHART / "files/rules.yaml").read_text())["groups"]
        records = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
        asked = [rule["expr"] for group in groups for rule in group["rules"]]
        tried = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["tests"]
        asked += [test["expr"] for one in tried for test in one.get("promql_expr_test", [])]
        self.assertEqual({record for record in records if not any(record in expr for expr in asked)}, set())

    def test_those_of_the_chart_are_rules_that_prometheus_takes(self):
        spec = of_kind("PrometheusRule")["spec"]
        self.assertIn("> 1800", yaml.safe_dump(spec, width=1000))
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(spec, file)
            file.flush()
            ran = promtool("check", "rules", file.name)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_another_release_s_pods_do_not_hide_that_this_one_s_are_gone(self):
        seen = [{"series": f'listwarden_build_info{{namespace="{name}"}}', "values": values}
                for name, values in (("clinic", "1x3 stale"), ("another", "1x30"))]
        told = {"exp_labels": {"namespace": "clinic", "severity": "warning"},
                "exp_annotations": {"summary": "No serve pod is seen, so none of the other alerts can come",
                                    "runbook_url": "https://runbooks.example/unseen.md"}}
        test = {"interval": "1m", "input_series": seen, "alert_rule_test": [
            {"eval_time": "19m", "alertname": "ListwardenUnseen", "exp_alerts": [told]}]}
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "rules.yaml").write_text(yaml.safe_dump(of_kind("PrometheusRule")["spec"]))
            (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
            ran = promtool("test", "rules", "test.yaml", cwd=folder)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_each_names_a_runbook_that_is_there(self):
        groups = yaml.safe_load((helm.CHART / "files/rules.yaml").read_text())["groups"]
        for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
            runbook = helm.CHART.parents[1] / rule["annotations"]["runbook_url"]
            self.assertIn(rule["alert"], runbook.read_text())

    def test_alerts_and_dashboard_ask_for_metrics_that_there_are(self):
        there = set(re.findall(r"^\| `(listwarden_\w+)`", METRICS.read_text(), re.MULTILINE))
        for file in ("rules.yaml", "dashboard.json"):
            asked = re.findall(r"listwarden_\w+", (helm.CHART / "files" / file).read_text())
            self.assertLessEqual({SUFFIXES.sub("", name) for name in asked}, there, file)

    def test_the_dashboard_s_questions_are_ones_that_prometheus_takes(self):
        dashboard = json.loads((helm.CHART / "files/dashboard.json").read_text())
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        rules = [{"record": f"r{n}", "expr": expr.replace("$namespace", "clinic")} for n, expr in enumerate(asked)]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            ran = promtool("check", "rules", file.name)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
