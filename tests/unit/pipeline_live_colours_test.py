"""The colours of the live page can be told apart and read, whatever the eyes and the theme."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.live.routes import STATIC

Vector = npt.NDArray[np.float64]
# Linear RGB as it is seen: Machado, Oliveira, Fernandes 2009, severity 1.
EYES = {
    "all": np.eye(3),
    "protan": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]]
    ),
    "deutan": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
    ),
    "tritan": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}
# Linear RGB to Oklab: Ottosson 2020.
CONES = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.63]])
OKLAB = np.array([[0.2105, 0.7936, -0.0041], [1.978, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])
THEMES = dict(zip(("dark", "light"), re.findall(r":root[^{]*\{(.*?)\n\}", (STATIC / "live.css").read_text(), re.S), strict=True))  # fmt: skip  # noqa: E501


def linear(colour: str) -> Vector:
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(seen: Vector) -> Vector:
    found: Vector = OKLAB @ np.cbrt(CONES @ np.clip(seen, 0, 1))
    return found


def variables(theme: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", THEMES[theme]))


def luminance(colour: str) -> float:
    return float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eyes", EYES)
def test_lines_and_states_differ_for_all_eyes(theme: str, eyes: str) -> None:
    colours = variables(theme)
    lines = [colours[f"s{number}"] for number in range(9)]
    states = [colours[name] for name in ("good", "warn", "bad")]
    for group, least in ((lines, 0.1), (states, 0.06)):
        for one, other in itertools.combinations(group, 2):
            seen = [oklab(EYES[eyes] @ linear(colour)) for colour in (one, other)]
            assert np.linalg.norm(seen[0] - seen[1]) > least, (one, other)


@pytest.mark.parametrize("theme", THEMES)
def test_text_and_lines_stand_out(theme: str) -> None:
    colours = variables(theme)
    for name in ("text", "soft", "good", "warn", "bad"):
        assert contrast(colours[name], colours["panel"]) > 4.5, name
    for name in ("focus", "mark", *(f"s{number}" for number in range(9))):
        assert contrast(colours[name], colours["panel"]) > 3, name


def test_the_heat_goes_one_way_in_lightness() -> None:
    script = (STATIC / "heat.js").read_text()
    ramps = re.findall(r"(busy|drops|packets): \[(.*?)\]", script)
    assert len(ramps) == 6
    for name, text in ramps:
        light = [float(oklab(linear(colour))[0]) for colour in re.findall(r"#\w{6}", text)]
        assert light in (sorted(light), sorted(light, reverse=True)), (name, light)
        assert abs(light[0] - light[-1]) > 0.4
