"""A small stand-in for a Kubernetes API server, to see in what order Helm does things.

It keeps objects and says that Jobs, pods and Deployments are done at once. It checks nothing that an
API server would check: whether manifests are valid is asked elsewhere.
"""

import http.server
import json
import threading
import time
import urllib.parse

KINDS = {
    "/api/v1": {"configmaps": "ConfigMap", "secrets": "Secret", "services": "Service", "pods": "Pod",
                "serviceaccounts": "ServiceAccount", "persistentvolumeclaims": "PersistentVolumeClaim"},
    "/apis/apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "/apis/batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "/apis/policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "/apis/autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "/apis/networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy", "ingresses": "Ingress"},
}


class Cluster:
    """The cluster: what is in it, what was done to it, and which Jobs fail."""

    def __init__(self):
        self.things, self.done, self.failing = {}, [], set()
        self.version, self.changed = 0, threading.Condition()
        cluster = self

        class Handler(Answers):
            pass

        Handler.cluster = cluster
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Whoever hangs up in the midst of an answer has what it wanted.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    def kubeconfig(self):
        """How to reach it."""
        host = f"http://127.0.0.1:{self.server.server_port}"
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": host}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "clinic"}}],
        })

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def write(self, verb, path, thing):
        """Keeps an object, with the state that its controller would give it."""
        with self.changed:
            old = self.things.get(path)
            self.version += 1
            meta = thing["metadata"]
            meta.setdefault("namespace", "clinic")
            meta["resourceVersion"] = str(self.version)
            meta["uid"] = old["metadata"]["uid"] if old else f"uid-{self.version}"
            meta["generation"] = 1
            thing["status"] = self.state(thing)
            self.things[path] = thing
            self.note(verb, thing)
            self.changed.notify_all()
        return thing

    def delete(self, path):
        """Forgets an object."""
        with self.changed:
            thing = self.things.pop(path, None)
            if thing:
                self.version += 1
                self.note("delete", thing)
                self.changed.notify_all()
        return thing

    def note(self, verb, thing):
        self.done.append(f"{verb} {thing['kind']} {thing['metadata']['name']}")

    def state(self, thing):
        failed = thing["metadata"]["name"] in self.failing
        match thing["kind"]:
            case "Job":
                end = "Failed" if failed else "Complete"
                condition = {"type": end, "status": "True", "message": "told to", "reason": "Told"}
                return {"conditions": [condition], "failed" if failed else "succeeded": 1,
                        "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:01Z"}
            case "Pod":
                return {"phase": "Failed" if failed else "Succeeded"}
            case "Deployment":
                pods = thing["spec"].get("replicas", 1)
                return {"observedGeneration": 1, "replicas": pods, "updatedReplicas": pods,
                        "readyReplicas": pods, "availableReplicas": pods,
                        "conditions": [{"type": "Available", "status": "True"}]}
            case "PersistentVolumeClaim":
                return {"phase": "Bound"}
        return {}


