"""Secrets in texts that may not be YAML are hidden line by line, and everything else stays as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airstore.deploy.model.redact_text import redact_lines

HIDDEN = """\
password: {S}
  adminPassword: "{S}"
# token: {S}
#password: {S} # note
- apiKey: {S}
private_key: |
  {S}
    {S}
"secret": {S}
--- {S}
"""
SECRET = """\
apiVersion: v1
kind: Secret
data:
  user.name: {S}
  "quoted": {S}
  long: |-
    {S}
    {S}
stringData:
  plain: {S}
type: Opaque
"""


@pytest.mark.parametrize("text", [HIDDEN.replace("--- {S}\n", ""), SECRET, f"a: b\n---\n{SECRET}---\nc: d\n"])
def test_secrets_are_hidden_and_changes_still_show(text: str) -> None:
    # No hexadecimal digits: a mark has twelve of them, by chance any three.
    one, other = (redact_lines(text.replace("{S}", secret)) for secret in ("stu", "xyz"))
    assert "stu" not in one
    assert one != other
    assert len(one.splitlines()) == len(text.splitlines())
    assert [line.split(":")[0].strip("#- ") for line in one.splitlines() if ":" in line] == [
        line.split(":")[0].strip("#- ") for line in text.splitlines() if ":" in line
    ]


@pytest.mark.parametrize(
    "text",
    [
        "password: {{ .Values.password | quote }}\n",
        'password: ""\r\ntoken: null\nsecret: {}\n',
        "kind: ConfigMap\ndata:\n  plain: text\n",
        "kind: Secret\ndata:\n  {{- range $k, $v := .Values.more }}\n  {{ $k }}: {{ $v }}\n  {{- end }}\n",
        "image: a:1\nno yaml at all {{ if }}\n\n",
        "kind: Secret\ndata: {}\nmetadata:\n  name: s\n",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_lines(text) == text


@pytest.mark.parametrize(
    "line",
    [
        'password: {{ "@@" | quote }}',
        "password: {{ default `@@` .Values.password }}",
        "password: {{ .Values.a }}@@{{ .Values.b }}",
        "  - name: DB_PASSWORD\n    value: @@",
        "  - value: a\n    name: X\n  - name: API_TOKEN\n    value: '@@'",
        "  - {name: DB_PASSWORD, value: @@}",
        'args: ["--db-password=@@", "--verbose"]',
        "db: {user: a, password: @@}",
        "url: postgres://bob:@@@db/x",
        'export API_KEY="@@"',
        '{"user": "a", "clientSecret": "@@"}',
        "a: |\n  -----BEGIN RSA PRIVATE KEY-----\n  @@\n  -----END RSA PRIVATE KEY-----",
        "kind: Secret\nstringData: {plain: @@}",
        "kind: Secret\ndata:\n  {{ $k }}: @@",
        'kind: Secret\ndata:\n  x: {{ "@@" | b64enc }}',
        "extra:\n  - kind: Secret\n    stringData:\n      plain: @@",
        "{kind: Secret, data: {a: b}}\npassword: @@",
        "dashboard: " + "x" * 10_000 + "@@",
    ],
)
def test_a_secret_in_any_of_its_places_is_hidden(line: str) -> None:
    shown = redact_lines(line.replace("@@", "hunter2"))
    assert "hunter2" not in shown
    assert "redacted" in shown
    assert len(shown) < 500


LINE = "from airstore.deploy.model.redact_text import redact_lines; print(redact_lines('token: 4711'))"
OBJECT = (
    "from airstore.deploy.plan.plan import normalise; "
    "print(normalise([{'kind': 'Secret', 'metadata': {'name': 'a'}, 'data': {'pin': '4711'}}]))"
)


@pytest.mark.parametrize("words", [LINE, OBJECT], ids=["a line", "a Secret"])
def test_no_pin_can_be_found_from_a_page(words: str) -> None:
    """Whoever has a page, and airstore, tries every PIN, and each process says something else of it."""
    run = [sys.executable, "-c", words]
    one, other = (subprocess.run(run, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert one != other
    assert "(redacted, mark " in one


def test_a_page_shows_that_a_secret_changed_and_where_it_did_not() -> None:
    one, same, other = (redact_lines(f"token: {value}") for value in ("4711", "4711", "4712"))
    assert one == same != other
