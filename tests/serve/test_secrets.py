"""Secrets are found where the configuration says, missing ones are named at once, and files are followed."""

import logging
import os
from pathlib import Path

import pytest

from runner.errors import CannotRunError
from runner.model.settings import Provider, SecretRef, Settings
from runner.serve.secrets import MAX_FILE_BYTES, FileSecret, Secrets, find_secrets

OPENAI = {"OPENAI_API_KEY": "sk-1", "OPENAI_WEBHOOK_SECRET": "whsec_1"}


def tool(ref: SecretRef) -> Settings:
    return Settings(secrets={"MAPLE_TOKEN": ref})


def test_the_default_variables_are_all_that_a_default_configuration_needs() -> None:
    found = find_secrets(Settings(), OPENAI)
    assert (found.api_key(), found.webhook_secrets(), dict(found.tools)) == ("sk-1", ("whsec_1",), {})


def test_webhook_secrets_keep_their_order_while_one_rotates() -> None:
    provider = Provider(webhook_secrets=(SecretRef(env="NEW"), SecretRef(env="OLD")))
    found = find_secrets(Settings(provider=provider), {**OPENAI, "NEW": "whsec_2", "OLD": "whsec_1"})
    assert found.webhook_secrets() == ("whsec_2", "whsec_1")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"token", "token"),
        (b"token\n", "token"),
        (b"token\r\n", "token"),
        (b"\ntoken\n\n", "token"),
        (b"\r\n\r\ntoken", "token"),
        (b"\xef\xbb\xbftoken\r\n", "token"),
        (b"\xef\xbb\xbf\r\ntoken", "token"),
        (b" to\nken \n", " to\nken "),
        ("tökén\n".encode(), "tökén"),
        (b"x" * MAX_FILE_BYTES, "x" * MAX_FILE_BYTES),
    ],
)
def test_a_file_is_read_without_line_breaks_and_marks_around_the_secret(
    tmp_path: Path, content: bytes, value: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    assert find_secrets(tool(SecretRef(file=str(file))), OPENAI).tools["MAPLE_TOKEN"] == value


@pytest.mark.parametrize("value", ["sk-1\n", "sk-1\r\n", "\nsk-1", "\ufeffsk-1\n"])
def test_a_variable_is_read_without_line_breaks_and_marks_too(value: str) -> None:
    found = find_secrets(
        Settings(), {"OPENAI_API_KEY": value, "OPENAI_WEBHOOK_SECRET": value.replace("sk", "whsec")}
    )
    assert (found.api_key(), found.webhook_secrets()) == ("sk-1", ("whsec-1",))


def test_a_file_stands_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("near")
    monkeypatch.chdir(tmp_path)
    assert find_secrets(tool(SecretRef(file="token")), OPENAI).tools["MAPLE_TOKEN"] == "near"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", 'file "token" is empty (secrets.MAPLE_TOKEN)'),
        (b"\n", 'file "token" is empty (secrets.MAPLE_TOKEN)'),
        (b"\xef\xbb\xbf\n", 'file "token" is empty (secrets.MAPLE_TOKEN)'),
        (b"\xff\xfe", 'file "token" is not UTF-8 text (secrets.MAPLE_TOKEN)'),
        (
            b"x" * (MAX_FILE_BYTES + 1),
            'file "token" is longer than 65536 bytes (secrets.MAPLE_TOKEN)',
        ),
        (None, 'file "token" cannot be read: no such file or directory (secrets.MAPLE_TOKEN)'),
    ],
)
def test_a_file_that_holds_no_secret_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(CannotRunError) as caught:
        find_secrets(tool(SecretRef(file="token")), OPENAI)
    assert str(caught.value) == complaint


def test_everything_that_is_missing_is_named_at_once() -> None:
    settings = Settings(secrets={"A": SecretRef(env="MAPLE_A"), "B": SecretRef(file="/none/b")})
    with pytest.raises(CannotRunError) as caught:
        find_secrets(settings, {"OPENAI_API_KEY": "\r\n"})
    assert str(caught.value) == (
        'environment variable "OPENAI_API_KEY" is empty (provider.api_key); '
        'environment variable "OPENAI_WEBHOOK_SECRET" is not set (provider.webhook_secrets); '
        'environment variable "MAPLE_A" is not set (secrets.A); '
        'file "/none/b" cannot be read: no such file or directory (secrets.B)'
    )


def test_no_text_of_them_shows_a_value() -> None:
    found = find_secrets(tool(SecretRef(env="TOKEN")), {**OPENAI, "TOKEN": "hidden"})
    assert repr(found) == "FoundSecrets(tools=Secrets(MAPLE_TOKEN))"
    assert str(found.tools) == f"{found.tools}" == "Secrets(MAPLE_TOKEN)"


def test_secrets_are_a_mapping_that_later_changes_do_not_reach() -> None:
    values = {"A": "1", "B": "2"}
    secrets = Secrets.fixed(values)
    values["A"] = "changed"
    assert dict(secrets) == {"A": "1", "B": "2"}
    assert len(secrets) == 2
    assert "C" not in secrets


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a secret in the working directory."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "token"
    file.write_text("first\n")
    return file


def test_a_file_that_changes_is_read_again_for_whoever_asks(token: Path) -> None:
    ref = SecretRef(file="token")
    settings = Settings(provider=Provider(api_key=ref, webhook_secrets=(ref,)), secrets={"MAPLE_TOKEN": ref})
    found = find_secrets(settings, {})
    before = (found.api_key(), found.webhook_secrets(), found.tools["MAPLE_TOKEN"])
    token.write_text("second\n")
    after = (found.api_key(), found.webhook_secrets(), found.tools["MAPLE_TOKEN"])
    assert before == ("first", ("first",), "first")
    assert after == ("second", ("second",), "second")


def test_a_file_that_another_is_put_in_the_place_of_is_read_again(token: Path) -> None:
    """Same size, same time: as Kubernetes does it, and as a clock of few digits makes it look."""
    secret = FileSecret("token")
    other = token.with_name("other")
    other.write_text("third\n")
    times = token.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(token)
    assert secret() == "third"


def test_a_file_that_is_the_same_is_not_read_again(token: Path) -> None:
    secret = FileSecret("token")
    times = token.stat()
    token.write_text("other\n")
    os.utime(token, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert secret() == "first", "the file looks as it did, so that nobody reads it"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, 'file "token" cannot be read: no such file or directory'),
        (b"", 'file "token" is empty'),
        (b"\xff", 'file "token" is not UTF-8 text'),
    ],
)
def test_a_file_that_is_gone_or_spoilt_leaves_the_last_value_and_is_told_once(
    token: Path, caplog: pytest.LogCaptureFixture, content: bytes | None, reason: str
) -> None:
    caplog.set_level(logging.INFO, "runner")
    secret = FileSecret("token")
    token.unlink() if content is None else token.write_bytes(content)
    assert [secret(), secret()] == ["first", "first"]
    token.unlink(missing_ok=True)
    token.write_text("fourth\n")
    assert secret() == "fourth"
    told = [(r.levelname, r.message, getattr(r, "reason", getattr(r, "file", ""))) for r in caplog.records]
    assert told == [
        ("WARNING", "secret keeps its last value", reason),
        ("INFO", "secret was reloaded", "token"),
    ]
