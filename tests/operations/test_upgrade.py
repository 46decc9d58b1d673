"""The program before on today's tables: while an upgrade rolls out, and after a rollback (.ci/upgrade)."""

import os
import signal
import unittest

from balancer import Balancer
from test_cluster import POSTGRES, free_port, is_ready, until
from world import World

BEFORE = os.environ.get("LISTWARDEN_BEFORE")


@unittest.skipUnless(BEFORE, "set LISTWARDEN_BEFORE: bash .ci/upgrade")
class BesideSqlite(unittest.TestCase):
    PEOPLE = [f"p{number}" for number in range(20)]
    postgres = None

    def setUp(self):
        self.balancer = Balancer()
        self.addCleanup(self.balancer.end)
        serve = f'[serve]\npublic_url = "http://127.0.0.1:{self.balancer.port}"'
        self.world = World(self.postgres, serve=serve)
        self.addCleanup(self.world.end)
        for name in self.PEOPLE:
            self.world.row(name)
        self.world.import_rows()
        self.world.approve()
        for name in self.PEOPLE:
            self.world.contact(name, "confirm")
        self.world.run("reconcile")

    def serve(self, **program):
        port = free_port()
        process = self.world.start("serve", "--listen", f"127.0.0.1:{port}", **program)
        until(lambda: is_ready(port))
        self.balancer.in_service.append(port)
        return process

    def test_it_reconciles_takes_webhooks_and_reads_what_the_new_one_wrote(self):
        old = self.serve(program=BEFORE)
        if self.postgres:
            self.serve()
        self.world.run("webhook", "register")
        for name in self.PEOPLE[:10]:
            self.world.contact(name, "unsubscribe")
        until(lambda: list(self.world.statuses().values()).count("unsubscribed") == 10)
        until(lambda: self.balancer.answered[200] >= 10)
        self.assertEqual(set(self.balancer.answered), {200})
        self.world.row(self.PEOPLE[10], status="archived")
        self.world.patients_written()
        for program in ({"program": BEFORE}, {}):
            self.world.run("patients", "import", str(self.world.patients), **program)
            self.world.run("reconcile", "--full", **program)
            self.world.run("ledger", "verify", **program)
            self.assertIn("withdrawn by the person", self.world.run("explain", "p3@mail.example", **program))
            self.assertEqual(self.world.statuses()["p10"], "archived")
        self.assertIn("held but dropped: 0", self.world.run("report"))
        old.send_signal(signal.SIGTERM)
        self.assertEqual(old.wait(25), 0)


@unittest.skipUnless(POSTGRES, "set LISTWARDEN_TEST_POSTGRES")
class BesidePostgres(BesideSqlite):
    postgres = POSTGRES
