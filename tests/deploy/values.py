"""Values that the chart is rendered with: one set for each way to run the service."""

SERVERS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}]
TO_SERVERS = {"engine": {"to": SERVERS}}
TOKEN = {"name": "billing", "sha256": "ab" * 32, "namespaces": ["users", "team-*"], "scopes": ["read", "write"]}
MONITORED = {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}, "prometheusRule": {"enabled": True}}

VALUES = {
    "defaults": {},
    "memory": {
        "engine": {"type": "memory", "memory": {"maxBytes": "1GiB"}}, "resources": {"memory": "2Gi"},
        "auth": {"tokens": [TOKEN, {"sha256": "cd" * 32, "namespaces": "*", "scopes": ["admin"]}]},
        "policies": {"login": {"tier": "session", "max_entries": 50000}}, "metrics": MONITORED,
    },
    "redis": {
        "engine": {"type": "redis", "redis": {"host": "redis.data", "passwordSecret": {"name": "redis-password"}}},
        "networkPolicy": TO_SERVERS, "metrics": MONITORED,
    },
    "redis-tls": {
        "engine": {"type": "redis", "redis": {
            "host": "redis.data", "port": 6380, "username": "cubby", "passwordSecret": {"name": "redis-password"},
            "tls": {"enabled": True, "secret": "redis-tls", "clientCertificate": True, "serverName": "redis.example"}}},
        "networkPolicy": TO_SERVERS,
    },
    "redis-sentinel": {
        "engine": {"type": "redis", "redis": {
            "mode": "sentinel", "sentinels": ["redis-0.redis.data:26379", "redis-1.redis.data:26379"],
            "passwordSecret": {"name": "redis-password"}, "sentinelPasswordKey": "sentinel-password",
            "allowedAddresses": ["10.0.0.0/8"], "waitReplicas": 1}},
        "networkPolicy": TO_SERVERS,
    },
    "redis-cluster": {
        "engine": {"type": "redis", "redis": {"mode": "cluster", "nodes": ["redis-0.redis.data:6379", "redis-1.redis.data"]}},
        "networkPolicy": TO_SERVERS, "autoscaling": {"enabled": False}, "replicaCount": 5,
    },
    "memcached": {
        "engine": {"type": "memcached", "memcached": {
            "servers": ["mc-0.mc.data:11211", "mc-1.mc.data:11211"], "username": "cubby",
            "passwordSecret": {"name": "memcached-password"}}},
        "networkPolicy": TO_SERVERS,
    },
    "tls": {"tls": {"enabled": True, "secret": "cubby-tls"}, "auth": {"existingSecret": "tokens", "key": "who.json"}},
    "mutual-tls": {"tls": {"enabled": True, "secret": "cubby-tls", "clientCaKey": "ca.crt"}, "auth": {"enabled": False}},
    "everything": {
        "image": {"repository": "registry.example/cubby", "digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "pull"}]},
        "extraSettings": {"HTTP_IDLE_TIMEOUT_MS": 60000, "LOG_ACCESS": "errors"}, "podAnnotations": {"team": "cache"},
        "podLabels": {"team": "cache"}, "nodeSelector": {"disk": "none"}, "tolerations": [{"key": "cache", "operator": "Exists"}],
        "priorityClassName": "high", "service": {"port": 80, "annotations": {"a": "b"}}, "drain": {"preStopSeconds": 0},
        "topologySpread": {"whenUnsatisfiable": "DoNotSchedule"}, "serviceAccount": {"create": False, "name": "existing"},
        "fullnameOverride": "keeper",
    },
}
