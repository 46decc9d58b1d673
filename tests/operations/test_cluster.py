"""Several processes on one PostgreSQL: restarts, crashes and two workers at once."""

import collections
import concurrent.futures
import os
import signal
import socket
import threading
import time
import unittest
import urllib.request

from balancer import Balancer
from world import World

POSTGRES = os.environ.get("LISTWARDEN_TEST_POSTGRES")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, seconds=60):
    """Waits until it is so."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not come to be in time")
        time.sleep(0.1)


def is_ready(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).status == 200
    except OSError:
        return False


@unittest.skipUnless(POSTGRES, "set LISTWARDEN_TEST_POSTGRES")
class Webhooks(unittest.TestCase):
    PEOPLE = [f"p{number}" for number in range(60)]

    def setUp(self):
        self.balancer = Balancer()
        self.addCleanup(self.balancer.end)
        self.world = World(POSTGRES, serve=f'[serve]\npublic_url = "http://127.0.0.1:{self.balancer.port}"')
        self.addCleanup(self.world.end)
        for name in self.PEOPLE:
            self.world.row(name)
        self.world.import_rows()
        self.world.approve()
        for name in self.PEOPLE:
            self.world.contact(name, "confirm")
        self.world.run("reconcile")
        self.serving = [self.serve(), self.serve()]
        self.balancer.in_service = [port for _, port in self.serving]
        self.world.run("webhook", "register")

    def serve(self):
        port = free_port()
        process = self.world.start("serve", "--listen", f"127.0.0.1:{port}")
        until(lambda: is_ready(port))
        return process, port

    def kept(self):
        return self.world.store.count("SELECT count(*) FROM deliveries")

    def withdrawn(self):
        return self.world.store.count("SELECT count(*) FROM ledger WHERE kind = 'withdrawn'")

    def unsubscribe(self, names):
        for name in names:
            self.world.contact(name, "unsubscribe")

    def replace(self, index):
        """As a rolling restart does: a new one is ready, the old one gets no more, is asked to stop, and ends."""
        process, port = self.serving[index]
        self.serving[index] = self.serve()
        self.balancer.in_service = [port for _, port in self.serving]
        until(lambda: not self.balancer.in_hand[port])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(25), 0)

    def test_a_rolling_restart_loses_no_delivery(self):
        half = len(self.PEOPLE) // 2
        self.unsubscribe(self.PEOPLE[:half])
        self.replace(0)
        self.unsubscribe(self.PEOPLE[half:])
        self.replace(1)
        until(lambda: self.withdrawn() == len(self.PEOPLE))
        self.assertEqual(self.balancer.answered, {200: self.kept()})
        self.world.run("reconcile")
        self.assertEqual(set(self.world.statuses().values()), {"unsubscribed"})
        self.world.run("ledger", "verify")

    def test_of_a_pod_that_is_killed_everything_answered_is_kept_and_the_rest_is_found_by_a_run(self):
        self.unsubscribe(self.PEOPLE[:20])
        self.serving[0][0].kill()
        self.unsubscribe(self.PEOPLE[20:])
        until(lambda: sum(self.balancer.answered.values()) >= len(self.PEOPLE))
        answered = self.balancer.answered.copy()
        self.assertGreater(answered[502], 0)
        self.assertEqual(self.kept(), answered[200])
        self.world.run("reconcile", "--full")
        self.assertEqual(self.withdrawn(), len(self.PEOPLE))
        self.world.run("ledger", "verify")


    def reconcile_again_and_again(self, ended):
        """A worker that runs, and runs again, until it is told to end; returns how its runs ended."""
        codes = collections.Counter()
        while not ended.is_set():
            codes[self.world.start("reconcile", "--full").wait(60)] += 1
        return codes

    def test_two_that_serve_and_two_that_reconcile_under_load_lose_nothing_and_share_no_turn(self):
        ended = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(self.reconcile_again_and_again, ended) for _ in range(2)]
            try:
                third = len(self.PEOPLE) // 3
                self.unsubscribe(self.PEOPLE[:third])
                self.serving[0][0].kill()
                self.balancer.in_service = [self.serving[1][1]]
                self.unsubscribe(self.PEOPLE[third : 2 * third])
                killed = next(process for process in reversed(self.world.processes) if "reconcile" in process.args)
                killed.kill()
                self.serving[0] = self.serve()
                self.replace(1)
                self.unsubscribe(self.PEOPLE[2 * third :])
                until(lambda: self.withdrawn() == len(self.PEOPLE), 120)
            finally:
                ended.set()
            codes = sum((worker.result(120) for worker in workers), collections.Counter())
        # In step, busy because the other works, and the one that was killed.
        self.assertLessEqual(codes.keys(), {0, 5, -signal.SIGKILL}, codes)
        self.assertGreater(codes[0], 0)
        # What a killed one kept and did not answer is sent again after a minute, and is the same one then.
        until(lambda: self.kept() == self.balancer.answered[200], 90)
        # Whoever holds a list attends to webhooks within its own turn.
        shared = self.world.store.count(
            "SELECT count(*) FROM runs a JOIN runs b ON a.list_id = b.list_id AND a.id < b.id"
            " WHERE b.began_at < a.ended_at AND NOT (b.woken_by = 'webhook' AND b.ended_at <= a.ended_at)")
        self.assertEqual(shared, 0, "two turns of the list at once")
        until(lambda: self.world.start("reconcile").wait(60) == 0)
        self.assertEqual(set(self.world.statuses().values()), {"unsubscribed"})
        self.assertEqual(self.withdrawn(), len(self.PEOPLE), "one line each")
        self.world.run("ledger", "verify")


@unittest.skipUnless(POSTGRES, "set LISTWARDEN_TEST_POSTGRES")
class Runs(unittest.TestCase):
    # Mailboxes of an office are asked one by one; others go five hundred in one request.
    PEOPLE = [f"webmaster@p{number}.example" for number in range(150)]

    def setUp(self):
        """150 invitations are approved and due; each takes a while."""
        self.world = World(POSTGRES, latency_ms=150)
        self.addCleanup(self.world.end)
        for name in self.PEOPLE:
            self.world.row(name)
        self.world.import_rows()
        self.world.propose()

    def invited(self):
        return sum(self.world.invitations().values())

    def everybody_was_asked_once(self):
        self.assertEqual(self.world.invitations(), {name: 1 for name in self.PEOPLE})
        self.world.run("ledger", "verify")

    def test_two_workers_at_once_ask_nobody_twice(self):
        workers = [self.world.start("reconcile"), self.world.start("reconcile")]
        codes = {worker.wait(120) for worker in workers}
        self.assertLessEqual(codes, {0, 5})
        self.assertIn(0, codes)
        self.everybody_was_asked_once()

    def test_what_a_killed_worker_left_another_finishes_and_asks_nobody_twice(self):
        worker = self.world.start("reconcile")
        until(lambda: self.invited() > 10)
        worker.kill()
        worker.wait(10)
        self.assertLess(self.invited(), len(self.PEOPLE))
        # Until its leases have run out, the next one finds it busy.
        until(lambda: self.world.start("reconcile").wait(60) == 0)
        self.everybody_was_asked_once()

    def test_a_worker_that_is_asked_to_stop_ends_in_time_and_the_next_goes_on(self):
        worker = self.world.start("reconcile")
        until(lambda: self.invited() > 10)
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(worker.wait(55), 1, "it did not end what it began, and says so")
        self.assertLess(self.invited(), len(self.PEOPLE))
        self.assertEqual(self.world.store.count("SELECT count(*) FROM runs WHERE ended_at IS NULL"), 0)
        self.assertEqual(self.world.store.count("SELECT count(*) FROM runs WHERE outcome = 'interrupted'"), 1)
        self.assertEqual(self.world.store.count(
            "SELECT count(*) FROM operations WHERE state IN ('submitted', 'doubtful')"), 0)
        self.world.run("reconcile")
        self.everybody_was_asked_once()
