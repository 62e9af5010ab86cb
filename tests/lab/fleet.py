"""A fleet in the laboratory: the controller, an agent a director, BGP to the router.

The controller is at the router's LAN address. Each director gets a kernel device on the LAN, for
its agent: checks, the way to the controller, and BGP. The router uses all equally good paths.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.lab.errors import MissingError
from tests.lab.lab import Lab
from tests.lab.network import PORT
from tests.lab.process import Process, wait_until
from tests.lab.shell import ip_batch, run

DEVICE = "chk"
POPSCOPE = (sys.executable, "-c", "from popscope import main; main()")
API_PORT = 8081
ROUTER_ASN, FLEET_ASN = 65000, 65001
PATHS = "/usr/sbin:/usr/local/sbin:/usr/bin"


class Fleet:
    """On a laboratory whose cores run, unconfigured. Raises MissingError without BIRD."""

    def __init__(self, lab: Lab) -> None:
        if shutil.which("bird", path=PATHS) is None:
            raise MissingError("bird is not installed (Debian package bird2)")
        self.lab = lab
        self.plan = lab.plan
        self.folder = lab.work / "fleet"
        self.folder.mkdir()
        self.agents: dict[str, Process] = {}
        self._router = lab.network.namespace("router")
        self._at = f"{self.plan.family.router_lan}:{API_PORT}"
        self._environment = {
            **lab.registry.environment,
            "POPSCOPE_CONTROLLER_DATABASE": f"sqlite:///{self.folder}/controller.db",
            "POPSCOPE_CONTROLLER_LISTEN": self._at,
        }
        self.controller = self._process(
            "controller", (*POPSCOPE, "lb", "controller", "run"), "router", self._environment
        )

    def address(self, director: str) -> str:
        """Of the kernel's device of a director."""
        return f"{self.plan.family.lan}{31 + self.plan.directors.index(director)}"

    def start(self) -> None:
        """Everything, until the router spreads over all directors."""
        self._link()
        self._start_router()
        self._operator = self.token("ann", "--role", "operator")
        self.start_controller()
        self.ask("POST", "apply", {"resources": self._resources()})
        for director in self.plan.directors:
            self.start_agent(director)
        self.wait_routed(*self.plan.directors)

    def token(self, *words: str) -> str:
        """A token of the controller."""
        shown = [f"{k}={v}" for k, v in self._environment.items()]
        return run(["env", *shown, *POPSCOPE, "lb", "controller", "token", *words]).strip()

    def start_controller(self) -> None:
        """Start it, and wait until it serves."""
        self.controller.start()
        self.controller.wait_ready("controller: serving")

    def start_agent(self, director: str) -> None:
        """Start a director's agent. It keeps its state over restarts."""
        state = self.folder / director
        state.mkdir(exist_ok=True)
        token = state / "token"
        if not token.exists():
            token.write_text(self.token(director, "--role", "node", "--node", director))
        run_dir = self.lab.directors[director].run_dir
        settings = {
            "NODE": director,
            "CONTROLLER": f"http://{self._at}",
            "TOKEN_FILE": token,
            "STATE_DIRECTORY": state,
            "RUN_ROOT": run_dir.parent,
            "INSTANCE": run_dir.name,
            "CHECK_DEVICE": DEVICE,
            "CHECK_IPV6": False,
            "LEAVE_S": 1,
        }
        environment = {f"POPSCOPE_AGENT_{key}": str(value) for key, value in settings.items()}
        argv = (*POPSCOPE, "lb", "agent", "run")
        agent = self._process(f"agent-{director}", argv, director, environment)
        self.agents[director] = agent
        agent.start()

    def agent(self, director: str, *words: str) -> Any:
        """A command of an agent, and its JSON."""
        run_dir = str(self.lab.directors[director].run_dir)
        return json.loads(run([*POPSCOPE, "lb", "agent", *words, "--run-dir", run_dir, "--json"]))

    def check(self, director: str, *levels: str) -> list[dict[str, Any]]:
        """The checks of a director's agent, which must find no error."""
        run_dir = str(self.lab.directors[director].run_dir)
        words = [word for level in levels for word in ("--level", level)]
        argv = [*POPSCOPE, "lb", "check", *words, "--run-dir", run_dir, "--json"]
        found: list[dict[str, Any]] = json.loads(run(argv))["checks"]
        return found

    def metrics(self, director: str) -> str:
        """What a director's agent says to Prometheus."""
        namespace = self.lab.network.namespace(director)
        return run(["curl", "-sSf", "http://127.0.0.1:9110/metrics"], namespace=namespace)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the controller. Raises CommandError when it refuses."""
        argv = ["curl", "-sS", "--fail-with-body", "-X", method, f"http://{self._at}/v1/{path}"]
        argv += ["-H", f"Authorization: Bearer {self._operator}", "-d", "@-"]
        return json.loads(run(argv, stdin=json.dumps(body), namespace=self._router))

    def routed(self) -> set[str]:
        """The directors that the router spreads the VIP's packets over."""
        vip = self.plan.family.vip
        routes = run(["ip", "route", "show", vip], namespace=self._router)
        return {d for d in self.plan.directors if f"via {self.plan.address(d)} " in routes}

    def wait_routed(self, *directors: str, timeout_s: float = 40) -> None:
        """Wait until the router spreads over these and no others."""
        wanted = set(directors)
        wait_until(lambda: self.routed() == wanted, timeout_s, f"routes to {wanted or 'nobody'}")

    def weights(self, director: str) -> dict[str, int]:
        """The weights in force on a director's core."""
        config = self.lab.directors[director].control.show()["config"]
        pools = config["pools"] if config else []
        return {b["name"]: b["weight"] for pool in pools for b in pool["backends"]}

    def kill_core(self, director: str) -> None:
        """SIGKILL to a director's core."""
        self.lab.directors[director].process.signal(signal.SIGKILL)
        self.lab.directors[director].process.wait(5)

    def wait_weights(self, director: str, **weights: int) -> None:
        """Wait until these weights are in force on a director's core."""
        self.wait(lambda: self.weights(director) == weights, f"{weights} on {director}")

    def wait(self, true: Callable[[], bool], what: str) -> None:
        """Wait for a condition."""
        wait_until(true, 40, what)

    def _process(
        self, name: str, argv: tuple[str, ...], host: str, environment: Mapping[str, str]
    ) -> Process:
        namespace = self.lab.network.namespace(host)
        whole = {**self.lab.registry.environment, **environment}
        return self.lab.own(Process(name, argv, self.lab.log(name), namespace, environment=whole))

    def _link(self) -> None:
        ns, switch = self.lab.network.namespace, self.lab.network.namespace("switch")
        for director in self.plan.directors:
            far = f"{director}{DEVICE}"
            here = f"link add name {DEVICE} netns {ns(director)} type veth"
            ip_batch([f"{here} peer name {far} netns {switch}"])
            ip_batch([f"link set {far} master lan", f"link set {far} up"], switch)
            address = f"{self.address(director)}/{self.plan.family.bits}"
            ip_batch([f"address add {address} dev {DEVICE}", f"link set {DEVICE} up"], ns(director))

    def _start_router(self) -> None:
        lan = self.plan.family.router_lan
        lines = [
            f"log stderr all; router id {lan}; protocol device {{ }}",
            "protocol kernel { merge paths on; ipv4 { import none; export all; }; }",
        ]
        lines += [
            f"protocol bgp {d} {{ local {lan} as {ROUTER_ASN}; "
            f"neighbor {self.address(d)} as {FLEET_ASN}; direct; hold time 9; "
            "connect delay time 1; connect retry time 1; error wait time 1,2; "
            "ipv4 { import all; export none; }; }"
            for d in self.plan.directors
        ]
        config = self.folder / "router.conf"
        config.write_text("\n".join(lines) + "\n")
        bird = shutil.which("bird", path=PATHS) or "bird"
        argv = (bird, "-f", "-c", str(config), "-s", str(self.folder / "router.ctl"))
        self._process("router", argv, "router", {}).start()

    def _resources(self) -> list[dict[str, Any]]:
        checker = {
            "probe": {"kind": "http"},
            "interval_s": 1,
            "timeout_s": 0.5,
            "rise": 1,
            "fall": 2,
            "dampening": None,
        }
        made: dict[str, dict[str, Any]] = {
            "pop/lab": {},
            "vlan/lan": {"pop": "lab"},
            "vip/web": {"address": self.plan.family.vip},
            "checker/web": checker,
            "pool/web": {"checker": "web", "floor": 0},
            "instance/web": {"pops": ["lab"]},
            "listener/web-80": {
                "instance": "web",
                "vip": "web",
                "port": PORT,
                "protocol": "tcp",
                "pool": "web",
            },
        }
        made |= {f"node/{d}": self._node(d) for d in self.plan.directors}
        made |= {
            f"member/{b}": {"pool": "web", "address": self.plan.address(b)}
            for b in self.plan.backends
        }
        split = ((*key.split("/"), spec) for key, spec in made.items())
        return [{"kind": kind, "name": name, "spec": spec} for kind, name, spec in split]

    def _node(self, director: str) -> dict[str, Any]:
        own = self.plan.address(director)
        return {
            "pop": "lab",
            "addresses": [{"vlan": "lan", "address": f"{own}/{self.plan.family.bits}"}],
            "bgp": {
                "asn": FLEET_ASN,
                "router_id": self.address(director),
                "source": self.address(director),
                "next_hop": own,
                "neighbors": [{"address": self.plan.family.router_lan, "asn": ROUTER_ASN}],
            },
        }


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    """An agent's events of a kind."""
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["kind"] == kind]
