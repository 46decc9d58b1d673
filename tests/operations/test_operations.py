"""What docs/operations promises: backup and restore, a lost database, a new master key."""

import secrets
import signal
import time
import unittest

from test_cluster import POSTGRES, free_port, is_ready, until
from world import World


class OnSqlite(unittest.TestCase):
    postgres = None

    def setUp(self):
        self.world = World(self.postgres)
        self.addCleanup(self.world.end)
        for name in ("ann", "bo", "cy", "dora"):
            self.world.patient(name)
        self.world.approve()
        for name in ("ann", "bo", "cy", "dora"):
            self.world.contact(name, "confirm")
        self.world.run("reconcile")
        self.assertEqual(set(self.world.statuses().values()), {"subscribed"})

    def live_on(self):
        """What happens after the backup: an opt-out there, a patient archived, one deleted, one new."""
        self.world.contact("ann", "unsubscribe")
        self.world.patient("bo", status="archived")
        self.world.patient("dora", status="deleted")
        self.world.patient("eve")
        self.world.run("reconcile")
        self.world.run("reconcile")

    def test_after_a_restore_nobody_is_listed_who_left_since_the_backup(self):
        self.world.store.back_up()
        self.live_on()
        before = self.world.statuses()
        self.assertEqual(before, {"ann": "unsubscribed", "bo": "archived", "cy": "subscribed", "eve": "pending"})
        self.world.store.restore()
        self.world.run("ledger", "verify")
        self.world.run("reconcile", "--full")
        self.world.run("reconcile", "--full")
        self.assertEqual(self.world.statuses(), before)
        self.assertEqual(self.world.invitations()["eve"], 1)
        self.assertIn("held but dropped: 0", self.world.run("report"))

    def test_who_was_erased_since_the_backup_is_erased_again_where_there_is_a_register(self):
        self.world.register = True
        self.world.configure()
        self.world.run("reconcile")
        self.world.store.back_up()
        self.world.run("patient", "erase", "riverside", "2", "--reason", "a letter", "--by", "the front desk")
        self.world.run("reconcile")
        self.assertNotIn("bo", self.world.statuses())
        # The clinic's own records go on to have the patient, and the backup too.
        self.world.store.restore()
        self.world.run("restored")
        for chain in ("ledger", "audit"):
            self.world.run(chain, "verify")
        self.world.approve()
        self.world.run("reconcile", "--full")
        self.assertNotIn("bo", self.world.statuses())
        self.assertEqual(self.world.statuses()["ann"], "subscribed")

    def test_a_cut_ledger_is_told_by_the_next_run_and_not_by_one_that_finds_the_store_put_back(self):
        self.world.register = True
        self.world.configure()
        self.world.run("reconcile")
        self.world.store.back_up()
        self.live_on()
        # Nobody says that it was put back: the register tells the runs from each other, and the ends too.
        self.world.store.restore()
        said = self.world.run("reconcile", expect=3)
        self.assertIn("it was put back", said)
        self.assertIn("the ledger is broken", said)
        self.assertIn("BROKEN", self.world.run("ledger", "verify", expect=1))
        self.world.run("restored")
        self.world.run("ledger", "verify")

    def test_without_any_backup_the_first_run_only_proposes_and_brings_nobody_back(self):
        self.live_on()
        before = self.world.statuses()
        self.world.store.lose()
        self.world.run("migrate")
        self.world.run("reconcile", expect=3)
        self.assertEqual(self.world.statuses(), before)
        self.world.approve()
        self.assertEqual(self.world.statuses(), before)
        self.assertEqual(self.world.invitations()["eve"], 1)

    def test_a_new_master_key_beside_the_old_one_keeps_everything_readable(self):
        self.world.secret("master_key_2", secrets.token_hex(32))
        self.world.configure('[keys]\nmaster = "master_key_2"\nretired = ["master_key"]')
        self.world.run("ledger", "verify")
        self.world.contact("ann", "unsubscribe")
        self.world.run("reconcile")
        self.world.run("ledger", "verify")
        self.assertIn("withdrawn by the person", self.world.run("explain", "ann@mail.example"))

    def serve(self):
        port = free_port()
        process = self.world.start("serve", "--listen", f"127.0.0.1:{port}")
        until(lambda: is_ready(port))
        return process

    def test_a_rotation_that_is_killed_again_and_again_ends_and_the_old_key_may_go(self):
        serving = self.serve()
        self.world.secret("master_key_2", secrets.token_hex(32))
        for keys in ('retired = ["master_key_2"]', 'master = "master_key_2"\nretired = ["master_key"]'):
            serving.send_signal(signal.SIGTERM)
            self.assertEqual(serving.wait(25), 0)
            self.world.configure(f"[keys]\n{keys}")
            serving = self.serve()
        for wait in range(12):
            rotating = self.world.start("keys", "rotate")
            time.sleep(wait / 100)
            rotating.kill()
            rotating.wait(10)
        said = self.world.run("keys", "rotate")
        self.assertIn("out of the Secret: master_key.", said)
        self.world.configure('[keys]\nmaster = "master_key_2"')
        (self.world.folder / "secrets/master_key").unlink()
        self.live_on()
        for chain in ("ledger", "audit"):
            self.world.run(chain, "verify")
        self.assertIn("withdrawn by the person", self.world.run("explain", "ann@mail.example"))

    def test_a_new_master_key_alone_is_refused(self):
        self.world.secret("master_key_2", secrets.token_hex(32))
        self.world.configure('[keys]\nmaster = "master_key_2"')
        self.assertIn("retired", self.world.run("reconcile", expect=1))


@unittest.skipUnless(POSTGRES, "set LISTWARDEN_TEST_POSTGRES")
class OnPostgres(OnSqlite):
    postgres = POSTGRES


class FromTheSchemaBefore(unittest.TestCase):
    """A store that the last migration has not seen, with a clinic's life in it."""

    postgres = None

    def test_an_upgrade_keeps_everybody_where_they_are(self):
        world = World(self.postgres)
        self.addCleanup(world.end)
        for name in ("ann", "bo", "cy"):
            world.patient(name)
        world.approve()
        world.contact("ann", "confirm")
        world.contact("bo", "unsubscribe")
        world.run("reconcile")
        before, explained = world.statuses(), world.run("explain", "bo@mail.example")
        world.store.take_back_last_migration()
        self.assertIn("listwarden migrate", world.run("reconcile", expect=1))
        world.run("migrate")
        world.run("ledger", "verify")
        world.run("reconcile", "--full")
        self.assertEqual(world.statuses(), before)
        self.assertEqual(world.run("explain", "bo@mail.example"), explained)
        self.assertEqual(world.invitations(), {"ann": 1, "bo": 1, "cy": 1})


@unittest.skipUnless(POSTGRES, "set LISTWARDEN_TEST_POSTGRES")
class FromTheSchemaBeforeOnPostgres(FromTheSchemaBefore):
    postgres = POSTGRES
