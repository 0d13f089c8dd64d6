"""Scenarios are read strictly, and the shipped ones are playable."""

from pathlib import Path

import pytest

from simulators.scenario import SCENARIOS, Fall, Network, ScenarioError, SignEpisode, Sos, find_scenario, load_scenario

SMALL = """
title = "one home"
clock = "03:11:52"
[[homes]]
name = "home-01"
seed = 1
[[steps]]
at_s = 2
home = "home-01"
action = { do = "fall" }
[[alerts]]
home = "home-01"
about = "fall"
by_s = 20
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "story.toml"
    file.write_text(text, "utf-8")
    return file


def test_a_scenario_is_read(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, SMALL))
    assert scenario.homes[0].wearable == "python"
    assert scenario.steps[0].action == Fall()
    assert scenario.starts_s == 3 * 3600 + 11 * 60 + 52


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seed = 1", "sed = 1", "homes.0.sed: no such key (and 2 more)"),
        ("at_s = 2", "at_s = 2\nroom = 1", "steps.0.room: no such key"),
        ("at_s = 2", "at_s = -2", "steps.0.at_s: Input should be greater than or equal to 0"),
        ('do = "fall"', 'do = "fly"', "steps.0.action: Input tag 'fly' found using 'do' does not match any of the expected tags"),
        ('do = "fall"', 'do = "fall", hard = true', "steps.0.action.fall.hard: no such key"),
        ('home = "home-01"\naction', 'home = "home-02"\naction', "no home is called home-02"),
        ("seed = 1", 'seed = 1\n[[homes]]\nname = "home-01"\nseed = 2', "two homes have the same name"),
        ('about = "fall"', 'about = "flood"', "alerts.0.about"),
        ('clock = "03:11:52"', 'clock = "3:11"', "clock: String should match pattern"),
        ("[[alerts]]", '[[steps]]\nat_s = 1\nhome = "home-01"\naction = { do = "sos" }\n[[alerts]]', "steps must be in order of at_s"),
        ('title = "one home"', "title = ", "not TOML"),
    ],
)
def test_a_bad_scenario_is_refused_with_one_line_that_names_the_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in SMALL
    with pytest.raises(ScenarioError) as refused:
        load_scenario(written(tmp_path, SMALL.replace(old, new)))
    assert told in str(refused.value)
    assert "story.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_absent_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        load_scenario(tmp_path / "absent.toml")


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.toml")), ids=lambda file: file.stem)
def test_every_shipped_scenario_can_be_read_and_found_by_its_name(file: Path) -> None:
    assert load_scenario(find_scenario(file.stem)).homes


def test_the_demo_street_is_as_the_demo_needs_it() -> None:
    street = load_scenario(find_scenario("demo_street"))
    assert len(street.homes) == 12
    assert sum(home.wearable == "firmware" for home in street.homes) == 3
    assert sum(home.has_oximeter for home in street.homes) >= 2
    assert any(home.has_bed_mat for home in street.homes)
    by_time = {(step.at_s, step.home): step.action for step in street.steps}
    assert by_time[4, "home-07"] == Network(do="network_cut")
    assert by_time[34, "home-07"] == Network(do="network_restore")
    assert by_time[6, "home-05"] == SignEpisode(sign="spo2", target=86, ramp_s=15, hold_s=30, recover_s=10)
    assert by_time[8, "home-03"] == Fall()
    assert by_time[150, "home-09"] == Sos()
    assert {alert.home for alert in street.alerts} == {"home-03", "home-05", "home-09"}
