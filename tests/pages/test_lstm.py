"""The page on the LSTM: it opens on a recording, says what is wrong beside it, trains, explores."""

import base64
import datetime
import html

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle
from tests.pages.test_offering import desk, parts, words
from ui import lstm_form, lstm_own, lstm_page, lstm_quotes, state, trainings
from workers import quotes
from workers.jobs import Job
from xai_core.errors import LoadError
from xai_core.training import lstm_learner, prices
from xai_core.training.course import Turn
from xai_core.training.lstm import LEARNING_RATE, LstmRecording
from xai_core.training.price_file import read


@pytest.fixture
def app(wall, monkeypatch):
    """Return the page, drawn once."""
    monkeypatch.setattr(state, "key", lambda: "one browser")
    made = AppTest.from_file(str(ROOT / "pages" / "lstm.py"), default_timeout=PATIENCE)
    made.run()
    assert not made.exception
    return made


def said(app):
    return html.unescape(words(app))


def control(app, kind, name):
    return getattr(app, kind)(key=lstm_form.key(name))


def submit(app):
    app.button(key="lstm-submit").click().run()
    assert not app.exception


def held(app):
    return trainings.of(desk(app), lstm_page.NAME)


def trained(app):
    before = len(held(app).runs)
    submit(app)
    settle(app, lambda app: len(held(app).runs) > before)
    app.run()
    return held(app).shown[0].recording


def small(app):
    for name, value in (("hidden_size", 4), ("epochs", 3), ("window", 8)):
        control(app, "number_input", name).set_value(value)
    app.run()


def test_it_opens_on_a_recording_that_says_so(app):
    assert app.title[0].value == lstm_page.TITLE
    text = said(app)
    assert "Recording: AAPL, 249 trading days from 3 January 2022 to 28 December 2022" in text
    assert "for examples only as its authors say" in text
    assert "the naive forecast (the last value again)" in text
    assert "95\u00a0% interval" in text
    assert "Half of the 32 units remember for less than" in text


def test_the_reader_s_own_fields_come_first(app):
    assert control(app, "selectbox", "ticker").value == "AAPL"
    assert control(app, "date_input", "start").value == datetime.date(2022, 1, 1)
    assert control(app, "date_input", "end").value == datetime.date(2023, 1, 1)
    shown = [each.label for each in app.number_input][:4]
    assert shown == ["Batch size", "Hidden layer size", "Learning rate", "Epochs"]
    assert not app.button(key="lstm-submit").disabled


def test_it_trains_and_what_was_trained_is_asked(app):
    small(app)
    made = trained(app)
    assert isinstance(made, LstmRecording)
    assert len(made) == 3
    text = said(app)
    assert "Trained here, Run 1: AAPL, 249 trading days" in text
    assert "1 layer of 4 units, window 8" in text
    assert made.compared().words in text
    # a gate that is turned moves memory and forecast
    (shown,) = parts(app, "gates")
    assert (len(shown["epochs"]), len(shown["units"]), shown["turned"]) == (3, 4, None)
    assert len(shown["days"]) == len(shown["prices"]) == len(made.windows.ends)
    slider = next(each for each in app.slider if each.label == "Multiply the forget gate by")
    slider.set_value(0.0).run()
    assert "in the place of" in said(app)
    assert parts(app, "gates")[0]["turned"]
    assert not app.exception
    app.selectbox(key="lstm-what").set_value("cell").run()
    assert not app.exception


def test_it_goes_back_and_takes_another_way(app):
    small(app)
    first = trained(app)
    rate = next(each for each in app.number_input if each.label == "Learning rate from there")
    rate.set_value(0.1).run()
    app.button(key="lstm-rewind").click().run()
    assert not app.exception
    settle(app, lambda app: len(held(app).shown) == 2)
    app.run()
    second = held(app).shown[1].recording
    assert (second.first, len(second)) == (0, 3)
    # the same up to where it left, and another from there
    assert (first.forecast[0] == second.forecast[0]).all()
    assert (first.forecast[2] != second.forecast[2]).any()
    assert "From epoch 1 on with a learning rate of 0.1." in said(app)
    # both stand side by side, step together, and mean the same by a colour and a height
    left, right = parts(app, "gates")
    assert left["pair"] == right["pair"] != ""
    assert (left["second"], right["second"]) == (False, True)
    assert left["within"] == right["within"]
    assert left["units"] == right["units"]
    looks = [lstm_page.look_of(run) for run in held(app).shown]
    assert left["within"][1] == max(max(look.span()) for look in looks)
    app.selectbox(key="lstm-what").set_value("cell").run()
    left, right = parts(app, "gates")
    assert left["top"] == right["top"] == max(look.map(0, "cell", "as is").top for look in looks)
    assert "one colour is one value in both" in said(app)


