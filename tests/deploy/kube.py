"""Looking things up in a list of Kubernetes objects."""

SUFFIXES = {"": 1, "m": 1e-3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
# Of a setting of the service's: powers of 1024 with and without the iB.
SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def split_number(text):
    text = str(text)
    end = len(text.rstrip("KMGTikmB"))
    return float(text[:end]), text[end:]


def quantity(text):
    number, suffix = split_number(text)
    return number * SUFFIXES[suffix]


def size(text):
    number, suffix = split_number(text)
    return number * SIZES[suffix]


def of_kind(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


def name_of(one):
    return one["metadata"]["name"]


def named(objects, kind, name):
    return next((one for one in of_kind(objects, kind) if name_of(one) == name), None)


def labels_of(one):
    return one["metadata"].get("labels") or {}


def selects(selector, labels):
    """Whether a selector of labels alone picks something with `labels`. An empty one is none."""
    return bool(selector) and selector.items() <= labels.items()


def pods(objects):
    """Name, labels and spec of everything that becomes a pod."""
    for one in of_kind(objects, "Deployment"):
        template = one["spec"]["template"]
        yield name_of(one), labels_of(template), template["spec"]
    for one in of_kind(objects, "Pod"):
        yield name_of(one), labels_of(one), one["spec"]


def containers(objects):
    for name, _, spec in pods(objects):
        for container in spec.get("initContainers", []) + spec["containers"]:
            yield f"{name}/{container['name']}", container


def service(objects):
    """The one Deployment, its pod's spec, and its container."""
    (deployment,) = of_kind(objects, "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    return deployment, spec, spec["containers"][0]


def settings(objects):
    """The environment of the service, as its ConfigMaps make it."""
    found = {}
    for source in service(objects)[2].get("envFrom", []):
        config = named(objects, "ConfigMap", source["configMapRef"]["name"])
        found.update(config["data"] if config else {})
    return found


def ports_of(spec):
    return {port["name"]: port["containerPort"] for one in spec["containers"] for port in one.get("ports", [])}
