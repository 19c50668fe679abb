"""Answers of the service held to openapi/openapi.json: what the suites receive, the document must have said.

check_answer() is called for every answer that support/wire.py reads. It holds the answer to its operation: status, media
type, body against the schema, fields that must be there, and the form of those that are. Objects are taken strictly: a
member that the document does not name fails, though clients are promised no such thing. Requests that the document has
no operation for (nonsense paths, methods, lines) must be answered with a problem document.

What libmicrohttpd answers by itself (no X-Request-Id, its own HTML; tests/http/corpus names each case) is let pass.

CUBBY_TEST_DOCUMENT=off leaves it out.
"""

import copy
import functools
import json
import os
import re

from jsonschema import Draft202012Validator, RefResolver

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATH = os.path.join(ROOT, "openapi", "openapi.json")
METHODS = ("get", "head", "put", "post", "delete", "patch", "options")
PROBLEM = "application/problem+json"
ENABLED = os.environ.get("CUBBY_TEST_DOCUMENT", "on") != "off"
# Longer texts are checked by their first part: what one line of an export is, all are.
LINES_CHECKED = 20
ITEMS_CHECKED = 20


class Undocumented(AssertionError):
    """The service and the document say different things."""


def load():
    with open(PATH, encoding="utf-8") as file:
        return json.load(file)