def test_a_branch_of_a_branch_keeps_the_way_that_it_came(app):
    for name, value in (("hidden_size", 4), ("epochs", 5), ("window", 8)):
        control(app, "number_input", name).set_value(value)
    trained(app)
    for after, rate in ((1, 0.1), (3, 0.0001)):
        field = next(each for each in app.number_input if each.label == "Learning rate from there")
        field.set_value(rate).run()
        next(each for each in app.slider if each.label == "After epoch").set_value(after).run()
        app.button(key="lstm-rewind").click().run()
        settle(app, lambda app: len(held(app).shown) == 2)
        held(app).show(held(app).shown[1])
        app.run()
        assert not app.exception
    made = held(app).shown[0].recording
    turns = [Turn(1, {LEARNING_RATE: 0.1}), Turn(3, {LEARNING_RATE: 0.0001})]
    again = lstm_learner.train(made.settings, made.series, turns=turns)
    assert (made.weights == again.weights).all()
    assert len(made) == 5


@pytest.mark.parametrize(
    ("kind", "name", "value", "sentence"),
    [
        ("date_input", "start", datetime.date(2023, 6, 1), "is after the end, 1 January 2023"),
        (
            "date_input",
            "end",
            datetime.date(2022, 1, 20),
            "need at least 31 values, and AAPL has 13",
        ),
    ],
)
def test_a_mistake_is_said_in_one_sentence_and_nothing_is_lost(app, kind, name, value, sentence):
    control(app, kind, name).set_value(value).run()
    assert not app.exception
    assert sentence in said(app)
    assert app.button(key="lstm-submit").disabled
    assert "Recording: AAPL" in said(app)


def test_dates_outside_the_data_and_calendars_without_dates_are_refused(app):
    control(app, "date_input", "end").set_value(datetime.date(2025, 1, 1))
    control(app, "date_input", "start").set_value(datetime.date(2024, 1, 1)).run()
    assert "its data go from 2 January 1990 to 28 December 2022" in said(app)
    control(app, "selectbox", "source").set_value("sine").run()
    control(app, "selectbox", "features").set_value("close and calendar").run()
    assert "Sine has no dates" in said(app)
    control(app, "selectbox", "source").set_value("file").run()
    assert app.button(key="lstm-submit").disabled
    assert not app.exception


def test_one_s_own_file_is_learned_from(app):
    control(app, "selectbox", "source").set_value("file").run()
    series = prices.sine(steps=90)
    lines = [f"{prices._date(19000 + at)};{value}" for at, value in enumerate(series.values)]
    data = "\n".join(lines).encode()
    app.file_uploader[0].upload("mine.csv", data, "text/csv").run()
    settle(app, lambda app: lstm_form.FILE in desk(app).results)
    app.run()
    assert f"mine.csv: {read(data).span()}" in said(app)
    small(app)
    assert trained(app).series.name == "mine.csv"


