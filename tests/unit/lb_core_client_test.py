"""The client of the control socket: answers, refusals, and cores that are dead or talk rubbish."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lb.core_client import Control, parse_config, with_weight
from lb.errors import ConfigError, ControlError, Problem
from tests.unit.lb_fake_core import CONFIG, FakeCore, refuse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_apply_and_show(path: Path) -> None:
    with FakeCore(path) as core:
        control = Control(path)
        assert control.apply(CONFIG) == 7
        state = control.show()
        control.stop()
    assert core.requests == [{"op": "apply", "config": CONFIG}, {"op": "show"}, {"op": "stop"}]
    assert state["maglev"][0]["slots"]["b1"] == 126
    assert state["neighbours"][0]["state"] == "resolved"


def test_every_problem_of_a_refusal_arrives(path: Path) -> None:
    problems = [("/generation", "must be above 7"), ("/pools/0/name", "is missing")]
    with FakeCore(path, refuse(*problems)), pytest.raises(ConfigError) as refused:
        Control(path).apply(CONFIG)
    assert refused.value.problems == [Problem(*p) for p in problems]
    assert str(refused.value) == "/generation: must be above 7; /pools/0/name: is missing"


@pytest.mark.parametrize("rubbish", [b"", b"no\n", b"[]\n", b"{}\n", b'{"ok":false}\n', b"\xff\n"])
def test_rubbish_is_an_error(path: Path, rubbish: bytes) -> None:
    with FakeCore(path, lambda _: rubbish), pytest.raises(ControlError, match="not an answer"):
        Control(path).show()


def test_a_refused_show_is_no_configuration_error(path: Path) -> None:
    line = b'{"ok":false,"errors":[{"path":"/op","message":"unknown"}]}\n'
    with FakeCore(path, lambda _: line):
        with pytest.raises(ControlError, match="/op: unknown"):
            Control(path).show()
        with pytest.raises(ControlError, match="/op: unknown"):
            Control(path).stop()


def test_no_core(path: Path) -> None:
    with pytest.raises(ControlError, match="is it running"):
        Control(path).show()
    # As after SIGKILL: the file is there, but nobody listens.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="is it running"):
        Control(path).show()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every socket")
def test_no_permission(path: Path) -> None:
    with FakeCore(path):
        path.chmod(0)
        with pytest.raises(ControlError, match="permission denied"):
            Control(path).show()
        path.chmod(0o600)


def test_a_silent_core_times_out(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(ControlError, match=r"no answer in 0\.05 s"):
            Control(path, timeout_s=0.05).show()


def test_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    short = tmp_path / "s"
    with FakeCore(short):
        short.rename(folder / "control.sock")
        assert Control(folder / "control.sock").show()["generation"] == 7


def test_parse_config_names_the_line() -> None:
    with pytest.raises(ConfigError, match=r"f\.json: line 2, column 3: "):
        parse_config('{"generation":\n7,,}', "f.json")
    with pytest.raises(ConfigError, match="'a' is there twice"):
        parse_config('{"b": {"a": 1, "a": 2}}', "f.json")
    with pytest.raises(ConfigError, match="must be an object"):
        parse_config("[]", "f.json")
    assert parse_config('{"a": {"b": 1}, "c": {"b": 1}}', "f") == {"a": {"b": 1}, "c": {"b": 1}}


def test_with_weight_changes_one_weight_and_the_generation() -> None:
    changed = with_weight(CONFIG, "web", "b2", 5)
    assert changed["generation"] == 8
    assert changed["pools"][0]["backends"][1] == {**CONFIG["pools"][0]["backends"][1], "weight": 5}
    assert "weight" not in CONFIG["pools"][0]["backends"][1]
    changed["generation"] = 7
    del changed["pools"][0]["backends"][1]["weight"]
    assert changed == CONFIG


def test_with_weight_names_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no pool 'dns'; there are: web"):
        with_weight(CONFIG, "dns", "b1", 5)
    with pytest.raises(ConfigError, match=r"/pools/0/backends: there is no backend 'b9'.* b1, b2"):
        with_weight(CONFIG, "web", "b9", 5)
