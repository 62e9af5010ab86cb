"""One laboratory a module, with the real core; a module may set PLAN and TRAPS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.errors import MissingError
from tests.lab.lab import Lab
from tests.lab.network import Plan
from tests.lab.ports import Ports
from tests.lab.shell import require_machine
from tests.lab.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.netns)


@pytest.fixture(scope="session")
def machine() -> None:
    """Skip where namespaces cannot be had."""
    try:
        require_machine()
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def network_lab(
    machine: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """The network alone."""
    plan: Plan = getattr(request.module, "PLAN", Plan())
    with Lab(tmp_path_factory.mktemp("lab"), plan) as lab:
        yield lab


@pytest.fixture(scope="module")
def lab(network_lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """With backends and configured directors."""
    network_lab.start_backends()
    network_lab.start_directors(traps=getattr(request.module, "TRAPS", False))
    return network_lab


@pytest.fixture(scope="module")
def stack(lab: Lab) -> Iterator[Stack]:
    """With exporters and the pipeline."""
    stack = Stack(lab, Ports.any(len(lab.plan.directors)))
    try:
        stack.start()
        yield stack
    finally:
        stack.close()
