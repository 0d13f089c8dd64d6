"""The backend's TOML file: what is taken, and the one line that says why it is not."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from backend import config as configuration
from backend.config import BrokerConfig, Config
from backend.dispatch.day.model import Kind
from backend.errors import BadInput

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "backend.example.toml"
SMALLEST = '[database]\nurl = "postgresql://jiahu@127.0.0.1/jiahu"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backend.toml"


def test_the_smallest_file_is_one_address(path: Path) -> None:
    path.write_text(SMALLEST)
    config = configuration.read(path)
    assert config.database.url == "postgresql://jiahu@127.0.0.1/jiahu"
    assert config.broker == BrokerConfig()


def test_the_example_that_is_shipped_can_be_read() -> None:
    assert configuration.read(EXAMPLE).broker.username == "backend"


def test_half_days_and_prices_can_be_set_and_have_an_order(path: Path) -> None:
    path.write_text(SMALLEST + "[plan]\nmorning = [07:30:00, 11:30:00]\nnot_own_min = 20\n")
    plan = configuration.read(path).plan
    assert plan.halves() == {"morning": (450.0, 690.0), "afternoon": (810.0, 1050.0)}
    assert plan.not_own_min == 20
    path.write_text(SMALLEST + "[plan]\nmorning = [07:30:00, 14:00:00]\n")
    with pytest.raises(BadInput, match="before the afternoon begins"):
        configuration.read(path)


def test_each_kind_of_due_visit_has_a_length_that_can_be_set(path: Path) -> None:
    path.write_text(SMALLEST + "[plan.lasts_min]\nelder_checkup = 60\n")
    plan = configuration.read(path).plan
    assert {kind: plan.lasts(kind) for kind in Kind} == {
        "elder_checkup": 60, "hypertension_followup": 20, "diabetes_followup": 20, "home_bed_round": 30, "two_week_check": 20, "other": 20,
    }  # fmt: skip


def test_an_effective_configuration_cannot_be_changed(path: Path) -> None:
    path.write_text(SMALLEST)
    with pytest.raises(ValidationError):
        configuration.read(path).database.url = "postgresql://elsewhere"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "database: field required"),
        ("[database]", "database.url: field required"),
        ('[database]\nurl = "mysql://host/jiahu"', "database.url: string should match pattern '^postgres(ql)?://'"),
        (SMALLEST + "[worker]\nretry_sec = 60", "worker.retry_sec: unknown key, remove it or correct its spelling"),
        (SMALLEST + "[workers]\nretry_s = 60", "workers: unknown key, remove it or correct its spelling"),
        (SMALLEST + "[plan.lasts_min]\nother = 4", "plan.lasts_min.other: input should be greater than or equal to 5"),
        (SMALLEST + "[plan.lasts_min]\nrounds = 30", "plan.lasts_min.rounds: unknown key, remove it or correct its spelling"),
        (SMALLEST + "[broker]\nport = 70000", "broker.port: input should be less than or equal to 65535"),
        (SMALLEST + '[broker]\nport = "one"', "broker.port: input should be a valid integer, unable to parse string as an integer"),
        (SMALLEST + '[broker]\nprotocol = "4"', "broker.protocol: input should be '5' or '3.1.1'"),
        (SMALLEST + '[broker]\nca_file = "/nowhere/ca.pem"', "broker.ca_file: path does not point to a file"),
        (SMALLEST + "[ingest]\nlast_shard = 64", "ingest.last_shard: input should be less than 64"),
        (SMALLEST + "[ingest]\nfirst_shard = 9\nlast_shard = 8", "ingest: first_shard must not be above last_shard"),
        (
            SMALLEST + "[worker]\noffer_tick_s = 0\nretry_s = -1",
            "worker.offer_tick_s: input should be greater than 0; worker.retry_s: input should",
        ),
        (SMALLEST + '[broker]\npassword = "secret"', "broker.password: unknown key, remove it or correct its spelling"),
        ("[database", "is not TOML: Expected ']'"),
        ("\xff", "is not TOML: "),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line_with_the_key(path: Path, text: str, says: str) -> None:
    path.write_text(text, "latin-1")
    with pytest.raises(BadInput) as refusal:
        configuration.read(path)
    line = str(refusal.value)
    assert str(path) in line and says in line and "\n" not in line


@pytest.mark.parametrize(("name", "why"), [("nowhere.toml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_opened_is_refused_with_what_to_give(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(BadInput, match=rf"cannot read .*: {why}\. Give the path of a backend TOML file"):
        configuration.read(tmp_path / name)


def test_secrets_come_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(configuration.BROKER_PASSWORD, "")
    assert configuration.secret(configuration.BROKER_PASSWORD) is None
    monkeypatch.setenv(configuration.BROKER_PASSWORD, "secret")
    assert configuration.secret(configuration.BROKER_PASSWORD) == "secret"
    assert "password" not in str(Config.model_json_schema()["$defs"]["BrokerConfig"]["properties"].keys())
