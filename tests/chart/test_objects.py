"""What every case of the chart comes to."""

import collections
import itertools
import json
import os
import pathlib
import re
import subprocess
import unittest

import helm_python
import kubernetes_validate
import yaml

import helm

GOLDEN = pathlib.Path(__file__).parent / "golden"
# The oldest that the chart takes, one in the middle, and the newest that the schemas know.
KUBERNETES = ["1.31", "1.34", "1.37"]
# What operators bring along; foreign.mjs has their types.
FOREIGN = ("gateway.networking.k8s.io", "external-secrets.io", "monitoring.coreos.com")


class EachCase(unittest.TestCase):
    """Each test looks at every case."""

    def objects(self):
        for name, things in helm.objects_of_cases():
            for thing in things:
                with self.subTest(f"{name}: {thing['kind']} {thing['metadata']['name']}"):
                    yield thing

    def pods(self):
        for thing in self.objects():
            if pod := helm.pod(thing):
                yield thing, pod

    def containers(self):
        for _, pod in self.pods():
            yield from pod["spec"]["containers"] + pod["spec"].get("initContainers", [])

    def test_lints(self):
        for name, values in helm.cases().items():
            with self.subTest(name):
                report = helm_python.lint(helm.CHART, values, strict=True, kube_version="v1.31.0")
                self.assertEqual(report["errors"], [])

    def test_is_what_it_was(self):
        """GOLDEN=write accepts what it is now."""
        for name, values in helm.cases().items():
            with self.subTest(name):
                text = helm.text(values)
                golden = GOLDEN / f"{name}.yaml"
                if os.environ.get("GOLDEN") == "write":
                    golden.write_text(text)
                self.assertEqual(golden.read_text(), text)

    def test_is_valid_for_every_kubernetes_it_is_for(self):
        for thing in self.objects():
            if not thing["apiVersion"].startswith(FOREIGN):
                for version in KUBERNETES:
                    kubernetes_validate.validate(thing, version, strict=True)

    def test_what_operators_bring_along_is_valid_for_them(self):
        things = [thing for thing in self.objects() if thing["apiVersion"].startswith(FOREIGN)]
        self.assertEqual({thing["kind"] for thing in things}, {"HTTPRoute", "ServiceMonitor", "PrometheusRule", "ExternalSecret"})
        for thing, wrong in zip(things, wrong_for_operators(things), strict=True):
            self.assertEqual(wrong, [], thing["metadata"]["name"])

    def test_what_is_not_valid_for_operators_is_noticed(self):
        things = {thing["kind"]: thing for thing in self.objects() if thing["apiVersion"].startswith(FOREIGN)}
        route, rules = things["HTTPRoute"]["spec"]["rules"][0], things["PrometheusRule"]["spec"]["groups"][0]["rules"][0]
        route["backendRefs"][0] = {"port": "http", "service": "lists"}
        del things["ServiceMonitor"]["spec"]["selector"]
        rules["annotation"] = rules.pop("annotations")
        things["ExternalSecret"]["kind"] = "ExternSecret"
        wrong = dict(zip(things, map(" ".join, wrong_for_operators(list(things.values())))))
        for kind, said in (("HTTPRoute", "backendRefs/0: required.*backendRefs/0/port: type.*backendRefs/0/service: no such key"),
                           ("ServiceMonitor", "spec: required.*selector"), ("PrometheusRule", "rules/0/annotation: no such key"),
                           ("ExternalSecret", "external-secrets.io/v1 ExternSecret is not known")):
            self.assertRegex(wrong[kind], said)

    def test_names_are_short_enough_and_none_is_used_twice(self):
        for name, things in helm.objects_of_cases():
            named = collections.Counter((thing["kind"], thing["metadata"]["name"]) for thing in things)
            self.assertEqual([key for key, times in named.items() if times > 1], [], name)
        long = helm.cases()["all-on"] | {"fullnameOverride": "a" * 40}
        for thing in helm.objects(long):
            limit = 52 if thing["kind"] == "CronJob" else 63
            self.assertLessEqual(len(thing["metadata"]["name"]), limit)

    def test_every_object_is_in_the_release_s_namespace_and_labelled(self):
        for thing in self.objects():
            self.assertEqual(thing["metadata"]["namespace"], helm.NAMESPACE)
            if not thing["apiVersion"].startswith("external-secrets.io"):
                self.assertEqual(thing["metadata"]["labels"]["app.kubernetes.io/name"], "listwarden")

    def test_pods_are_as_restricted_as_kubernetes_can_ask(self):
        for _, pod in self.pods():
            spec = pod["spec"]
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse(spec["automountServiceAccountToken"])
            self.assertFalse(spec["enableServiceLinks"])
            for field in ("hostNetwork", "hostPID", "hostIPC"):
                self.assertNotIn(field, spec)
        for container in self.containers():
            context = container["securityContext"]
            self.assertFalse(context["allowPrivilegeEscalation"])
            self.assertTrue(context["readOnlyRootFilesystem"])
            self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
            self.assertIn("memory", container["resources"]["limits"])
            self.assertIn("cpu", container["resources"]["requests"])

    def test_no_secret_is_made_or_put_into_a_variable(self):
        for thing in self.objects():
            self.assertNotEqual(thing["kind"], "Secret")
        for container in self.containers():
            for variable in container["env"]:
                self.assertNotIn("secretKeyRef", variable.get("valueFrom", {}))

    def test_all_pods_run_one_image_and_no_other(self):
        for name, things in helm.objects_of_cases():
            specs = [pod["spec"] for pod in filter(None, map(helm.pod, things))]
            containers = [one for spec in specs for one in spec["containers"] + spec.get("initContainers", [])]
            self.assertEqual(len({container["image"] for container in containers}), 1, name)

    def test_no_pod_is_restarted_by_a_new_version_of_the_chart_alone(self):
        for _, pod in self.pods():
            labels = pod["metadata"]["labels"]
            self.assertNotIn("helm.sh/chart", labels)
            self.assertNotIn("app.kubernetes.io/version", labels)

    def test_selectors_find_their_pods_and_hold_nothing_that_changes(self):
        for thing in self.objects():
            if thing["kind"] == "Deployment":
                selected = thing["spec"]["selector"]["matchLabels"]
                self.assertLessEqual(selected.items(), thing["spec"]["template"]["metadata"]["labels"].items())
                self.assertEqual(len(selected), 3)

    def test_runs_never_overlap_and_end(self):
        for thing in self.objects():
            if thing["kind"] == "CronJob":
                spec, job = thing["spec"], thing["spec"]["jobTemplate"]["spec"]
                self.assertEqual(spec["concurrencyPolicy"], "Forbid")
                self.assertGreater(job["activeDeadlineSeconds"], 0)
                self.assertEqual(job["template"]["spec"]["restartPolicy"], "Never")

    def test_the_world_reaches_webhooks_and_admins_a_host_apart(self):
        for name, things in helm.objects_of_cases():
            led = list(itertools.chain.from_iterable(map(ways, things)))
            webhooks = {host for host, path, service in led if (path, service[-6:]) == ("/webhooks", "-serve")}
            admins = {host for host, path, service in led if (path, service[-6:]) == ("/", "-admin")}
            self.assertEqual({host for host, *_ in led}, webhooks | admins, name)
            self.assertEqual(webhooks & admins, set(), name)
            self.assertEqual(len(led), 4 if name == "all-on" else 0, name)

    def test_no_service_has_both_webhooks_and_the_admin_page(self):
        for thing in self.objects():
            if thing["kind"] == "Service":
                ports = {port["name"] for port in thing["spec"]["ports"]}
                self.assertFalse({"admin", "webhooks"} <= ports)
                self.assertEqual("admin" in ports, thing["metadata"]["name"].endswith("-admin"))

    def test_every_pod_is_under_the_network_policy(self):
        for name, things in helm.objects_of_cases():
            policy = next(thing["spec"] for thing in things if thing["kind"] == "NetworkPolicy")
            self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])
            self.assertNotIn("ingress", policy)
            for pod in filter(None, map(helm.pod, things)):
                self.assertLessEqual(policy["podSelector"]["matchLabels"].items(), pod["metadata"]["labels"].items(), name)

    def test_every_volume_is_there_and_used(self):
        for _, pod in self.pods():
            spec = pod["spec"]
            there = {volume["name"] for volume in spec["volumes"]}
            for container in spec["containers"] + spec.get("initContainers", []):
                self.assertEqual({mount["name"] for mount in container["volumeMounts"]}, there)

    def test_what_serves_is_asked_how_it_does(self):
        for thing, pod in self.pods():
            if thing["kind"] == "Deployment":
                container = pod["spec"]["containers"][0]
                asked = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
                self.assertEqual(asked, {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"})

    def test_a_pod_that_stops_has_time_to_finish(self):
        for thing, pod in self.pods():
            if thing["kind"] == "Deployment":
                drain = pod["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
                self.assertGreaterEqual(pod["spec"]["terminationGracePeriodSeconds"], drain + graces())

    def test_the_program_knows_every_argument_it_is_given(self):
        sources = helm.CHART.parents[1] / "src/commands"
        commands, options = (sources / "mod.rs").read_text(), ""
        for file in ("serve.rs", "reconcile.rs"):
            options += (sources / file).read_text()
        for container in self.containers():
            command, *arguments = container["args"]
            self.assertRegex(commands, rf"(?m)^    {command.capitalize()}\b")
            for option in (argument for argument in arguments if argument.startswith("--")):
                self.assertRegex(options, rf"(?m)^    (pub )?{option[2:].replace('-', '_')}: ")


def wrong_for_operators(things):
    """What the operators' own types say is wrong with each."""
    ran = subprocess.run(["node", pathlib.Path(__file__).with_name("foreign.mjs"), os.environ["FOREIGN_TYPES"]],
                         input=json.dumps(things), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout)


def ways(thing):
    """Where an Ingress or an HTTPRoute leads: host, path, Service."""
    match thing["kind"]:
        case "Ingress":
            for rule in thing["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    yield rule["host"], path["path"], path["backend"]["service"]["name"]
        case "HTTPRoute":
            for host, rule in itertools.product(thing["spec"]["hostnames"], thing["spec"]["rules"]):
                for match, to in itertools.product(rule["matches"], rule["backendRefs"]):
                    yield host, match["path"]["value"], to["name"]


def graces():
    """Twice what `serve` gives itself: once for connections, once for what was begun."""
    serve = (helm.CHART.parents[1] / "src/commands/serve.rs").read_text()
    return 2 * int(re.search(r"const GRACE: Duration = Duration::from_secs\((\d+)\)", serve)[1])


class Single(unittest.TestCase):
    """What one value or another does."""

    def find(self, kind, name, case="minimal", more="{}"):
        values = helm.lay_over(helm.cases()[case], yaml.safe_load(more))
        found = [thing for thing in helm.objects(values)
                 if (thing["kind"], thing["metadata"]["name"]) == (kind, name)]
        return found[0] if found else None

    def test_listwarden_toml_says_where_clinics_and_secrets_are(self):
        text = self.find("ConfigMap", "listwarden", "restricted")["data"]["listwarden.toml"]
        self.assertTrue(text.startswith('clinics_dir = ["/clinics/clinics-a","/clinics/clinics-b"]\nsecrets_dir = "/secrets"\n'))

    def test_the_migration_needs_the_deployment_s_secret_alone(self):
        spec = self.find("Job", "listwarden-migrate")["spec"]["template"]["spec"]
        secrets = next(volume for volume in spec["volumes"] if volume["name"] == "secrets")
        self.assertEqual(secrets["projected"]["sources"], [{"secret": {"name": "listwarden"}}])
        self.assertEqual(spec["serviceAccountName"], "default")

    def test_what_waits_for_an_admin_is_not_tried_again_by_another_pod(self):
        job = self.find("CronJob", "listwarden-reconcile")["spec"]["jobTemplate"]["spec"]
        rule = job["podFailurePolicy"]["rules"][0]
        self.assertEqual((rule["action"], rule["onExitCodes"]["values"]), ("FailJob", [2, 3, 4]))
        self.assertEqual(job["backoffLimit"], 1)

    def test_of_pods_that_share_the_lists_one_success_is_enough(self):
        job = self.find("CronJob", "listwarden-reconcile", more="reconcile: { parallelism: 3 }")["spec"]["jobTemplate"]["spec"]
        self.assertEqual((job["completionMode"], job["completions"], job["parallelism"]), ("Indexed", 3, 3))
        self.assertEqual(job["successPolicy"], {"rules": [{"succeededCount": 1}]})
        self.assertEqual(job["podFailurePolicy"]["rules"][0]["action"], "FailIndex")

    def test_a_change_of_listwarden_toml_restarts_serve(self):
        def checksum(more):
            serve = self.find("Deployment", "listwarden-serve", more=more)
            return serve["spec"]["template"]["metadata"]["annotations"]["checksum/listwarden.toml"]
        other = "config: \"[store]\\nurl_secret = 'other'\""
        self.assertNotEqual(checksum("{}"), checksum(other))
        self.assertEqual(checksum("{}"), checksum("reconcile: { suspend: true }"))

    def test_a_budget_is_there_only_for_more_than_one_pod(self):
        self.assertTrue(self.find("PodDisruptionBudget", "listwarden-serve"))
        self.assertFalse(self.find("PodDisruptionBudget", "listwarden-serve", more="serve: { replicas: 1 }"))

    def test_with_sqlite_one_pod_migrates_before_it_serves(self):
        spec = self.find("Deployment", "listwarden-serve", "sqlite")["spec"]
        self.assertEqual((spec["replicas"], spec["strategy"]), (1, {"type": "Recreate"}))
        self.assertEqual(spec["template"]["spec"]["initContainers"][0]["args"], ["migrate"])
        self.assertFalse(self.find("CronJob", "listwarden-reconcile", "sqlite"))

    def test_every_pod_that_runs_or_serves_has_the_register_and_the_migration_has_not(self):
        for case, claim in (("all-on", "lists-register"), ("restricted", "listwarden-register")):
            pods = {thing["kind"]: helm.pod(thing)["spec"] for thing in helm.objects(helm.cases()[case]) if helm.pod(thing)}
            volume = {"name": "register", "persistentVolumeClaim": {"claimName": claim}}
            for kind in {"Deployment", "CronJob", "Pod"} & set(pods):
                self.assertIn(volume, pods[kind]["volumes"])
                container = pods[kind]["containers"][0]
                self.assertIn({"name": "register", "mountPath": "/register"}, container["volumeMounts"])
                self.assertIn({"name": "LISTWARDEN_REGISTER", "value": "/register"}, container["env"])
            self.assertNotIn("register", str(pods["Job"]).lower())

    def test_the_register_s_volume_outlives_the_release(self):
        claim = self.find("PersistentVolumeClaim", "lists-register", "all-on")
        self.assertEqual(claim["metadata"]["annotations"], {"helm.sh/resource-policy": "keep"})
        self.assertEqual((claim["spec"]["accessModes"], claim["spec"]["storageClassName"]), (["ReadWriteMany"], "shared"))
        self.assertFalse(self.find("PersistentVolumeClaim", "listwarden-register", "restricted"))

    def test_one_pod_with_sqlite_may_have_its_register_on_a_volume_of_one_node(self):
        more = "register: { enabled: true, accessMode: ReadWriteOnce }"
        spec = self.find("Deployment", "listwarden-serve", "sqlite", more)["spec"]["template"]["spec"]
        claims = {volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume}
        self.assertEqual(claims, {"listwarden", "listwarden-register"})
        for name in claims:
            self.assertTrue(self.find("PersistentVolumeClaim", name, "sqlite", more))

    def test_the_admin_page_is_let_in_from_where_it_is_said_and_nowhere_else(self):
        def let_in(more):
            policy = self.find("NetworkPolicy", "listwarden-serve", more=more)
            rules = {port["port"]: rule for rule in policy["spec"]["ingress"] for port in rule["ports"]}
            return rules.get("admin", {}).get("from")
        self.assertIsNone(let_in("{}"))
        self.assertIsNone(let_in("serve: { admin: { enabled: true } }"))
        self.assertIsNone(let_in("serve: { admin: { from: [{ podSelector: {} }] } }"))
        self.assertEqual(let_in("serve: { admin: { enabled: true, from: [{ podSelector: {} }] } }"), [{"podSelector": {}}])

    def test_the_admin_page_is_there_only_where_it_is_wanted(self):
        self.assertFalse(self.find("Service", "listwarden-admin"))
        self.assertNotIn("--admin-listen", self.find("Deployment", "listwarden-serve")["spec"]["template"]["spec"]["containers"][0]["args"])
        more = "serve: { admin: { enabled: true, port: 9000 } }"
        container = self.find("Deployment", "listwarden-serve", more=more)["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(container["args"][-2:], ["--admin-listen", "0.0.0.0:9000"])
        self.assertIn({"name": "admin", "containerPort": 9000}, container["ports"])
        service = self.find("Service", "listwarden-admin", more=more)["spec"]
        self.assertEqual((service["type"], service["ports"][0]["targetPort"]), ("ClusterIP", "admin"))

    def test_an_image_by_digest_has_no_tag(self):
        spec = self.find("Deployment", "listwarden-serve", "restricted")["spec"]["template"]["spec"]
        self.assertRegex(spec["containers"][0]["image"], r"^registry\.example/listwarden@sha256:[0-9a-f]{64}$")

    def test_the_notes_say_how_to_resync_by_hand(self):
        notes = helm.notes(helm.cases()["all-on"])
        self.assertIn("create job --from=cronjob/lists-reconcile resync-", notes)
        self.assertIn("listwarden webhook register", notes)
        values = helm.lay_over(helm.cases()["minimal"], {"serve": {"enabled": False}})
        self.assertIn("jq '.spec.template.spec.containers[0].args", helm.notes(values))
        values = helm.lay_over(helm.cases()["minimal"], {"ingress": {"enabled": True, "host": "a.example"}})
        self.assertIn("MISSING: write public_url", helm.notes(values))

    def test_the_notes_say_how_to_reach_the_admin_page(self):
        notes = helm.notes(helm.cases()["all-on"])
        self.assertIn("It is at https://lists.clinic.example/ where TLS ends", notes)
        self.assertNotIn("port-forward", notes)
        values = helm.lay_over(helm.cases()["minimal"], {"serve": {"admin": {"enabled": True}}})
        self.assertIn("port-forward svc/listwarden-admin 8081:80", helm.notes(values))
        self.assertNotIn("Admin page", helm.notes(helm.cases()["minimal"]))

    def test_the_notes_say_where_the_register_is_or_that_there_is_none(self):
        self.assertIn("volume claim listwarden-register", helm.notes(helm.cases()["restricted"]))
        self.assertIn("There is no register (register.enabled)", helm.notes(helm.cases()["minimal"]))
