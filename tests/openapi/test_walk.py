"""The route table and the document say the same, both ways: paths, methods, statuses, problems, parameters, fields."""

import glob
import os
import re

import pytest

from support.document import METHODS
from support.service import ROOT

# Told in the document before the service has them. An entry that is no longer needed fails the test below.
PLANNED_PATHS = set()
PLANNED_PROBLEMS = {}

# OpenAPI has other places for these, or none: section 4.8.12.1 on Accept, Content-Type and Authorization; framing; what
# browsers say of themselves.
FIELDS_WITHOUT_PARAMETER = {"accept", "content-type", "authorization", "host", "content-length", "transfer-encoding",
                            "content-encoding", "content-range", "expect", "sec-fetch-site", "origin"}


LITERAL = r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+')"""


def source(*names):
    """The code of these files without comments."""
    text = ""
    for name in names:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            text += file.read()
    return re.sub(LITERAL + r"|/\*.*?\*/", r"\1", text, flags=re.DOTALL)


def table_names():
    names = re.findall(r'\.name = "([^"]+)"', source("routes/table.c"))
    assert len(names) >= 13 and len(set(names)) == len(names)
    return names


def problem_rows():
    rows = re.findall(r'\[PROBLEM_\w+\] = \{ (\d+), "([a-z-]+)", "([^"]+)" \}', source("routes/problem.c"))
    assert len(rows) >= 20
    return {slug: (int(status), title) for status, slug, title in rows}


def document_paths(document):
    """Every path that is served: one for each value of a path parameter that has few."""
    for path, item in document.tree["paths"].items():
        parameters = [document.resolve(p) for operation in item.values() for p in operation.get("parameters", ())]
        choices = {p["name"]: p["schema"]["enum"] for p in parameters if p["in"] == "path" and "enum" in p["schema"]}
        names = [path]
        for name, values in choices.items():
            names = [one.replace("{" + name + "}", value) for one in names for value in values]
        for name in names:
            yield name, path, {method for method in item if method in METHODS}


def documented_statuses(document):
    return {int(status) for item in document.tree["paths"].values() for operation in item.values()
            for status in operation["responses"]}


def allowed(service, name):
    """What the running service says its methods are."""
    answer = service.request("OPTIONS", re.sub(r"\{\w+\}", "x", name))
    if answer.status == 404:
        return None
    assert answer.status == 204, answer
    return {method.strip().lower() for method in answer["Allow"].split(",")} - {"options"}


def test_each_row_of_the_table_is_in_the_document(document):
    named = {name for name, _, _ in document_paths(document)}
    assert set(table_names()) - named == set()


def test_each_path_of_the_document_is_in_the_table(document):
    named = {name for name, _, _ in document_paths(document)}
    assert named - set(table_names()) - PLANNED_PATHS == set()


def test_each_path_has_the_methods_that_the_document_gives_it(service, document):
    for name, path, methods in document_paths(document):
        if path not in PLANNED_PATHS:
            assert allowed(service, name) == methods, name


def test_what_is_planned_is_not_there_yet(service, document):
    """Else it is planned no longer: take it off the list."""
    assert [name for name in PLANNED_PATHS if name in table_names() or allowed(service, name)] == []
    assert [slug for slug in PLANNED_PROBLEMS if slug in problem_rows()] == []
    assert PLANNED_PATHS <= set(document.tree["paths"])


