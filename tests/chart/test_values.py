"""Values that are wrong are refused, with where and why."""

import unittest

import helm_python
import yaml

import helm

# A case, what is laid over it, and what Helm says then.
WRONG = [
    # The schema names the path.
    ("minimal", "bogus: 1", "additional properties 'bogus' not allowed"),
    ("minimal", "image: { repository: '' }", "/image/repository.*minLength"),
    ("minimal", "image: { digest: latest }", "/image/digest"),
    ("minimal", "serve: { replicas: 0 }", "/serve/replicas.*minimum: got 0, want 1"),
    ("minimal", "serve: { replicas: two }", "/serve/replicas.*want integer"),
    ("minimal", "serve: { port: 80 }", "/serve/port.*minimum"),
    ("minimal", "serve: { drain: 5 }", "/serve.*additional properties 'drain'"),
    ("minimal", "reconcile: { schedule: every day }", "/reconcile/schedule.*does not match pattern"),
    ("minimal", "reconcile: { concurrencyPolicy: Allow }", "/reconcile.*'concurrencyPolicy' not allowed"),
    ("minimal", "migrate: { how: later }", "/migrate/how.*must be one of"),
    ("minimal", "clinics: { Hill St: x }", "/clinics.*'Hill St' not allowed"),
    ("minimal", "secrets: { clinics: { riverside: { secret: a, keys: [KEY=1] } } }", "/secrets/clinics/riverside/keys/0"),
    ("minimal", "secrets: { masterKey: abc }", "/secrets.*'masterKey' not allowed"),
    ("minimal", "commonLabels: { app.kubernetes.io/name: x }", "commonLabels.app.kubernetes.io/name is the chart's own"),
    ("minimal", "networkPolicy: { databasePorts: [0] }", "/networkPolicy/databasePorts/0"),
    ("minimal", "clinicsFrom: [values]", "/clinicsFrom/0"),
    ("sqlite", "persistence: { accessMode: ReadWriteMany }", "/persistence/accessMode"),
    # SQLite is one pod's.
    ("sqlite", "reconcile: { enabled: true }", "reconcile.enabled: a CronJob cannot have SQLite's volume"),
    ("sqlite", "sweep: { enabled: true }", "sweep.enabled: a CronJob cannot have SQLite's volume"),
    ("sqlite", "serve: { replicas: 2 }", "serve.replicas: SQLite is one pod's"),
    ("sqlite", "serve: { autoscaling: { enabled: true } }", "serve.replicas: SQLite is one pod's"),
    ("sqlite", "serve: { enabled: false }", "nothing would run"),
    ("sqlite", "config: \"[store]\\nurl = 'sqlite:///data/a.db'\"", "serve reconciles by itself, and has no schedule"),
    ("sqlite", "persistence: { enabled: false }", "config names an SQLite file, which would be gone"),
    ("minimal", "clinics: { hill-st: \"source = { url = 'sqlite://x.db' }\" }", "clinics.hill-st names an SQLite file"),
    ("minimal", "config: '[run]'", "config: names no store"),
    # A register that one node has, or that comes back with the store, is none.
    ("all-on", "register: { accessMode: ReadWriteOnce }", "register.accessMode: with ReadWriteOnce the pods"),
    ("all-on", "register: { accessMode: ReadOnlyMany }", "/register/accessMode"),
    ("minimal", "register: { existingClaim: mine }", "register.existingClaim: it is used only with register.enabled"),
    ("sqlite", "register: { enabled: true, existingClaim: listwarden }", "register.existingClaim: it is the store's own"),
    ("sqlite", "{ persistence: { existingClaim: mine }, register: { enabled: true, existingClaim: mine } }", "it is the store's own"),
    ("minimal", "{ register: { enabled: true }, config: \"store = { url_secret = 's', register = '/r' }\" }", "leave out \\[store\\] register"),
    # The rest of what contradicts itself.
    ("minimal", "config: \"clinics_dir = 'x'\"", "config: leave out clinics_dir"),
    ("minimal", "config: \"[serve]\\nlisten = '0.0.0.0:1'\"", "config: leave out \\[serve\\] listen, which the chart sets by serve.port"),
    ("minimal", "config: \"serve.admin_listen = '0.0.0.0:1'\"", "leave out .* admin_listen, which the chart sets by serve.admin"),
    ("minimal", "config: '[serve'", "config cannot be read: toml: line 1"),
    ("minimal", "clinics: { hill-st: 'title = ' }", "clinics.hill-st cannot be read: toml: line 1"),
    ("restricted", "clinicsFrom: []", "clinics: there is none"),
    ("minimal", "secrets: { deployment: '' }", "secrets.deployment: name the Secret"),
    ("minimal", "secrets: { volume: { emptyDir: {} } }", "secrets.volume stands beside"),
    ("minimal", "secrets: { clinics: { hill-st: { secret: a, keys: [b] } } }", "secrets.clinics.hill-st: there is no such clinic"),
    ("minimal", "{ reconcile: { enabled: false }, serve: { enabled: false } }", "nothing would run"),
    ("minimal", "ingress: { enabled: true }", "ingress.host: name the host"),
    ("minimal", "{ ingress: { enabled: true, host: a.example }, serve: { enabled: false } }", "nothing behind it"),
    ("minimal", "metrics: { enabled: true, port: 8080 }", "metrics.port is serve.port"),
    ("minimal", "serve: { admin: { enabled: true, port: 8080 } }", "serve.admin.port is serve.port too"),
    ("all-on", "serve: { admin: { port: 9090 } }", "serve.admin.port is metrics.port too"),
    ("minimal", "metrics: { serviceMonitor: { enabled: true } }", "nothing to read without metrics.enabled"),
    ("minimal", "metrics: { pushgateway: gateway }", "/metrics/pushgateway"),
    ("minimal", "otlp: { endpoint: 'collector:4318' }", "/otlp/endpoint"),
    ("minimal", "networkPolicy: { mailPorts: [smtp] }", "/networkPolicy/mailPorts/0"),
    # What is asked of the world must get out.
    ("all-on", "networkPolicy: { mailPorts: [] }", "networkPolicy: config has \\[notify.smtp\\], at port 587, .* into mailPorts"),
    ("all-on", "networkPolicy: { mailPorts: [465] }", "at port 587, .* into mailPorts"),
    ("minimal", "config: \"[notify]\\nsmtp = { host = 'm' }\\n[store]\\nurl_secret = 's'\"", "at port 587, .* into mailPorts"),
    ("minimal", "config: \"notify.smtp.host = 'm'\\nnotify.smtp.tls = 'wrapped'\\nstore.url_secret = 's'\"", "at port 465, .* into mailPorts"),
    ("minimal", "config: \"[ 'notify' . \\\"smtp\\\" ]\\nport = 2525\\n[store]\\nurl_secret = 's'\"", "at port 2525, .* into mailPorts"),
    ("minimal", "config: \"[notify]\\nwebhook.url = 'https://alerts2:8443/x'\\n[store]\\nurl_secret = 's'\"", "\\[notify.webhook\\], at port 8443, .* extraEgress: \\[{ ports: \\[{ port: 8443, protocol: TCP }\\] }\\]"),
    ("minimal", "config: \"[serve]\\noidc = { issuer = 'https://login.clinic.example:9443/x' }\\n[store]\\nurl_secret = 's'\"", "\\[serve.oidc\\], at port 9443"),
    ("minimal", "metrics: { pushgateway: 'http://gateway1' }", "metrics.pushgateway, at port 80, which no pod may reach"),
    ("all-on", "networkPolicy: { extraEgress: [{ ports: [{ port: 9091, protocol: UDP }] }] }", "metrics.pushgateway, at port 9091"),
    ("all-on", "networkPolicy: { extraEgress: [{ ports: [{ port: 9000, endPort: 9090 }] }] }", "metrics.pushgateway, at port 9091"),
    # Of two variables of one name Kubernetes may keep either.
    ("minimal", "extraEnv: [{ name: LISTWARDEN_LOG, value: debug }]", "extraEnv: LISTWARDEN_LOG is set by log.filter"),
    ("minimal", "extraEnv: [{ name: OTEL_RESOURCE_ATTRIBUTES, value: a=b }]", "extraEnv: OTEL_RESOURCE_ATTRIBUTES is set by otlp.attributes"),
    ("minimal", "extraEnv: [{ name: LISTWARDEN_REGISTER, value: /r }]", "extraEnv: LISTWARDEN_REGISTER is set by register"),
    ("minimal", "extraEnv: [{ name: A, value: b }, { name: A, value: c }]", "extraEnv: A is set by extraEnv too"),
    ("minimal", "otlp: { attributes: { team: 'a,b' } }", "/otlp/attributes"),
    ("minimal", "httpRoute: { enabled: true, hostnames: [a.example] }", "httpRoute.parentRefs"),
    # The admin page is never where the world is.
    ("minimal", "serve: { admin: { enabled: yes please } }", "/serve/admin/enabled.*want boolean"),
    ("minimal", "serve: { admin: { service: { type: LoadBalancer } } }", "/serve/admin/service.*'type' not allowed"),
    ("minimal", "serve: { admin: { from: [{}] } }", "/serve/admin/from/0"),
    ("minimal", "serve: { enabled: false, admin: { enabled: true } }", "serve.admin.enabled: nothing serves it"),
    ("minimal", "serve: { admin: { ingress: { enabled: true, host: a.example } } }", "serve.admin.ingress.enabled: there is nothing behind it while serve.admin.enabled"),
    ("all-on", "serve: { admin: { ingress: { host: '' } } }", "serve.admin.ingress.host: name a host"),
    ("all-on", "serve: { admin: { httpRoute: { parentRefs: [] } } }", "serve.admin.httpRoute.parentRefs: name a host"),
    ("all-on", "serve: { admin: { from: [] } }", "serve.admin.from: the network policy lets nobody in"),
    ("all-on", "serve: { admin: { ingress: { host: hooks.clinic.example } } }", "serve.admin: its host hooks.clinic.example is that of webhooks"),
    ("all-on", "serve: { admin: { ingress: { host: Hooks.clinic.example } } }", "give the admin page another"),
    ("all-on", "serve: { admin: { httpRoute: { hostnames: ['*.clinic.example'] } } }", "give the admin page another"),
    ("all-on", "httpRoute: { hostnames: ['*.clinic.example'] }", "give the admin page another"),
    ("all-on", "{ ingress: { enabled: false }, httpRoute: { enabled: false }, serve: { admin: { ingress: { host: hooks.clinic.example } } } }", "is that of webhooks"),
    ("all-on", "serve: { admin: { ingress: { host: l.clinic.example }, httpRoute: { hostnames: [m.clinic.example] } } }", "has the host lists.clinic.example, and serve.admin has l.clinic.example, m.clinic.example"),
]


