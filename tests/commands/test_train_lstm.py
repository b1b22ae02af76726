"""`train-lstm`: the same values as on the page, and what it writes."""

import datetime
import json

import numpy as np
import pytest

import cli
from commands import _training
from tests.fakes.wall import Wall
from workers import quotes
from workers.jobs import Job
from xai_core import params
from xai_core.training import lstm_learner, prices
from xai_core.training.lstm import LstmSettings


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(Wall, "folder", spool)
    monkeypatch.setattr(_training, "Wall", Wall)


def called(capsys, *words):
    status = cli.main(["train-lstm", *map(str, words)])
    out = capsys.readouterr()
    return status, json.loads(out.out) if out.out else {}, out.err


def test_it_writes_the_recording_the_curves_and_the_model(capsys, tmp_path):
    out = tmp_path / "out"
    status, said, _ = called(
        capsys, "--data", "sine", "--epochs", 3, "--hidden-size", 4, "--window=8", "--out", out
    )
    assert status == 0
    own = LstmSettings(epochs=3, hidden_size=4, window=8)
    made = lstm_learner.train(own, prices.sine())
    assert said["compared"]["model"] == pytest.approx(made.compared().model)
    assert said["settings"]["window"] == 8
    assert said["epochs"] == 3
    assert (out / "curves.csv").read_text() == made.csv()
    assert (out / "forecasts.csv").read_text() == made.forecasts_csv()
    with np.load(out / "recording.npz", allow_pickle=False) as file:
        assert file["layer 1 forget"].shape == (3, len(made.windows.ends), 4)
    assert (out / "model.pt").read_bytes()[:2] == b"PK"
    assert json.loads((out / "training.json").read_text())["sentences"] == said["sentences"]


def test_every_value_of_the_form_has_a_flag(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train-lstm", "--help"])
    shown = capsys.readouterr().out
    for param in params.declared(LstmSettings).values():
        assert param.flag in shown


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("--window", "500"), 2, "--window must be from 2 to 120 days, got '500'"),
        (("--ticker", "APPL"), 2, "the nearest of the 20 built-in tickers is AAPL (Apple)"),
        (("--ticker", "APPL"), 2, "With --fetch Yahoo Finance is asked for it."),
        (("--ticker", "SHOP", "--fetch"), 3, "pip install yfinance"),
        (("--start", "2023-02-01"), 2, "is after the end, 1 January 2023"),
        (("--csv", "none.csv"), 3, "--csv cannot be read from 'none.csv'"),
    ],
)
def test_a_bad_call_is_said_in_one_line_and_writes_nothing(
    capsys, tmp_path, words, status, sentence
):
    out = tmp_path / "out"
    found, said, error = called(capsys, *words, "--out", out)
    assert (found, said) == (status, {})
    assert error.startswith("error: ")
    assert sentence in error
    assert not out.exists()


def test_another_ticker_is_fetched_where_the_package_is_there(capsys, tmp_path, monkeypatch):
    first = datetime.date(2022, 1, 3)
    lines = [f"{first + datetime.timedelta(days=at)},{100 + at % 7}" for at in range(90)]
    asked = []

    def fetch(*words):
        asked.append(words)
        job = Job(lambda job: "\n".join(lines).encode())
        job.run()
        return job

    monkeypatch.setattr(quotes, "available", lambda: True)
    monkeypatch.setattr(quotes, "fetch", fetch)
    words = ("--ticker", "shop", "--fetch", "--end", "2022-04-30", "--epochs", 2, "--window", 8)
    status, said, _ = called(capsys, *words, "--hidden-size", 3, "--out", tmp_path / "out")
    assert (status, said["data"]["name"], said["data"]["values"]) == (0, "SHOP", 90)
    assert asked == [("SHOP", "2022-01-01", "2022-04-30")]


def test_a_file_of_one_s_own_is_read(capsys, tmp_path):
    path = tmp_path / "mine.csv"
    series = prices.sine(steps=90)
    lines = [f"{np.datetime64(19000 + at, 'D')},{value}" for at, value in enumerate(series.values)]
    path.write_text("\n".join(lines))
    words = ("--epochs", 2, "--hidden-size", 3, "--window", 8, "--out", tmp_path / "out")
    status, said, _ = called(capsys, "--csv", path, *words)
    assert (status, said["data"]["name"], said["data"]["values"]) == (0, "mine.csv", 90)
    path.write_text("date,value\n01/02/2022,1\n03/04/2022,2")
    status, _, error = called(capsys, "--csv", path, *words)
    assert status == 3
    assert "Say which (--dates)" in error
