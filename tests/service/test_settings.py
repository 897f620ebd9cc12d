"""Settings by flags, environment and default."""

import os
from pathlib import Path

import pytest

from service.settings import SettingError, Settings, cores, corrections_file


def test_defaults_listen_to_this_machine_only() -> None:
    settings = Settings.read({})
    assert (settings.host, settings.port, settings.workers, settings.model) == ("127.0.0.1", 8000, 1, None)
    assert settings.threads == settings.max_queue == max(cores() // 2, 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes can't be kept to some cores here")
def test_cores_that_the_process_may_not_use_do_not_count() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_flags_go_before_environment_and_environment_before_defaults() -> None:
    environment = {"BOILERTAG_PORT": "9000", "BOILERTAG_WORKERS": "2", "BOILERTAG_MODEL": "here", "PATH": "/bin"}
    settings = Settings.read(environment, {"port": 9001, "workers": None, "host": None})
    assert (settings.port, settings.workers, settings.model) == (9001, 2, Path("here"))


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"BOILERTAG_PROT": "1"}, "BOILERTAG_PROT is no setting; did you mean BOILERTAG_PORT?"),
        ({"BOILERTAG_ZEBRA": "1"}, "BOILERTAG_ZEBRA is no setting; there are BOILERTAG_HOST"),
        ({"BOILERTAG_port": "1"}, "BOILERTAG_port is no setting"),
        ({"BOILERTAG_PORT": "tcp://10.0.0.1:80"}, "BOILERTAG_PORT must be a whole number, not 'tcp://10.0.0.1:80'"),
        ({"BOILERTAG_PORT": ""}, "BOILERTAG_PORT is empty"),
        ({"BOILERTAG_PORT": " 80"}, "must be a whole number"),
        ({"BOILERTAG_PORT": "-1"}, "must be a whole number"),
        ({"BOILERTAG_PORT": "٨٠"}, "must be a whole number"),
        ({"BOILERTAG_PORT": "9" * 5_000}, "must be a whole number"),
        ({"BOILERTAG_PORT": "65536"}, "port must be a number from 1 to 65535, not 65536"),
        ({"BOILERTAG_PORT": "0"}, "port must be a number"),
        ({"BOILERTAG_WORKERS": "0"}, "workers must be"),
        ({"BOILERTAG_THREADS": "0"}, "threads must be"),
        ({"BOILERTAG_MAX_BODY_BYTES": "0"}, "max_body_bytes must be"),
        ({"BOILERTAG_HOST": "a b"}, "host must be an address"),
        ({"BOILERTAG_MODEL": ""}, "BOILERTAG_MODEL is empty"),
        ({"BOILERTAG_KEYS": "swordfish"}, "keys must be SHA-256 sums"),
        ({"BOILERTAG_KEYS": "0" * 64 + ","}, "keys must be SHA-256 sums"),
        (
            {"BOILERTAG_MAX_BODY_BYTES": "2000", "BOILERTAG_MAX_BUFFERED_BYTES": "1999"},
            "must be max_body_bytes or more",
        ),
    ],
    ids=str,
)
def test_senseless_values_are_refused_in_one_line(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.read(environment)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1_000
    assert "swordfish" not in str(refused.value)


def test_flags_are_checked_as_well() -> None:
    with pytest.raises(SettingError, match="port must be"):
        Settings.read({}, {"port": 70_000})
    with pytest.raises(SettingError, match="workers must be"):
        Settings(workers=True)
    with pytest.raises(SettingError, match="host must be"):
        Settings(host="")


def test_corrections_are_kept_where_the_user_keeps_data() -> None:
    read = Settings.read
    assert read({}).corrections == Settings().corrections
    assert read({"BOILERTAG_CORRECTIONS": "here.sqlite"}).corrections == Path("here.sqlite")
    assert read({"BOILERTAG_CORRECTIONS": "here.sqlite"}, {"corrections": "off"}).corrections is None


@pytest.mark.parametrize(
    ("environment", "file"),
    [
        ({"XDG_DATA_HOME": "/data"}, "/data/boilertag/corrections.sqlite"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/home/ada"}, "/home/ada/.local/share/boilertag/corrections.sqlite"),
        ({"HOME": "/home/ada"}, "/home/ada/.local/share/boilertag/corrections.sqlite"),
    ],
    ids=str,
)
def test_where_a_user_keeps_data(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], file: str) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert corrections_file() == Path(file)
