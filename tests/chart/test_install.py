"""In what order Helm makes, changes and takes back what the chart says."""

import unittest

import helm_python

import helm
from cluster import Cluster

MIGRATE = "create Job listwarden-migrate"
SERVE = "Deployment listwarden-serve"


class Installing(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.config = helm_python.Config(kubeconfig_content=self.cluster.kubeconfig(),
                                         namespace=helm.NAMESPACE, storage_driver="memory")
        self.values = helm.cases()["minimal"]

    def tearDown(self):
        self.config.close()
        self.cluster.stop()

    def install(self):
        self.config.install(helm.CHART, helm.RELEASE, self.values, namespace=helm.NAMESPACE, timeout=20)
        return self.since_then()

    def upgrade(self, **values):
        values = helm.lay_over(self.values, values)
        self.config.upgrade(helm.CHART, helm.RELEASE, values, namespace=helm.NAMESPACE, timeout=20)
        return self.since_then()

    def since_then(self):
        done, self.cluster.done = self.cluster.done, []
        return done

    def states(self):
        return [release["status"] for release in self.config.history(helm.RELEASE)]

    def test_tables_are_made_before_anything_of_the_release_is(self):
        done = self.install()
        migrated = done.index(MIGRATE)
        before = {line for line in done[:migrated] if line.startswith("create")}
        self.assertEqual(before, {"create ConfigMap listwarden-migrate", "create ConfigMap listwarden-migrate-clinics"})
        self.assertIn(f"create {SERVE}", done[migrated:])
        self.assertIn("create CronJob listwarden-reconcile", done[migrated:])

    def test_what_the_migration_brought_along_is_gone_afterwards(self):
        self.install()
        left = {thing["metadata"]["name"] for thing in self.cluster.things.values()}
        self.assertNotIn("listwarden-migrate", left)
        self.assertNotIn("listwarden-migrate-clinics", left)

    def test_an_install_whose_migration_fails_starts_nothing(self):
        self.cluster.failing.add("listwarden-migrate")
        with self.assertRaisesRegex(helm_python.HelmError, "listwarden-migrate"):
            self.install()
        kinds = {thing["kind"] for thing in self.cluster.things.values()}
        self.assertLessEqual(kinds, {"ConfigMap", "Job"})

    def test_an_upgrade_migrates_first_and_then_changes_what_runs(self):
        self.install()
        done = self.upgrade(image={"tag": "0.2.0"})
        self.assertLess(done.index(MIGRATE), done.index(f"update {SERVE}"))
        self.assertEqual(self.states(), ["superseded", "deployed"])

    def test_an_upgrade_whose_migration_fails_leaves_what_runs_alone(self):
        self.install()
        self.cluster.failing.add("listwarden-migrate")
        with self.assertRaisesRegex(helm_python.HelmError, "listwarden-migrate"):
            self.upgrade(image={"tag": "0.2.0"})
        self.assertEqual([line for line in self.since_then() if line.startswith("update")], [])
        self.assertIn(":0.1.0", self.image())
        self.assertEqual(self.states(), ["deployed", "failed"])

    def test_after_a_failed_migration_the_next_upgrade_goes_through(self):
        self.install()
        self.cluster.failing.add("listwarden-migrate")
        with self.assertRaises(helm_python.HelmError):
            self.upgrade(image={"tag": "0.2.0"})
        self.cluster.failing.clear()
        self.upgrade(image={"tag": "0.3.0"})
        self.assertIn(":0.3.0", self.image())

    def test_a_rollback_brings_the_image_before_and_runs_no_migration(self):
        self.install()
        self.upgrade(image={"tag": "0.2.0"})
        self.config.rollback(helm.RELEASE, timeout=20)
        self.assertNotIn(MIGRATE, self.since_then())
        self.assertIn(":0.1.0", self.image())

    def test_a_new_clinic_changes_a_config_map_and_not_what_stands_in_listwarden_toml(self):
        self.install()
        before = self.checksum()
        done = self.upgrade(clinics={"hill-st": self.values["clinics"]["riverside"]})
        self.assertIn("update ConfigMap listwarden-clinics", done)
        self.assertEqual(self.checksum(), before)

    def test_the_test_runs_doctor_and_takes_it_away(self):
        self.install()
        self.config.test(helm.RELEASE, timeout=20)
        self.assertEqual(self.since_then(), ["create Pod listwarden-doctor", "delete Pod listwarden-doctor"])

    def test_nothing_is_left_after_uninstalling_but_a_volume(self):
        self.values = helm.cases()["sqlite"]
        self.install()
        self.config.uninstall(helm.RELEASE)
        kinds = [thing["kind"] for thing in self.cluster.things.values()]
        self.assertEqual(kinds, ["PersistentVolumeClaim"])

    def serve(self):
        return self.cluster.things["/apis/apps/v1/namespaces/clinic/deployments/listwarden-serve"]

    def image(self):
        return self.serve()["spec"]["template"]["spec"]["containers"][0]["image"]

    def checksum(self):
        return self.serve()["spec"]["template"]["metadata"]["annotations"]["checksum/listwarden.toml"]