def test_each_problem_is_in_the_document_and_the_other_way_round(document):
    told = {name.removeprefix("/problems/")
            for name in document.tree["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]}
    assert told == set(problem_rows()) | set(PLANNED_PROBLEMS)


def test_each_status_is_answered_by_some_operation_and_the_other_way_round(document):
    failures = {status for status, _ in problem_rows().values()} | set(PLANNED_PROBLEMS.values())
    # What succeeds stands as a number in the routes: an argument of what sends, or one of two by a question.
    names = glob.glob(os.path.join(ROOT, "routes", "**", "*.c"), recursive=True)
    code = source(*(os.path.relpath(name, ROOT) for name in names))
    code = re.sub(LITERAL, "''", code)
    numbers = re.findall(r"\b\w*(?:send|view)\w*\([\w>-]+, ([0-9]{3})\b", code)
    numbers += [number for pair in re.findall(r"\? ([0-9]{3}) : ([0-9]{3})\b", code) for number in pair]
    successes = {int(number) for number in numbers if number < "400"}
    assert {200, 201, 204, 206, 304} <= successes
    assert documented_statuses(document) == failures | successes


def test_the_connections_own_refusals_are_in_the_document(document):
    rows = re.findall(r'\{ (\d+), "([a-z-]+)", "([^"]+)" \}', source("service/http/connection.c"))
    assert len(rows) >= 5
    for status, slug, title in rows:
        assert problem_rows()[slug] == (int(status), title), "the two tables agree"


def test_the_examples_of_problems_are_the_tables_rows(document):
    for name, response in document.tree["components"]["responses"].items():
        example = response["content"]["application/problem+json"]["example"]
        slug = example["type"].removeprefix("/problems/")
        if slug not in PLANNED_PROBLEMS:
            assert problem_rows()[slug] == (example["status"], example["title"]), name


def test_what_depends_on_accept_says_so_in_its_problems_too(document):
    """Vary is set before the engine is asked."""
    for path in ("/cache/{ns}/{key}", "/cache/{ns}"):
        for method in ("get", "head"):
            responses = document.tree["paths"][path][method]["responses"]
            for status in ("200", "400", "500", "501", "503", "504", "507"):
                assert "Vary" in document.resolve(responses[status])["headers"], (method, path, status)


def test_what_the_admin_port_takes_away_is_in_the_document(document):
    for path in ("/metrics", "/stats"):
        for method in ("get", "head"):
            response = document.resolve(document.tree["paths"][path][method]["responses"]["404"])
            assert "ADMIN_PORT" in response["description"]


def parameters_in(document, place):
    return {document.resolve(parameter)["name"] for item in document.tree["paths"].values()
            for operation in item.values() for parameter in operation.get("parameters", ())
            if document.resolve(parameter)["in"] == place}


def test_each_query_parameter_is_in_the_document_and_the_other_way_round(document):
    known = set()
    for name in glob.glob(os.path.join(ROOT, "routes", "**", "*.c"), recursive=True):
        code = source(os.path.relpath(name, ROOT))
        if re.search(r"route_(parameters\(ex, names|query\(ex, &table)", code):
            for rows in re.findall(r"static const struct bytes names\[\w*\] = \{(.*?)\};", code, re.DOTALL):
                known |= set(re.findall(r'\{ "(\w+)", \d+ \}', rows))
    assert len(known) >= 9
    assert parameters_in(document, "query") == known


def test_each_field_that_is_read_is_in_the_document_and_the_other_way_round(document):
    rows = set(re.findall(r'\[HTTP_FIELD_\w+\] = \{ \{ "([a-z-]+)"', source("service/http/fields.c")))
    assert FIELDS_WITHOUT_PARAMETER <= rows
    assert {name.lower() for name in parameters_in(document, "header")} == rows - FIELDS_WITHOUT_PARAMETER


def test_each_member_of_an_operation_is_in_the_document(document):
    members = set(re.findall(r'\[MEMBER_\w+\] = \{ "(\w+)"', source("routes/many/batch_op.c")))
    assert set(document.tree["components"]["schemas"]["Operation"]["properties"]) == members
    assert set(document.tree["components"]["schemas"]["Line"]["properties"]) == members


@pytest.mark.parametrize("name, schema", [("counter.c", ("CounterAdd", "CounterSet")), ("limit.c", ("LimitTake",)),
                                          ("lock.c", ("LockAcquire", "LockRenew"))])
def test_each_member_of_a_primitives_body_is_in_the_document(document, name, schema):
    members = set(re.findall(r'\{ (?:\.name = )?"(\w+)", JSON_MEMBER', source(f"routes/primitives/{name}")))
    told = set().union(*(document.tree["components"]["schemas"][one]["properties"] for one in schema))
    assert members and told == members


def examples_of(document):
    """(where, schema, example) of every request and answer."""
    for path, item in document.tree["paths"].items():
        for method, operation in item.items():
            bodies = [("request", operation.get("requestBody", {}))]
            bodies += [(status, document.resolve(response)) for status, response in operation["responses"].items()]
            for what, body in bodies:
                for media_type, content in body.get("content", {}).items():
                    if "example" in content:
                        yield f"{method} {path} {what} {media_type}", content["schema"], content["example"]


def test_every_example_is_as_its_schema_says(document):
    seen = 0
    for where, schema, example in examples_of(document):
        assert document.faults(schema, example) == [], where
        seen += 1
    assert seen > 100


def test_every_answer_in_json_has_an_example(document):
    for path, item in document.tree["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                content = document.resolve(response).get("content", {}).get("application/json")
                assert content is None or "example" in content or path == "/openapi.json", f"{method} {path} {status}"
