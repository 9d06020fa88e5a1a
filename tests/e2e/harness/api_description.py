"""Compares requests and responses with the description of the API, src/api/openapi.json.

`violations_of_request` and `violations_of_response` return what differs, one line each. `check` raises ApiViolation for it; raw_client.fetch and
queue_clients.call use it for each request to /api/v1, so that no scenario test sees a status, a member or a header that the description lacks.
"""
import json
import re
from pathlib import Path
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker

DOCUMENT = json.loads((Path(__file__).parents[3] / "src" / "api" / "openapi.json").read_text())
PREFIX = "/api/v1/"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PARAMETER = re.compile(r"\{(\w+)\}")


class ApiViolation(AssertionError):
    """A request or a response is not as the description says."""


class Operation:
    """One method of one path. Its references are resolved once, and so are its validators."""

    def __init__(self, document, path, method, item):
        self.document, self.path, self.method = document, path, method
        self.item = item[method]
        self.parameters = [self.resolved(p) for p in (*item.get("parameters", ()), *self.item.get("parameters", ()))]
        self.body = self.resolved(self.item["requestBody"]) if "requestBody" in self.item else None
        self.responses = {int(status): self.resolved(response) for status, response in self.item["responses"].items()}
        self.validators = {}

    def resolved(self, value):
        while "$ref" in value:
            found = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            value = found
        return value

    def errors(self, schema, value, what):
        """What is wrong with the value, one line for each error; the references of a schema lead into the document."""
        if id(schema) not in self.validators:
            whole = {**schema, "components": self.document["components"]}
            self.validators[id(schema)] = Draft202012Validator(whole, format_checker=FormatChecker())
        return [f"{what}{error.json_path[1:]}: {error.message}" for error in self.validators[id(schema)].iter_errors(value)]

    def parameter_errors(self, path_values, headers, query):
        wrong = []
        given = {"path": path_values, "query": query, "header": {name.lower(): value for name, value in headers}}
        for parameter in self.parameters:
            name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
            value = given[parameter["in"]].get(name)
            if value is not None:
                wrong += self.errors(parameter["schema"], typed(parameter["schema"], value), f"{parameter['in']} parameter {name}")
            elif parameter.get("required"):
                wrong.append(f"the {parameter['in']} parameter {name} is missing")
        known = {parameter["name"] for parameter in self.parameters if parameter["in"] == "query"}
        return wrong + [f"undocumented query parameter {name}" for name in query if name not in known]

    def body_errors(self, content, content_type, body, what):
        """`content`: the media types of the description."""
        media_type = (content_type or "").split(";")[0].strip().lower()
        if media_type not in content:
            return [f"{what} has the content type {media_type or 'none'}, documented: {', '.join(content)}"]
        if not media_type.endswith("json"):
            return self.errors(content[media_type]["schema"], body.decode("utf-8", "replace"), what)
        try:
            value = json.loads(body, object_pairs_hook=members)
            json.dumps(value, ensure_ascii=False).encode()
        except ValueError:
            return [f"{what} is not JSON, repeats a name, or is no text: {body[:80]!r}"]
        return self.errors(content[media_type]["schema"], value, what)

    def header_errors(self, documented, fields):
        wrong = []
        given = {}
        for name, value in fields:   # fields of one name are a list (RFC 9110 section 5.3)
            given[name.lower()] = f"{given[name.lower()]}, {value}" if name.lower() in given else value
        names_here = {name.lower() for name in documented}
        for name, reference in documented.items():
            header = self.resolved(reference)
            value = given.get(name.lower())
            if value is not None:
                wrong += self.errors(header["schema"], typed(header["schema"], value), f"header {name}")
            elif header.get("required"):
                wrong.append(f"the header {name} is missing")
        return wrong + [f"undocumented header {name}" for name, _ in fields if name.lower() in DESCRIBED_HEADERS - names_here]


def members(pairs):
    """The object with these members. Error: ValueError when a name occurs twice."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def typed(schema, text):
    """The text of a parameter or a header as a value of the schema's type; the text itself if it is none."""
    try:
        return int(text) if schema.get("type") == "integer" else text
    except ValueError:
        return text