def resources(group):
    """What one API group has, as discovery says it."""
    return [{"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind,
             "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]}
            for plural, kind in KINDS[group].items()]


def openapi(group):
    """As much of a group's schema as Helm asks for: that fields are checked when objects are applied."""
    name, _, version = api_version(group).rpartition("/")
    gvk = {"group": name, "version": version}
    field = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
    return {"openapi": "3.0.0", "info": {"title": "t", "version": "v1"}, "paths": {
        f"{group}/namespaces/{{namespace}}/{plural}/{{name}}": {
            "patch": {"x-kubernetes-action": "patch", "parameters": field, "responses": {},
                      "x-kubernetes-group-version-kind": gvk | {"kind": kind}}}
        for plural, kind in KINDS[group].items()}}


class Answers(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    # An answer is one write: two would wait for each other's acknowledgement.
    wbufsize = -1
    cluster = None

    def log_message(self, *_):
        pass

    def reply(self, thing, code=200):
        body = json.dumps(thing).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def refuse(self, code, reason):
        self.reply({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
                    "message": reason, "code": code}, code)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(url.query))
        if known := self.about(url.path):
            return self.reply(known)
        if url.path in self.cluster.things:
            return self.reply(self.cluster.things[url.path])
        group = next((group for group in KINDS if url.path.startswith(group + "/")), None)
        plural = url.path.rsplit("/", 1)[-1]
        if group is None or plural not in KINDS[group]:
            return self.refuse(404, "NotFound")
        if asked.get("watch"):
            return self.watch(url.path, asked, KINDS[group][plural])
        return self.reply({"kind": KINDS[group][plural] + "List", "apiVersion": api_version(group),
                           "metadata": {"resourceVersion": str(self.cluster.version)},
                           "items": self.found(url.path, asked)})

    def about(self, path):
        match path:
            case "/version":
                return {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
            case "/api":
                return {"kind": "APIVersions", "versions": ["v1"]}
            case "/apis":
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                    {"name": name, "versions": [version], "preferredVersion": version}
                    for group in KINDS if group != "/api/v1"
                    for name, _, version in [api_version(group).rpartition("/")]
                    for version in [{"groupVersion": api_version(group), "version": version}]]}
            case "/openapi/v3":
                return {"paths": {group[1:]: {"serverRelativeURL": f"/openapi/v3{group}?hash=1"}
                                  for group in KINDS}}
        if path in KINDS:
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version(path),
                    "resources": resources(path)}
        group = path.removeprefix("/openapi/v3")
        return openapi(group) if group in KINDS and group != path else None

    def found(self, path, asked):
        fields = dict(part.split("=", 1) for part in asked.get("fieldSelector", "").split(",") if part)
        name = fields.get("metadata.name", "").lstrip("=")
        return [thing for at, thing in self.cluster.things.items()
                if at.rsplit("/", 1)[0] == path and name in ("", thing["metadata"]["name"])]

    def watch(self, path, asked, kind):
        """Sends what is there, says that this was all, then what changes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        sent, until = {}, time.monotonic() + 30
        try:
            first = True
            while time.monotonic() < until:
                with self.cluster.changed:
                    now = {thing["metadata"]["name"]: thing for thing in self.found(path, asked)}
                    events = [("DELETED", sent[name]) for name in sent.keys() - now.keys()]
                    events += [("MODIFIED" if name in sent else "ADDED", thing)
                               for name, thing in now.items() if sent.get(name) != thing]
                    sent, version = {name: json.loads(json.dumps(t)) for name, t in now.items()}, self.cluster.version
                if first:
                    note = {"k8s.io/initial-events-end": "true"}
                    meta = {"resourceVersion": str(version), "annotations": note}
                    events.append(("BOOKMARK", {"kind": kind, "apiVersion": api_version(group_of(path)),
                                                "metadata": meta}))
                    first = False
                for event, thing in events:
                    self.wfile.write(json.dumps({"type": event, "object": thing}).encode() + b"\n")
                self.wfile.flush()
                with self.cluster.changed:
                    self.cluster.changed.wait(0.2)
        except OSError:
            pass

    def do_POST(self):
        thing = self.body()
        path = f"{urllib.parse.urlsplit(self.path).path}/{thing['metadata']['name']}"
        if path in self.cluster.things:
            return self.refuse(409, "AlreadyExists")
        return self.reply(self.cluster.write("create", path, thing), 201)

    def do_PATCH(self):
        path, patch = urllib.parse.urlsplit(self.path).path, self.body()
        old = self.cluster.things.get(path)
        if "apply" in self.headers.get("Content-Type", ""):
            verb = "update" if old else "create"
            return self.reply(self.cluster.write(verb, path, patch), 200 if old else 201)
        if old is None:
            return self.refuse(404, "NotFound")
        return self.reply(self.cluster.write("update", path, merged(old, patch)))

    def do_PUT(self):
        path = urllib.parse.urlsplit(self.path).path
        return self.reply(self.cluster.write("update", path, self.body()))

    def do_DELETE(self):
        self.body()
        thing = self.cluster.delete(urllib.parse.urlsplit(self.path).path)
        return self.reply(thing) if thing else self.refuse(404, "NotFound")


def group_of(path):
    return next(group for group in KINDS if path.startswith(group + "/"))


def api_version(group):
    return group.removeprefix("/apis/").removeprefix("/api/")


def merged(old, patch):
    """A merge patch, and as much of a strategic one as Helm needs here."""
    if not (isinstance(old, dict) and isinstance(patch, dict)):
        return patch
    kept = {key: value for key, value in old.items() if key not in patch}
    return kept | {key: merged(old.get(key), value) for key, value in patch.items() if value is not None}
