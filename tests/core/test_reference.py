import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import UsageError
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference

PIN = str(Digest.of(b"x"))


# The normal forms of distribution/reference (reference_test.go, normalize_test.go).
@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("quay.io/a/b/c:v1", "quay.io/a/b/c:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("Registry/app", "Registry/app:latest"),  # upper case cannot be a path, so it is a host
        ("10.0.0.1:5000/app", "10.0.0.1:5000/app:latest"),
        ("test.com:8080/app", "test.com:8080/app:latest"),
        (f"nginx@{PIN}", f"docker.io/library/nginx@{PIN}"),
        (f"nginx:1@{PIN}", f"docker.io/library/nginx:1@{PIN}"),
        ("foo_bar.com:8080", "docker.io/library/foo_bar.com:8080"),  # no slash: a path and a tag
        ("a.b/c__d--e/f_g:T.A-G_9", "a.b/c__d--e/f_g:T.A-G_9"),
        ("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com/myimage:xn--n3h.com"),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    reference = Reference.parse(text)
    assert str(reference) == normal
    assert Reference.parse(normal) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":justtag",
        f"@{PIN}",
        "repo@sha256:ffffffffffffffffffffffffffffffffff",
        f"validname@invaliddigest:{'f' * 64}",
        "Uppercase:tag",
        "test:5000/Uppercase/lowercase:tag",
        "lowercase:Uppercase/x",
        "a//b",
        "a/",
        "/a",
        "a:",
        "a@",
        "a:b:c",
        f"a@{PIN}@{PIN}",
        "aa/asdf$$^/aa",
        "sub-dom1.foo.com/bar/baz/-bad",
        "-test.com/foo",
        "test-.com/foo",
        "a..b.com/foo",
        "a.com-/foo",
        "foo__/bar",
        "foo.bar_-x",
        "foo___bar",
        ".foo",
        "foo.",
        "nginx:-tag",
        "nginx:" + "a" * 129,
        "nginx\n",
        "nginx:1\n",
        "nginx :1",
        "localhost:http/x",
        "localhost:123456/x",
        "{{ .Values.image }}",
        "https://quay.io/a/b",
        "nginx:té",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(UsageError, match="not an image reference"):
        Reference.parse(text)


def test_its_parts() -> None:
    reference = Reference.parse(f"quay.io/a/b:1@{PIN}")
    assert (reference.host, reference.path, reference.tag, reference.digest) == ("quay.io", "a/b", "1", PIN)
    assert reference.name == "quay.io/a/b"
    assert reference.selector == PIN
    assert Reference.parse("quay.io/a/b:1").selector == "1"


component = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
hosts = st.builds(
    lambda labels, port: ".".join(labels) + port,
    st.lists(label, min_size=2, max_size=4),
    st.just("") | st.integers(1, 65535).map(lambda port: f":{port}"),
) | st.sampled_from(["localhost", "docker.io"])
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(hosts, st.lists(component, min_size=1, max_size=4), tags | st.just(""), st.booleans())
def test_every_reference_of_the_grammar_has_one_normal_form(
    host: str, path: list[str], tag: str, pinned: bool
) -> None:
    text = f"{host}/{'/'.join(path)}" + (f":{tag}" if tag else "") + (f"@{PIN}" if pinned else "")
    reference = Reference.parse(text)
    assert Reference.parse(str(reference)) == reference
    assert reference.host == host
    assert reference.path.endswith("/".join(path))
    assert reference.tag == tag or (not tag and not pinned and reference.tag == "latest")


@given(st.text(st.sampled_from("aZ09.:/@-_ \n$") | st.characters(), max_size=30))
def test_any_text_is_normalised_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except UsageError:
        return
    assert Reference.parse(str(reference)) == reference
