"""`conformance new provider`: the folder is right as it is written, whatever it begins as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.loading import Specs, load
from conformance.mutants import run_mutants

# The one that is missing sells no model: it lists them.
LIKE = sorted(name for name in load().providers if name != "bedrock")


def new(folder: Path, *words: str, name: str = "my-vllm") -> int:
    where = ["--base-url", "http://127.0.0.1:8000", "--model", "Qwen/Qwen3-8B", "-o", str(folder)]
    return main(["new", "provider", name, *where, *words])


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each provider to begin as, each with another name; all are loaded at once."""
    folders = {like: tmp_path_factory.mktemp("like") / like for like in LIKE}
    for like, folder in folders.items():
        model = "mistral.mine-1" if like == "bedrock-runtime" else "Qwen/Qwen3-8B"
        assert new(folder, "--like", like, "--model", model, name=f"my-{like}") == 0
    return folders


@pytest.fixture(scope="module")
def specs(begun: dict[str, Path]) -> Specs:
    return load(begun.values())


def test_the_folders_are_clean(begun: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", *map(str, begun.values())]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("like", LIKE)
def test_the_mock_serves_it_and_its_rules_bite(specs: Specs, like: str) -> None:
    outcome = run_mutants(specs, [f"my-{like}/*"])
    assert [finding.text() for finding in outcome.clean_failures] == []
    assert [each.rule.name for each in outcome.survivors] == []
    assert outcome.sound


def test_a_run_of_it_is_conformant(begun: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = begun["openai-compatible"]
    assert main(["run", "--specs", str(folder), "--api", "my-openai-compatible/*"]) == 0
    assert "conformant" in capsys.readouterr().out


def test_what_its_probes_ask_beside_it_is_there_too(tmp_path: Path) -> None:
    new(tmp_path / "mine", "--like", "openai", "--offers", "responses")
    assert "my-vllm/conversations-create" in load([tmp_path / "mine"]).contracts


def test_it_says_where_the_provider_is_and_what_holds_its_key(tmp_path: Path) -> None:
    new(tmp_path / "mine", "--offers", "chat-completions")
    specs = load([tmp_path / "mine"])
    provider = specs.providers["my-vllm"]
    assert provider.said["base_url"] == "http://127.0.0.1:8000"
    assert provider.said["key"]["environment"] == ["MY_VLLM_API_KEY"]
    assert provider.said["model"] == "Qwen/Qwen3-8B"
    assert provider.said["hosts"] == []
    assert {each.id for each in specs.of("my-vllm")} == {
        "my-vllm/chat-completions",
        "my-vllm/chat-completions-stream",
    }


@pytest.mark.parametrize("like", LIKE)
def test_no_key_of_the_provider_it_begins_as_is_sent_to_it(
    begun: dict[str, Path], specs: Specs, like: str
) -> None:
    mine = specs.providers[f"my-{like}"].said
    assert mine["key"]["environment"] == [f"MY_{like.upper().replace('-', '_')}_API_KEY"]
    assert mine["region"] == specs.providers[like].said["region"]


def test_a_host_of_its_own_is_known_by_name(tmp_path: Path) -> None:
    new(tmp_path / "mine", "--base-url", "https://llm.example.com:8443/base")
    assert load([tmp_path / "mine"]).providers["my-vllm"].said["hosts"] == ["llm.example.com"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--like", "nobody"], "--like: expected one of"),
        (["--like", "bedrock"], "--like: expected one of"),
        (["--base-url", "localhost:8000"], "--base-url: expected http(s)://"),
        (["--offers", "smells"], "--offers: expected some of chat-completions"),
        (["--key-env", "MY KEY"], "--key-env: expected the name of a variable, such as MY_KEY, got 'MY KEY'"),
    ],
)
def test_what_cannot_be_is_told(
    tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(tmp_path / "mine", *words) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("name", ["My VLLM", "openai", "-x", ""])
def test_a_name_has_to_be_new_and_plain(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) if name.startswith("-") else _nothing():
        assert new(tmp_path / "mine", name=name) == 2
    assert not (tmp_path / "mine").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert new(tmp_path / "file" / "mine") == 2
    assert f"-o: expected a folder to write to, got {tmp_path / 'file' / 'mine'}" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    assert new(tmp_path) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["kept.txt"]
    assert "empty" in capsys.readouterr().err


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None: ...
