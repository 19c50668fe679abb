"""nginx as a yardstick, with a configuration of its own in a folder of its own."""

import os

from kit.procs import Server, free_port

CONFIG = """\
daemon off;
{user}
worker_processes {workers};
worker_rlimit_nofile 40000;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log crit;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    server_tokens on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    client_max_body_size 16m;
    {upstream}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=1024;
        {locations}
    }}
}}
"""


def nginx_server(folder, workers, locations, upstream="", name="nginx", also=()):
    port = free_port()
    path = folder / f"nginx-{port}.conf"
    # As root, nginx would give its workers to a user who cannot read the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(CONFIG.format(folder=folder, workers=workers, port=port, locations=locations, upstream=upstream,
                                  user=user))
    return Server(name, ["nginx", "-c", path, "-e", folder / "nginx-start.log"], port, folder=folder, also=also)


def return_location(body_bytes):
    """`return 200` of so many bytes, whatever the path."""
    return 'location / { return 200 "%s"; }' % ("x" * body_bytes)