def test_a_network_of_one_s_own_shows_its_gates(app, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "mine.pt"
    torch.save(torch.nn.GRU(1, 5, 2).state_dict(), path)
    place = next(each for each in app.file_uploader if each.label == "Model file")
    place.upload("mine.pt", path.read_bytes(), "application/octet-stream").run()
    settle(app, lambda app: lstm_own.OPENED in desk(app).results)
    app.run()
    assert not app.exception
    assert "2 GRU layers of 5 and 5 units by PyTorch" in said(app)
    assert "A forecast is not: the file has no line that by itself makes one number" in said(app)
    mine = next(shown for shown in parts(app, "gates") if not shown["trained"])
    assert mine["title"] == "GRU layer 1: update gate of AAPL"
    assert len(mine["units"]) == 5
    app.number_input(key=lstm_form.key("own-window")).set_value(250).run()
    assert "fewer than a window of 250 needs" in said(app)


def test_the_forecast_of_a_network_of_one_s_own_stands_beside_the_naive_one(app, tmp_path):
    net = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(1, 4), "fc": torch.nn.Linear(4, 1)})
    with torch.no_grad():
        for weight in net["fc"].parameters():
            weight.zero_()  # the mean of the series is its answer
    path = tmp_path / "mine.pt"
    torch.save(net.state_dict(), path)
    place = next(each for each in app.file_uploader if each.label == "Model file")
    place.upload("mine.pt", path.read_bytes(), "application/octet-stream").run()
    settle(app, lambda app: lstm_own.OPENED in desk(app).results)
    app.run()
    mine = next(shown for shown in parts(app, "gates") if not shown["trained"])
    forecast = np.frombuffer(base64.b64decode(mine["forecasts"]), "<f4")
    closes = prices.stock("AAPL", "2022-01-01", "2023-01-01").values
    assert forecast == pytest.approx(np.full(len(mine["days"]), closes.mean()), rel=1e-5)
    assert mine["ahead"] == "1 day later"
    off = np.abs(closes[20:] - closes.mean()).mean()
    naive = np.abs(np.diff(closes)[19:]).mean()
    assert "The model is worse than the naive forecast. On 229 shown days" in said(app)
    assert f"{off:.1f} USD on average" in said(app)
    assert f"(the last value again) by {naive:.1f} USD" in said(app)
    assert "Which of these days it was trained on is not in the file" in said(app)
    app.number_input(key=lstm_form.key("own-horizon")).set_value(5).run()
    assert "On 225 shown days" in said(app)


def later(app):
    """Ask for days after the built-in ones."""
    control(app, "date_input", "end").set_value(datetime.date(2025, 1, 1))
    control(app, "date_input", "start").set_value(datetime.date(2024, 1, 1)).run()


def test_other_days_are_fetched_where_a_package_does_that(app, monkeypatch):
    monkeypatch.setattr(quotes, "available", lambda: False)
    later(app)
    assert "package yfinance, which is not installed on this server" in said(app)
    series = prices.sine(steps=90)
    lines = [f"{prices._date(19000 + at)},{value}" for at, value in enumerate(series.values)]
    asked = []

    def fetch(*what):
        asked.append(what)
        job = Job(lambda job: "\n".join(lines).encode())
        job.run()
        return job

    monkeypatch.setattr(quotes, "available", lambda: True)
    monkeypatch.setattr(quotes, "fetch", fetch)
    app.run()
    assert app.button(key="lstm-submit").disabled
    app.button(key="lstm-fetch").click().run()
    settle(app, lambda app: lstm_quotes.READ in desk(app).results)
    app.run()
    assert asked == [("AAPL", "2024-01-01", "2025-01-01")]
    assert "AAPL: 90 trading days" in said(app)
    assert "Yahoo Finance, fetched here" in said(app)
    small(app)
    assert trained(app).series.source == "stock"
    # for other dates it has to be asked again
    control(app, "date_input", "start").set_value(datetime.date(2024, 2, 1)).run()
    assert app.button(key="lstm-fetch").label == "Fetch AAPL from Yahoo Finance"


def test_a_ticker_that_is_not_given_says_why(app, monkeypatch):
    def fetch(*what):
        def fails(job):
            raise LoadError("Yahoo Finance has no prices of 'AAPL'.")

        job = Job(fails)
        job.run()
        return job

    monkeypatch.setattr(quotes, "available", lambda: True)
    monkeypatch.setattr(quotes, "fetch", fetch)
    later(app)
    app.button(key="lstm-fetch").click().run()
    settle(app, lambda app: desk(app).notes.get(lstm_quotes.FETCH))
    app.run()
    assert "Yahoo Finance has no prices of 'AAPL'" in said(app)
