#!/usr/bin/env python3
"""The deployment files are what they say: locked down, of one mind with each other, and with memory that fits what Postern reserves.

What their own tools judge where they are installed (docker compose, systemd-analyze, podman's generator) is asked of those too. There is no
Kubernetes here: what its API server and the Pod Security level "restricted" demand stands below."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from postern import ROOT, diag, done, is_, ok, run, skip, skip_all

try:
    import yaml
except ImportError:
    skip_all("python3-yaml is not installed (make test does it)")
DEPLOY = os.path.join(ROOT, "build", "deploy")
MIB = 1 << 20


def read(*names):
    with open(os.path.join(*names), encoding="utf-8") as f:
        return f.read()


with open(os.path.join(ROOT, "build", "image", "digest")) as f:
    DIGEST = f.read().strip()
CONFIG = json.loads(read(DEPLOY, "postern.json"))
COMPOSE = yaml.safe_load(read(DEPLOY, "compose", "compose.yaml"))
SERVICE = list(yaml.safe_load_all(read(DEPLOY, "kubernetes", "postern.yaml")))
SIDECAR = list(yaml.safe_load_all(read(DEPLOY, "kubernetes", "sidecar.yaml")))


def sections(name):
    """A unit file: section -> [(key, value)], keys may stand several times."""
    found, here = {}, None
    for line in read(DEPLOY, name).split("\n"):
        if re.match(r"\[\w+\]$", line):
            here = found.setdefault(line[1:-1], [])
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals and here is not None, line
            here.append((key, value))
    return found


QUADLET = sections("podman/postern.container")
UNIT = sections("systemd/postern.service")
one = lambda unit, section, key: next((v for k, v in unit[section] if k == key), None)

# ---------------------------------------------------------------- they name this image

names = {"compose": COMPOSE["services"]["postern"]["image"], "quadlet": one(QUADLET, "Container", "Image"),
         "deployment": SERVICE[2]["spec"]["template"]["spec"]["containers"][0]["image"],
         "sidecar": SIDECAR[2]["spec"]["initContainers"][0]["image"]}
is_({n.rpartition("@")[2] for n in names.values()}, {DIGEST}, "all name the image by the digest of its index")
is_(len(set(names.values())), 1, "and in one way")

# ---------------------------------------------------------------- the configurations

embedded = {"service": json.loads(SERVICE[1]["data"]["postern.json"]), "sidecar": json.loads(SIDECAR[1]["data"]["postern.json"])}
with tempfile.TemporaryDirectory() as tmp:
    def scratch(config):
        config = json.loads(json.dumps(config))
        for server in config["mcpServers"].values():
            if "root" in server:
                server["root"] = tmp
        return config
    for name, config in {"postern.json": CONFIG, **embedded}.items():
        r = run("check", config=scratch(config))
        ok(r.returncode == 0, "%s: postern check says it is right" % name, r.stderr)
    is_([li["address"] for li in CONFIG["listeners"]], ["127.0.0.1:8080"], "the configuration of all files but one listens on loopback")
    is_(embedded["sidecar"], CONFIG, "the sidecar's is the same")
    differs = ("listeners", "identity")
    is_({k: v for k, v in embedded["service"].items() if k not in differs}, {k: v for k, v in CONFIG.items() if k not in differs},
        "the Service's differs in its listener and in who may call")
    is_([(k, [x["sha256"] for x in v]) for k, v in embedded["service"]["identity"].items()], [("keys", ["0" * 64])],
        "which is nobody until a site puts the hash of its own key there")
    r = run("check", config=scratch(dict(embedded["service"], identity=CONFIG["identity"])))
    ok(r.returncode == 1 and "anonymous is for loopback only" in r.stderr, "anonymous callers it could not have", r.stderr)
    exposed = dict(embedded["service"]["listeners"][0])
    is_((exposed["address"], exposed.pop("insecure")), ("0.0.0.0:8080", True), "which says that it is insecure")
    r = run("check", config=scratch(dict(embedded["service"], listeners=[exposed])))
    ok(r.returncode == 1 and "without TLS everybody on the way can read" in r.stderr, "and could not leave it unsaid", r.stderr)
    is_(embedded["service"]["admin"]["address"], "127.0.0.1:9090", "the admin listener stays on loopback")

    # What Postern reserves, from the same functions that lay it out. Not in it: code, kernel memory of sockets, the probes' own process.
    budget = json.loads(run("budget", "--json", config=scratch(CONFIG)).stdout)
processes = sum(p["processes"] * p["generations"] for p in budget["parts"] if p["processes"] > 0)
LEAST, MOST = budget["reload_total"] + 8 * MIB, 2 * budget["reload_total"]
# Every role has a child for its proof at the start; a probe's runtime has threads.
TASKS = 2 * processes + 16
diag("budget: %d bytes at rest, %d while reloads overlap, %d processes at most" % (budget["total"], budget["reload_total"], processes))
ok(CONFIG["workers"] > 0, "the number of workers, and so the memory, does not depend on the machine")


def size(text):
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", str(text)).groups()
    return int(number) * {"": 1, "m": MIB, "M": MIB, "Mi": MIB, "g": MIB << 10, "G": MIB << 10, "Gi": MIB << 10}[unit]


def fits(name, memory, swap, tasks):
    ok(LEAST <= size(memory) <= MOST, "%s: the memory limit %s fits the budget" % (name, memory), "from %d to %d" % (LEAST, MOST))
    if swap is not None:
        is_(size(swap), size(memory), "%s: and no swap" % name)
    if tasks is not None:
        ok(TASKS <= int(tasks) <= 256, "%s: the limit of %s processes fits" % (name, tasks), "from %d" % TASKS)


# ---------------------------------------------------------------- docker compose

c = COMPOSE["services"]["postern"]
is_((c["read_only"], c["cap_drop"], c["user"]), (True, ["ALL"], "65532:65532"), "compose: read-only root, no capabilities, user 65532")
is_(sorted(c["security_opt"]), ["no-new-privileges:true", "seccomp:./seccomp.json"], "compose: no new privileges, the profile")
ok(c["volumes"] and all(v.endswith(":ro") for v in c["volumes"]) and "tmpfs" not in c, "compose: nothing writable is mounted", c["volumes"])
ok(not {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "ports", "expose", "environment"} & set(c), "compose: nothing opened", sorted(c))
is_(c["healthcheck"]["test"], ["CMD", "/postern", "health", "--address", CONFIG["admin"]["address"]], "compose: healthy is what postern health says")
fits("compose", c["mem_limit"], int(size(c["memswap_limit"])), c["pids_limit"])
if shutil.which("docker-compose") is None:
    skip("docker-compose config", "docker-compose is not installed (make test does it)")
else:
    with tempfile.TemporaryDirectory() as tmp:
        shutil.copy(os.path.join(DEPLOY, "compose", "compose.yaml"), tmp)
        shutil.copy(os.path.join(DEPLOY, "postern.json"), tmp)
        shutil.copy(os.path.join(ROOT, "build", "profile", "postern.json"), os.path.join(tmp, "seccomp.json"))
        os.mkdir(os.path.join(tmp, "docs"))
        r = subprocess.run(["docker-compose", "config"], cwd=tmp, capture_output=True, text=True)
        ok(r.returncode == 0, "docker-compose takes it", r.stderr)
        same = yaml.safe_load(r.stdout)["services"]["postern"]
        is_((same["read_only"], same["pids_limit"], same["image"]), (True, c["pids_limit"], c["image"]), "and reads in it what stands there")

# ---------------------------------------------------------------- podman Quadlet

# The keys of podman 4.5, the first whose Quadlet has health checks; systemd's own sections go through as they are.
KNOWN = set("ContainerName Image Network User Group ReadOnly DropCapability NoNewPrivileges SeccompProfile Volume PodmanArgs HealthCmd "
            "HealthInterval HealthTimeout HealthRetries HealthStartPeriod HealthOnFailure".split())
is_(sorted({k for k, _ in QUADLET["Container"]} - KNOWN), [], "quadlet: every key is one that podman knows")
is_({k: one(QUADLET, "Container", k) for k in ("ReadOnly", "DropCapability", "NoNewPrivileges", "User", "Group")},
    {"ReadOnly": "true", "DropCapability": "all", "NoNewPrivileges": "true", "User": "65532", "Group": "65532"},
    "quadlet: read-only root, no capabilities, no new privileges, user 65532")
ok(one(QUADLET, "Container", "SeccompProfile"), "quadlet: the profile")
ok(all(v.endswith(":ro") for k, v in QUADLET["Container"] if k == "Volume"), "quadlet: nothing writable is mounted")
args = dict(a.lstrip("-").split("=") for a in one(QUADLET, "Container", "PodmanArgs").split())
is_((args.get("read-only-tmpfs"), args.get("pull")), ("false", "never"), "quadlet: no writable /tmp either, nothing pulled")
fits("quadlet", args["memory"], args["memory-swap"], args["pids-limit"])
is_(json.loads(one(QUADLET, "Container", "HealthCmd")), c["healthcheck"]["test"][1:], "quadlet: the same health check")
generator = next((g for g in ("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet") if os.access(g, os.X_OK)), None)
if generator is None:
    skip("quadlet: podman's generator", "this podman has no Quadlet (it came with 4.4)")
else:
    with tempfile.TemporaryDirectory() as tmp:
        shutil.copy(os.path.join(DEPLOY, "podman", "postern.container"), tmp)
        r = subprocess.run([generator, "-dryrun"], env=dict(os.environ, QUADLET_UNIT_DIRS=tmp), capture_output=True, text=True)
        ok(r.returncode == 0 and "--read-only" in r.stdout and "--cap-drop" in r.stdout, "quadlet: podman's generator takes it", r.stderr + r.stdout)

# ---------------------------------------------------------------- systemd

fits("systemd", one(UNIT, "Service", "MemoryMax"), None, one(UNIT, "Service", "TasksMax"))
is_(one(UNIT, "Service", "MemorySwapMax"), "0", "systemd: no swap")
ok(not [k for k, _ in UNIT["Service"] if k in ("StateDirectory", "ReadWritePaths", "CacheDirectory", "LogsDirectory")], "systemd: nothing writable")
wanted, call = set(), None
for line in read(ROOT, "build", "profile", "listing.txt").split("\n"):
    head = re.match(r"(\w+)  \S+/\S+(?:  \(|$)", line)
    if head:
        call = head[1]
    elif call and re.match(r"    (parent|start) ", line):
        wanted.add(call)
is_(set(one(UNIT, "Service", "SystemCallFilter").split()), wanted | {"execve"}, "systemd: the filter is the parent's list, the start, and execve")
ok(int(one(UNIT, "Service", "LimitNOFILE")) > CONFIG["memory"]["connections"] + 256, "systemd: enough open files for the connections")
if shutil.which("systemd-analyze") is None:
    skip("systemd-analyze", "systemd-analyze is not installed")
else:
    with tempfile.TemporaryDirectory() as tmp:
        unit = os.path.join(tmp, "postern.service")
        with open(unit, "w") as f:
            f.write(read(DEPLOY, "systemd/postern.service").replace("/usr/local/bin/postern", os.path.join(ROOT, "build", "postern")))
        r = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit], capture_output=True, text=True)
        ok(r.returncode == 0 and not r.stderr.strip(), "systemd-analyze verify takes it without a word", r.stderr)
        r = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", unit], capture_output=True, text=True)
        level = re.search(r"Overall exposure level for postern.service: ([\d.]+)", r.stdout)
        ok(r.returncode == 0 and level, "systemd-analyze security: at most 1.5 of 10", r.stdout + r.stderr)
        diag("systemd-analyze security: exposure %s" % (level[1] if level else "?"))

# ---------------------------------------------------------------- Kubernetes

REQUIRED = {  # apiVersion, kind -> members that the API server demands
    ("v1", "Namespace"): [], ("v1", "ConfigMap"): [], ("v1", "Pod"): ["spec.containers"],
    ("apps/v1", "Deployment"): ["spec.selector.matchLabels", "spec.template.metadata.labels", "spec.template.spec.containers"],
    ("v1", "Service"): ["spec.ports", "spec.selector"],
    ("networking.k8s.io/v1", "NetworkPolicy"): ["spec.podSelector", "spec.policyTypes"],
    ("policy/v1", "PodDisruptionBudget"): ["spec.selector.matchLabels"],
    ("autoscaling/v2", "HorizontalPodAutoscaler"): ["spec.scaleTargetRef.kind", "spec.scaleTargetRef.name", "spec.maxReplicas", "spec.metrics"],
}
KEYS = {  # every member that may stand in a place; what is misspelt would be dropped in silence
    "Pod": "automountServiceAccountToken enableServiceLinks terminationGracePeriodSeconds securityContext topologySpreadConstraints "
           "initContainers containers volumes",
    "container": "name image imagePullPolicy ports securityContext resources startupProbe readinessProbe livenessProbe volumeMounts restartPolicy",
    "podSecurity": "runAsNonRoot runAsUser runAsGroup seccompProfile",
    "security": "runAsUser runAsGroup allowPrivilegeEscalation readOnlyRootFilesystem capabilities seccompProfile",
    "probe": "exec periodSeconds timeoutSeconds failureThreshold",
}
# Pod Security "restricted": the kinds of volumes that it lets be.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def member(thing, path):
    for step in path.split("."):
        thing = thing.get(step) if isinstance(thing, dict) else None
    return thing


def wrong_pod(spec, postern):
    """What Pod Security "restricted" refuses, what is misspelt, and what a container of ours must have besides."""
    found = []

    def keys(what, thing, where):
        found.extend("%s: unknown member %s" % (where, k) for k in set(thing) - set(KEYS[what].split()))
    keys("Pod", spec, "spec")
    pod = spec.get("securityContext", {})
    keys("podSecurity", pod, "securityContext")
    found.extend("spec: %s" % k for k in ("hostNetwork", "hostPID", "hostIPC") if spec.get(k))
    for volume in spec["volumes"]:
        kinds = set(volume) - {"name"}
        if len(kinds) != 1 or not kinds <= VOLUMES:
            found.append("volume %s: %s is not for restricted" % (volume["name"], kinds))
    volumes = {v["name"] for v in spec["volumes"]}
    for container in spec.get("initContainers", []) + spec["containers"]:
        where, s = container["name"], container.get("securityContext", {})
        keys("container", container, where)
        keys("security", s, where)
        if s.get("allowPrivilegeEscalation") is not False:
            found.append(where + ": allowPrivilegeEscalation is not false")
        if s.get("capabilities") != {"drop": ["ALL"]}:
            found.append(where + ": not all capabilities are dropped")
        if pod.get("runAsNonRoot") is not True:
            found.append(where + ": runAsNonRoot is not true")
        if 0 in (s.get("runAsUser"), pod.get("runAsUser")):
            found.append(where + ": runs as root")
        profile = s.get("seccompProfile", pod.get("seccompProfile", {}))
        if profile.get("type") not in ("RuntimeDefault", "Localhost") or (profile["type"] == "Localhost") != ("localhostProfile" in profile):
            found.append(where + ": no seccomp profile")
        if where == postern:
            if profile != {"type": "Localhost", "localhostProfile": "profiles/postern.json"}:
                found.append(where + ": not the profile of the appliance")
            if s.get("runAsUser", pod.get("runAsUser")) != 65532 or s.get("readOnlyRootFilesystem") is not True:
                found.append(where + ": user or read-only root")
            for probe in ("startupProbe", "livenessProbe"):
                if member(container, probe + ".exec.command") != ["/postern", "health", "--address", CONFIG["admin"]["address"]]:
                    found.append("%s: %s does not ask postern health" % (where, probe))
            for mount in container["volumeMounts"]:
                if mount["name"] not in volumes or mount.get("readOnly") is not True:
                    found.append("%s: mount %s: unknown, or writable" % (where, mount["name"]))
            if {m["mountPath"] for m in container["volumeMounts"]} != {"/etc/postern", "/srv/docs"}:
                found.append(where + ": not the mount points of the configuration")
        for probe in (p for p in container if p.endswith("Probe")):
            keys("probe", container[probe], where + "." + probe)
    return found


for name, things in (("postern.yaml", SERVICE), ("sidecar.yaml", SIDECAR)):
    lost = []
    for thing in things:
        kind = (thing["apiVersion"], thing["kind"])
        if kind not in REQUIRED:
            lost.append("%s: unknown" % (kind,))
        lost += ["%s %s: no %s" % (thing["kind"], thing["metadata"]["name"], p) for p in REQUIRED.get(kind, []) if member(thing, p) is None]
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", thing["metadata"]["name"]):
            lost.append("name %s" % thing["metadata"]["name"])
        if thing["kind"] != "Namespace" and thing["metadata"].get("namespace") != things[0]["metadata"]["name"]:
            lost.append("%s is in another namespace" % thing["kind"])
    is_(lost, [], "%s: what the API server demands is there" % name)
    is_(things[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted", "%s: the namespace enforces restricted" % name)

pods = {"postern.yaml": SERVICE[2]["spec"]["template"]["spec"], "sidecar.yaml": SIDECAR[2]["spec"]}
for name, spec in pods.items():
    is_(wrong_pod(spec, "postern"), [], "%s: the Pod is one that restricted admits, and locked down" % name)
    for what, change in (("a writable root", lambda c: c["securityContext"].update(readOnlyRootFilesystem=False)),
                         ("a capability", lambda c: c["securityContext"].update(capabilities={"drop": ["ALL"], "add": ["NET_RAW"]})),
                         ("escalation", lambda c: c["securityContext"].pop("allowPrivilegeEscalation")),
                         ("root", lambda c: c["securityContext"].update(runAsUser=0)),
                         ("a misspelt member", lambda c: c.update(livenesProbe={})),
                         ("a writable mount", lambda c: c["volumeMounts"][1].pop("readOnly"))):
        changed = json.loads(json.dumps(spec))
        change(next(k for k in changed.get("initContainers", []) + changed["containers"] if k["name"] == "postern"))
        ok(wrong_pod(changed, "postern"), "%s: %s would be seen" % (name, what))
    spec = next(k for k in spec.get("initContainers", []) + spec["containers"] if k["name"] == "postern")
    fits(name, spec["resources"]["limits"]["memory"], None, None)
    ok(size(spec["resources"]["requests"]["memory"]) >= budget["total"], "%s: as much is asked for as it holds at rest" % name)
    ok(pods[name]["terminationGracePeriodSeconds"] > 10, "%s: it gets longer to stop than timeouts.drain" % name)

by_kind = {t["kind"]: t for t in SERVICE if t["metadata"]["name"] != "default-deny"}
labels = by_kind["Deployment"]["spec"]["template"]["metadata"]["labels"]
selected = lambda chosen: chosen.items() <= labels.items()
ok(all(selected(s) for s in (by_kind["Deployment"]["spec"]["selector"]["matchLabels"], by_kind["Service"]["spec"]["selector"],
                             by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
                             by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"])), "Deployment, Service, policy and budget mean the same Pods")
port = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"][0]["ports"][0]
is_((by_kind["Service"]["spec"]["ports"][0]["targetPort"], port["containerPort"]),
    (port["name"], int(embedded["service"]["listeners"][0]["address"].rpartition(":")[2])), "the Service leads to the listener")
host = "%s.%s.svc:%d" % (by_kind["Service"]["metadata"]["name"], SERVICE[0]["metadata"]["name"], by_kind["Service"]["spec"]["ports"][0]["port"])
ok(host in embedded["service"]["listeners"][0]["hosts"], "and the listener knows the Service's name", host)
policy = by_kind["NetworkPolicy"]["spec"]
is_((policy["policyTypes"], policy["egress"]), (["Ingress", "Egress"], []), "NetworkPolicy: nothing goes out")
ok(all(set(f) == {"namespaceSelector", "podSelector"} and all(f[s].get("matchLabels") for s in f) for rule in policy["ingress"] for f in rule["from"])
   and [p["port"] for rule in policy["ingress"] for p in rule["ports"]] == ["mcp"], "and in come chosen Pods, to the MCP port", policy["ingress"])
deny = next(t for t in SERVICE if t["metadata"]["name"] == "default-deny")["spec"]
is_(deny, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, "everything else begins with nothing")
hpa = by_kind["HorizontalPodAutoscaler"]["spec"]
is_(hpa["scaleTargetRef"], {"apiVersion": "apps/v1", "kind": "Deployment", "name": by_kind["Deployment"]["metadata"]["name"]}, "the autoscaler means the Deployment")
ok("replicas" not in by_kind["Deployment"]["spec"] and hpa["minReplicas"] > by_kind["PodDisruptionBudget"]["spec"]["minAvailable"],
   "it alone says how many, and more than must stay")
mounted = {v["configMap"]["name"] for spec in pods.values() for v in spec["volumes"] if "configMap" in v}
is_(mounted, {t["metadata"]["name"] for t in SERVICE + SIDECAR if t["kind"] == "ConfigMap"}, "the ConfigMaps are those that are mounted")
done()