class Refusing(unittest.TestCase):
    def test_each_mistake_is_refused_with_where_and_why(self):
        for case, mistake, said in WRONG:
            with self.subTest(mistake):
                values = helm.lay_over(helm.cases()[case], yaml.safe_load(mistake))
                with self.assertRaisesRegex(helm_python.HelmError, said):
                    helm.templates(values)

    def test_what_gets_out_by_some_rule_is_not_refused(self):
        for case, values in [
            ("minimal", "metrics: { pushgateway: 'https://gateway9091' }"),
            ("minimal", "{ metrics: { pushgateway: 'http://g:9091' }, networkPolicy: { enabled: false } }"),
            ("all-on", "networkPolicy: { extraEgress: [{ to: [{ podSelector: {} }] }] }"),
            ("all-on", "networkPolicy: { extraEgress: [{ ports: [{ protocol: TCP }] }] }"),
            ("all-on", "networkPolicy: { extraEgress: [{ ports: [{ port: 9000, endPort: 9091 }] }] }"),
            ("all-on", "networkPolicy: { mailPorts: [], extraEgress: [{ ports: [{ port: 587 }, { port: 9091 }] }] }"),
            ("minimal", "config: \"notify.smtp = { host = 'localhost', tls = 'none' }\\nstore.url_secret = 's'\""),
        ]:
            with self.subTest(values):
                helm.templates(helm.lay_over(helm.cases()[case], yaml.safe_load(values)))

    def test_the_collector_s_port_is_that_of_its_url(self):
        for url, port in [
            ("http://collector.monitoring:4318", 4318),
            ("http://10.0.0.5", 80),
            ("http://10.0.0.5:4318/v1", 4318),
            ("https://collector2", 443),
            ("http://tempo-1/otlp", 80),
            ("http://[fd00::17]", 80),
            ("http://[fd00::17]:4318", 4318),
        ]:
            with self.subTest(url):
                values = helm.lay_over(helm.cases()["minimal"], {"otlp": {"endpoint": url}})
                policy = next(thing for thing in helm.objects(values) if thing["kind"] == "NetworkPolicy")
                self.assertEqual(policy["spec"]["egress"][-1]["ports"], [{"port": port, "protocol": "TCP"}])

    def test_the_values_of_the_chart_alone_are_refused(self):
        with self.assertRaisesRegex(helm_python.HelmError, "/image/repository"):
            helm.templates({})

    def test_the_schema_leaves_no_object_of_ours_open(self):
        """Whatever stands in values.yaml by name is closed; what is Kubernetes' own is left to it."""
        with helm.chart() as chart:
            open_ones = list(unclosed(chart.values, chart.schema, chart.schema["$defs"], ""))
        self.assertEqual(open_ones, [])

    def test_the_schema_knows_what_the_values_have_and_no_more(self):
        with helm.chart() as chart:
            known = set(chart.schema["properties"]) - {"global"}
            self.assertEqual(known, set(chart.values))


def unclosed(values, schema, definitions, path):
    schema = definitions[schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    if isinstance(values, dict) and values and schema.get("type") == "object":
        if "properties" not in schema:
            return
        if schema.get("additionalProperties") is not False:
            yield path or "/"
        for key, value in values.items():
            yield from unclosed(value, schema["properties"][key], definitions, f"{path}/{key}")
