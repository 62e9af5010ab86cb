"""`popscope lb` against a core that a test plays."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import lb as lb_package
from lb.cli import lb
from lb.run import CoreOptions, command, eal_arguments, lcores
from tests.unit.lb_fake_core import CONFIG, STATE, FakeCore, answer, refuse

README = Path(lb_package.__file__).with_name("README.md")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "core"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lb.json"
    path.write_text(json.dumps(CONFIG))
    return path


def invoke(*args: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(lb, [str(a) for a in args], input=stdin)


def applied(core: FakeCore) -> dict[str, Any]:
    config: dict[str, Any] = core.requests[-1]["config"]
    return config


def test_apply(run_dir: Path, config: Path) -> None:
    with FakeCore(run_dir / "control.sock") as core:
        result = invoke("apply", config, "--run-dir", run_dir)
        assert (result.exit_code, result.stdout) == (0, "generation 7 is in force\n")
        assert applied(core) == CONFIG
        result = invoke("apply", "-", "--run-dir", run_dir, "--json", stdin=config.read_text())
        assert json.loads(result.stdout) == {"ok": True, "generation": 7}
        invoke("apply", config, "--next", "--run-dir", run_dir)
        assert applied(core) == {**CONFIG, "generation": 8}


def test_a_refused_configuration(run_dir: Path, config: Path) -> None:
    problems = [("/generation", "is old"), ("", "is odd")]
    with FakeCore(run_dir / "control.sock", refuse(*problems)):
        result = invoke("apply", config, "--run-dir", run_dir)
        assert result.exit_code == 2
        assert result.stderr == "error: /generation: is old\nerror: (document): is odd\n"
        result = invoke("apply", config, "--run-dir", run_dir, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["errors"][0] == {"path": "/generation", "message": "is old"}


def test_files_that_are_no_configuration(run_dir: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"\xff")
    for file, message in ((bad, "bad.json"), (tmp_path / "none.json", "No such file")):
        result = invoke("apply", file, "--run-dir", run_dir)
        assert result.exit_code == 2
        assert message in result.stderr


def test_no_core(run_dir: Path) -> None:
    result = invoke("show", "--run-dir", run_dir, "--json")
    assert result.exit_code == 1
    assert "is it running" in json.loads(result.stdout)["errors"][0]["message"]
    assert "is it running" in result.stderr


def test_show(run_dir: Path) -> None:
    with FakeCore(run_dir / "control.sock"):
        assert json.loads(invoke("show", "--run-dir", run_dir, "--json").stdout) == STATE
        text = invoke("show", "--run-dir", run_dir).stdout
    for what in ("generation 7", "198.51.100.1:80", "50.20%", "02:00:00:00:00:01", "feed"):
        assert what in text
    assert "Routes" not in text
    pools = [{**CONFIG["pools"][0], "mode": "gue"}]
    routes = [{"prefix": "10.9.0.0/16", "via": "10.77.1.1"}]
    line = json.dumps({**STATE, "config": {**CONFIG, "pools": pools, "routes": routes}}) + "\n"
    far = run_dir.with_name("far")
    with FakeCore(far / "control.sock", lambda _: line.encode()):
        text = invoke("show", "--run-dir", far).stdout
    for what in ("gue", "Routes", "10.9.0.0/16", "10.77.1.1"):
        assert what in text


def test_show_without_a_configuration(run_dir: Path) -> None:
    line = json.dumps({**STATE, "config": None, "maglev": [], "generation": 0}).encode() + b"\n"
    with FakeCore(run_dir / "control.sock", lambda _: line):
        assert "No configuration" in invoke("show", "--run-dir", run_dir).stdout
        result = invoke("drain", "web", "b1", "--run-dir", run_dir)
    assert result.exit_code == 1
    assert "no configuration yet" in result.stderr


def test_drain_and_weight(run_dir: Path) -> None:
    with FakeCore(run_dir / "control.sock") as core:
        result = invoke("drain", "web", "b1", "--run-dir", run_dir)
        assert "drains as of generation 8" in result.stdout
        assert applied(core)["pools"][0]["backends"][0]["weight"] == 0
        result = invoke("weight", "web", "b1", "30", "--run-dir", run_dir, "--json")
        assert json.loads(result.stdout) == {"ok": True, "generation": 8}
        assert applied(core)["pools"][0]["backends"][0]["weight"] == 30
        result = invoke("drain", "web", "b9", "--run-dir", run_dir)
    assert result.exit_code == 2
    assert "there are: b1, b2" in result.stderr


def test_stop(run_dir: Path) -> None:
    with FakeCore(run_dir / "control.sock") as core:
        assert invoke("stop", "--run-dir", run_dir).exit_code == 0
    assert core.requests == [{"op": "stop"}]
    assert answer({"op": "stop"}).endswith(b"\n")


def test_the_core_is_found_by_its_instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lb.cli.RUN_ROOT", tmp_path)
    with FakeCore(tmp_path / "d1" / "control.sock"):
        assert invoke("show", "--instance", "d1", "--json").exit_code == 0


def test_check(config: Path) -> None:
    result = invoke("check", config)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "generation 7, pools: 1, backends: 2" in result.stdout
    result = invoke("check", config, "--generation", "7", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["errors"][0]["path"] == "/generation"
    wrong = json.dumps(CONFIG).replace('"port": 0', '"port": 3').replace('"web-80"', '"a b"')
    config.write_text(wrong)
    result = invoke("check", config, "--ports", "2")
    assert result.exit_code == 2
    assert "error: /addresses/0/port: " in result.stderr
    assert "error: /listeners/0/name: " in result.stderr


def test_run_prints_its_command(config: Path, tmp_path: Path) -> None:
    result = invoke(
        *("run", "--instance", "d1", "--run-dir", tmp_path, "--config", config),
        *("--iface", "d0", "--vdev", "net_null0", "--workers", "2", "--lcores", "0@0,1@1,2@1"),
        *("--hugepages", "off", "--max-connections", "99", "--eal", "--no-telemetry"),
        *("--print", "--json"),
    )
    argv = json.loads(result.stdout)
    assert argv[0].endswith("popscope-core")
    assert argv[1 : argv.index("--")] == [
        *("--instance", "d1", "--run-dir", str(tmp_path), "--config", str(config)),
        *("--max-connections", "99"),
    ]
    eal = argv[argv.index("--") + 1 :]
    assert eal[:2] == [
        "--no-pci",
        "--vdev=net_af_packet0,iface=d0,qpairs=2,blocksz=65536,framesz=2048,framecnt=4096",
    ]
    assert "--vdev=net_null0" in eal
    assert eal[eal.index("--lcores") + 1] == "0@0,1@1,2@1"
    assert "--no-huge" in eal
    assert "--in-memory" not in eal
    assert eal[-1] == "--no-telemetry"


def test_run_refuses(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    assert "needs a port" in invoke("run").stderr
    assert invoke("run", "--vdev", "net_null0", "--instance", "../x").exit_code == 2
    result = invoke("run", "--iface", "no-such-iface")
    assert result.exit_code == 1
    assert "no such interface" in result.stderr
    config.write_text("{}")
    result = invoke("run", "--vdev", "net_null0", "--config", config)
    assert result.exit_code == 2
    assert "/generation: is missing" in result.stderr
    monkeypatch.setattr("lb.run.free_hugepages", lambda: 0)
    result = invoke("run", "--vdev", "net_null0", "--hugepages", "on")
    assert "none is free" in result.stderr
    monkeypatch.setattr("lb.run.may_open_ports", lambda: False)
    assert "CAP_NET_RAW" in invoke("run", "--iface", "lo").stderr
    monkeypatch.setenv("POPSCOPE_CORE_BUILD", "/nonexistent")
    monkeypatch.setenv("PATH", "/nonexistent")
    result = invoke("run", "--vdev", "net_null0")
    assert result.exit_code == 1
    assert "make core" in result.stderr


def test_lcores_share_cpus_only_when_they_must() -> None:
    assert lcores(1, [0, 1]) == "0@0,1@1"
    assert lcores(2, [4, 6, 8, 9]) == "0@4,1@6,2@8"
    assert lcores(2, [0, 1]) == "(0-2)@(0,1)"


def test_hugepages_are_used_when_enough_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    options = CoreOptions(vdevs=("net_null0",))
    for free, argument in ((64, "--in-memory"), (63, "--no-huge")):
        monkeypatch.setattr("lb.run.free_hugepages", lambda free=free: free)
        assert argument in eal_arguments(options)
    assert "--allow=0000:3b:00.0" in eal_arguments(CoreOptions(pci=("0000:3b:00.0",)))
    assert "/run/popscope/lb" in command(options)


@pytest.mark.parametrize(
    "name",
    [
        "run",
        "apply",
        "show",
        "stop",
        "check",
        "drain",
        "weight",
        "maglev",
        "drops",
        "trace",
        "top-talkers",
    ],
)
def test_every_command_explains_itself(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert "popscope lb" in result.stdout or name in ("stop",)


def test_the_reference_in_the_readme_is_valid_and_complete(tmp_path: Path) -> None:
    text = README.read_text()
    example = tmp_path / "example.json"
    example.write_text(text.split("```json\n")[1].split("```")[0])
    assert invoke("check", example).exit_code == 0
    for key in _keys(json.loads(example.read_text())):
        assert re.search(rf"^\| `([a-z_.\[\]]+\.)?{key}` \|", text, re.MULTILINE) or (
            f"| `{key}." in text
        ), f"{key} is not described"


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys(member) for member in value.values()))
    return set().union(*(_keys(element) for element in value)) if isinstance(value, list) else set()
