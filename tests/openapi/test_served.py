"""/openapi.json and /docs as the service serves them."""

import gzip
import os
import re

import pytest

from support.api import check_problem
from support.service import ROOT, Service

FOLDER = os.path.join(ROOT, "openapi")
FILES = {
    "/openapi.json": ("openapi.json", "application/json"),
    "/docs": ("page.html", "text/html; charset=utf-8"),
    "/docs/page.css": ("page.css", "text/css; charset=utf-8"),
    "/docs/start.js": ("start.js", "text/javascript; charset=utf-8"),
    "/docs/swagger-ui.css": ("viewer/swagger-ui.css", "text/css; charset=utf-8"),
    "/docs/swagger-ui-bundle.js": ("viewer/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
}
TAKES = ["gzip", "GZIP", "br, gzip", "deflate;q=1, gzip;q=0.5", "gzip ; q=0.001", "*", "identity;q=0, *;q=0.5", "x-gzip", ", gzip,",
         "gzip;q=1;more=2"]
TAKES_NOT = [None, "", "identity", "br", "gzip;q=0", "gzip;q=0.000", "*;q=0", "*, gzip;q=0", "gzip;q=0, *", "gzipped", "gzip;;q",
             "gzip deflate", ";", "gzip/1"]


def content(path):
    with open(os.path.join(FOLDER, FILES[path][0]), "rb") as file:
        return file.read()


def get(service, path, method="GET", **fields):
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    return service.request(method, path, fields)


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_served_as_it_is(service, path):
    answer = get(service, path)
    assert answer.status == 200 and answer.body == content(path)
    assert answer["Content-Type"] == FILES[path][1]
    assert answer.get("Content-Encoding") is None and answer["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_compressed_for_clients_that_take_it(service, path):
    answer = get(service, path, Accept_Encoding="gzip, deflate, br")
    assert answer["Content-Encoding"] == "gzip" and gzip.decompress(answer.body) == content(path)
    assert answer["ETag"] != get(service, path)["ETag"], "another representation, another tag"


@pytest.mark.parametrize("takes", TAKES)
def test_gzip_is_taken_where_it_is_wanted(service, takes):
    assert get(service, "/docs", Accept_Encoding=takes).get("Content-Encoding") == "gzip"


@pytest.mark.parametrize("takes", TAKES_NOT)
def test_gzip_is_left_out_where_it_is_not(service, takes):
    answer = get(service, "/docs", Accept_Encoding=takes)
    assert answer.get("Content-Encoding") is None and answer.body == content("/docs")


@pytest.mark.parametrize("takes", [None, "gzip"])
@pytest.mark.parametrize("path", FILES)
def test_a_client_that_has_it_is_told_so(service, path, takes):
    first = get(service, path, Accept_Encoding=takes)
    again = get(service, path, Accept_Encoding=takes, If_None_Match=f'"other", {first["ETag"]}')
    assert again.status == 304 and again.body == b"" and again["ETag"] == first["ETag"]
    weak = get(service, path, Accept_Encoding=takes, If_None_Match="W/" + first["ETag"])
    assert weak.status == 304
    assert get(service, path, Accept_Encoding=takes, If_None_Match="*").status == 304
    assert get(service, path, Accept_Encoding=takes, If_None_Match='"other"').status == 200


@pytest.mark.parametrize("path", FILES)
def test_head_has_the_fields_of_get(service, path):
    one, other = get(service, path), get(service, path, "HEAD")
    varying = {"Date", "X-Request-Id"}
    assert {f for f in one.fields if f[0] not in varying} == {f for f in other.fields if f[0] not in varying}


def test_a_tag_is_the_same_on_every_replica(service):
    other = Service({"CACHE_ENGINE": "memory"}).start()
    try:
        assert get(other, "/openapi.json")["ETag"] == get(service, "/openapi.json")["ETag"]
    finally:
        other.stop()


@pytest.mark.parametrize("path", FILES)
def test_the_policy_lets_the_page_run_and_ask_nothing_but_the_service(service, path):
    policy = dict(part.strip().split(" ", 1) for part in get(service, path)["Content-Security-Policy"].split(";"))
    assert policy == {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
                      "img-src": "'self' data:", "base-uri": "'none'", "frame-ancestors": "'none'",
                      "form-action": "'self'"}


def test_the_page_names_only_what_is_served(service):
    page = content("/docs").decode()
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(links) >= 5
    for link in links:
        assert link == "data:," or "/" + link in FILES, link
    assert "<style" not in page and "style=" not in page and not re.search(r"<script(?! src)", page)


def test_the_viewer_is_the_one_that_its_version_file_names():
    with open(os.path.join(FOLDER, "viewer", "VERSION"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert re.fullmatch(r"swagger-ui-dist [0-9]+\.[0-9]+\.[0-9]+", lines[0])
    assert lines[1].endswith(f"swagger-ui-dist-{lines[0].split()[1]}.tgz")
    assert b"Apache License" in open(os.path.join(FOLDER, "viewer", "LICENSE"), "rb").read()


@pytest.mark.parametrize("path", ["/docs/", "/docs/other.js", "/docs/viewer/swagger-ui.css", "/docs/../docs", "/openapi.json/",
                                  "/openapi.yaml", "/docs/%70age.css"])
def test_nothing_else_is_served_there(service, path):
    check_problem(get(service, path), 404)


@pytest.mark.parametrize("path", FILES)
def test_an_unknown_parameter_is_named(service, path):
    assert '"v"' in check_problem(get(service, path + "?v=1"), 400)["detail"]
