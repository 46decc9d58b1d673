"""What serve shows is what Prometheus reads, by promtool; runs that nobody saw are in it."""

import os
import pathlib
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from world import World

# Where .ci/chart puts it.
PROMTOOL = pathlib.Path(__file__).parents[2] / "target/chart/prometheus/usr/bin/promtool"


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


class Figures(unittest.TestCase):
    def shown(self, port):
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                    return answer.read()
            except urllib.error.URLError:
                time.sleep(0.1)
        self.fail("no figures")

    def test_prometheus_reads_them(self):
        world = World()
        self.addCleanup(world.end)
        for name in ("ann", "bo"):
            world.patient(name)
        world.approve()
        world.run("reconcile", "--full")
        port = free_port()
        world.start("serve", "--listen", "127.0.0.1:0", "--metrics-listen", f"127.0.0.1:{port}")
        figures = self.shown(port)
        for said in (b'listwarden_runs_total{outcome="in_step"}', b'listwarden_members{list="riverside/news",'):
            self.assertIn(said, figures)
        tool = os.environ.get("PROMTOOL", PROMTOOL)
        ran = subprocess.run([tool, "check", "metrics"], input=figures, capture_output=True)
        self.assertEqual((ran.returncode, ran.stderr), (0, b""), ran.stdout)