def close_objects(schema):
    """A schema that takes no members besides those it names."""
    if isinstance(schema, list):
        return [close_objects(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close_objects(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


class Document:
    def __init__(self, tree):
        self.tree = tree
        strict = copy.deepcopy(tree)
        strict["components"]["schemas"] = close_objects(strict["components"]["schemas"])
        self._resolver = RefResolver.from_schema(strict)
        self._validators = {}
        self._templates = [(self._pattern(path, item), path) for path, item in tree["paths"].items()]

    def _pattern(self, path, item):
        """As the service tells paths apart: a key is all that follows, a namespace ends at the slash."""
        values = {}
        for operation in item.values():
            for parameter in map(self.resolve, operation.get("parameters", ())):
                if parameter["in"] == "path" and "enum" in parameter["schema"]:
                    values[parameter["name"]] = "|".join(map(re.escape, parameter["schema"]["enum"]))
        pieces = re.split(r"\{(\w+)\}", path)
        text = re.escape(pieces[0])
        for i in range(1, len(pieces), 2):
            open_ended = i == len(pieces) - 2 and i > 1
            text += "(?:" + values.get(pieces[i], ".*" if open_ended else "[^/]*") + ")" + re.escape(pieces[i + 1])
        return re.compile(text, re.DOTALL)

    def resolve(self, thing):
        while isinstance(thing, dict) and "$ref" in thing:
            at = self.tree
            for step in thing["$ref"].removeprefix("#/").split("/"):
                at = at[step.replace("~1", "/").replace("~0", "~")]
            thing = at
        return thing

    @functools.lru_cache(maxsize=4096)
    def operation(self, method, target):
        """(path, operation) that a request means, or None. `target` may be in absolute form."""
        path = re.sub(r"^[A-Za-z]+://[^/?]*", "", target).split("?", 1)[0]
        for pattern, name in self._templates:
            if pattern.fullmatch(path):
                return name, self.tree["paths"][name].get(method.lower())
        return None

    def faults(self, schema, value):
        """What is wrong with `value`, in words; `schema` belongs to the document."""
        validator = self._validators.get(id(schema))
        if validator is None:
            validator = Draft202012Validator(close_objects(schema), resolver=self._resolver)
            self._validators[id(schema)] = validator
        return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


@functools.lru_cache(maxsize=1)
def document():
    return Document(load())


def _shorten(value):
    """Long lists by their first items and their last."""
    if isinstance(value, list):
        if len(value) > ITEMS_CHECKED:
            value = value[:ITEMS_CHECKED - 1] + value[-1:]
        return [_shorten(item) for item in value]
    if isinstance(value, dict):
        return {name: _shorten(item) for name, item in value.items()}
    return value


def _check_body(doc, content, answer, media_type):
    schema = content[media_type].get("schema", {})
    if media_type == "application/x-ndjson":
        lines = answer.body.decode("utf-8").splitlines()
        line_schema = doc.resolve(schema["contentSchema"])
        return [fault for line in lines[:LINES_CHECKED] for fault in doc.faults(line_schema, json.loads(line))]
    if media_type.endswith("json"):
        # An entry's value is the client's own, however it looks.
        value = json.loads(answer.body)
        if isinstance(value, dict) and "value" in value and "etag" in value:
            value = {**value, "value": None}
        return doc.faults(schema, _shorten(value))
    return doc.faults(schema, answer.body.decode("utf-8"))


def _check_content(doc, response, answer, method):
    """The media type is listed, and the body is as its schema says."""
    content = response.get("content", {})
    if answer.get("Content-Encoding") is not None:
        return []  # the same without it, which the tests of it compare
    given = answer.get("Content-Type", "").split(";")[0].strip().lower()
    if method == "HEAD" or answer.status in (204, 304):
        return []
    if answer.get("Content-Security-Policy") == "sandbox":
        # The bytes of an entry, with whatever type they were stored.
        return [] if "*/*" in content else ["stored bytes where the document has none"]
    if not answer.body and not given:
        return [] if not content else ["no body"]
    if given not in content:
        return [f"media type {given!r} is not among {sorted(content)}"]
    return _check_body(doc, content, answer, given)


def _check_fields(doc, response, answer):
    faults = []
    for name, header in response.get("headers", {}).items():
        header = doc.resolve(header)
        value = answer.get(name)
        if value is None:
            if header.get("required"):
                faults.append(f"field {name} is missing")
            continue
        number = header["schema"].get("type") == "integer" and re.fullmatch(r"-?[0-9]+", value)
        faults += [f"field {name} {fault}" for fault in doc.faults(header["schema"], int(value) if number else value)]
    # Fields that have a meaning of this service's own are all to be told of.
    known = {name.lower() for name in response.get("headers", {})}
    own = {name.lower() for name in doc.tree["components"]["headers"]}
    faults += [f"field {name} is not told of" for name, _ in answer.fields
               if name.lower() in own and name.lower() not in known]
    return faults


def _is_canned(answer):
    """Said by the connection's guard, which knows only the status and what is wrong."""
    return answer.closes and answer.status >= 400 and answer.get("Date") is None


def _check_stray(doc, answer, method):
    """An answer that no operation stands for."""
    if answer.status == 204 and answer.get("Allow") is not None or method == "OPTIONS":
        return []
    if answer.status < 400:
        return ["a success that no operation stands for"]
    if method == "HEAD":
        return []
    return doc.faults(doc.tree["components"]["schemas"]["Problem"], json.loads(answer.body))


def faults_of(answer, method, target):
    """What the document did not say about this answer. `target` None: nobody knows what was asked."""
    doc = document()
    if answer.get("X-Request-Id") is None and answer.status >= 400 and answer.get("Content-Type") in (None, "text/html"):
        return []
    if target is None:
        if answer.status < 400 or method == "HEAD":
            return []
        return doc.faults(doc.tree["components"]["schemas"]["Problem"], json.loads(answer.body))
    found = doc.operation(method, target)
    if found is None or found[1] is None:
        return _check_stray(doc, answer, method)
    path, operation = found
    response = doc.resolve(operation["responses"].get(str(answer.status)))
    if response is None:
        return [f"{method} {path}: status {answer.status} is not listed"]
    faults = _check_content(doc, response, answer, method)
    if not _is_canned(answer):
        faults += _check_fields(doc, response, answer)
    return [f"{method} {path} {answer.status}: {fault}" for fault in faults]


def check_answer(answer, method, target):
    if not ENABLED:
        return
    faults = faults_of(answer, method, target)
    if faults:
        raise Undocumented("\n".join(faults[:10]) + f"\nrequest target {target!r}, answer {answer!r}")