def operations(document):
    """[(pattern of the path, path, {METHOD: operation})], the paths with the fewest parameters first."""
    found = []
    for path, item in document["paths"].items():
        pattern = re.compile("/".join(PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(part).replace(r"\{", "{").replace(r"\}", "}")) for part in path.split("/")))
        found.append((pattern, path, {method.upper(): Operation(document, path, method, item) for method in item if method in METHODS}))
    return sorted(found, key=lambda entry: entry[1].count("{"))


# Headers that have to be documented where they occur. Others, such as Date, are of HTTP itself.
DESCRIBED_HEADERS = {"etag", "cache-control", "retry-after", "location", "set-cookie", "www-authenticate", "allow", "last-modified", "vary",
                     "content-language", "ratelimit", "ratelimit-policy", "idempotency-replayed"}


class ApiDescription:
    def __init__(self, document=None):
        self.paths = operations(DOCUMENT if document is None else document)

    def find(self, method, target):
        """(operation, values of the path's parameters, values of the query), or (what is wrong, {}, {})."""
        path, _, query = target.partition("?")
        for pattern, described, methods in self.paths:
            if match := pattern.fullmatch(path):
                operation = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
                values = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
                return operation or f"undocumented method {method} of {described}", {k: unquote(v) for k, v in match.groupdict().items()}, values
        return f"undocumented path {path}", {}, {}

    def violations_of_request(self, method, target, headers=(), body=b""):
        operation, path_values, query = self.find(method, target)
        if isinstance(operation, str):
            return [operation]
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        wrong = operation.parameter_errors(path_values, headers, query)
        if body and not operation.body:
            wrong.append("undocumented request body")
        elif body:
            content_type = next((value for name, value in headers if name.lower() == "content-type"), None)
            wrong += operation.body_errors(operation.body["content"], content_type, body, "request body")
        elif operation.body and operation.body.get("required"):
            wrong.append("the request body is missing")
        return wrong

    def violations_of_response(self, method, target, status, fields, body):
        operation, _, _ = self.find(method, target)
        if isinstance(operation, str):
            return [operation, *self.violations_of_problem(fields, body)]
        response = operation.responses.get(status)
        if response is None:
            return [f"undocumented status {status}, documented: {', '.join(map(str, sorted(operation.responses)))}"]
        wrong = operation.header_errors(response.get("headers", {}), fields)
        content = response.get("content")
        if content is None:
            return wrong + (["undocumented response body"] if body else [])
        if method == "HEAD":
            return wrong
        content_type = next((value for name, value in fields if name.lower() == "content-type"), None)
        return wrong + operation.body_errors(content, content_type, body, "response body")

    def violations_of_problem(self, fields, body):
        """What is wrong with the response to a request that the description does not have."""
        any_operation = next(iter(self.paths[0][2].values()))
        content = {"application/problem+json": {"schema": any_operation.document["components"]["schemas"]["Problem"]}}
        return any_operation.body_errors(content, dict(fields).get("Content-Type"), body, "response body")


DESCRIPTION = ApiDescription()


def check(method, target, headers, body, response, breaks_api=False, description=DESCRIPTION):
    """Fails for a request or a response of /api/v1 that differs from the description. `breaks_api`: the request is meant to be invalid. Then only the
    response is compared, which is a problem for a path or a method that is not described, and a request that is valid fails. `response` has the
    members status, fields and body."""
    if not target.startswith(PREFIX):
        return
    wrong = description.violations_of_request(method, target, headers, body)
    of_response = description.violations_of_response(method, target, response.status, response.fields, response.body)
    if breaks_api:
        of_response = [line for line in of_response if line not in wrong]   # that path or method is not described is meant
        wrong = [] if wrong else ["the request is valid, although the test says that it breaks the API"]
    if wrong := list(dict.fromkeys([*wrong, *of_response])):
        raise ApiViolation("\n".join([f"{method} {target} -> {response.status} differs from src/api/openapi.json:", *wrong, f"body: {response.body[:500]!r}"]))
