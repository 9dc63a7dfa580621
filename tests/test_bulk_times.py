"""edge.bulk.times: times in names and texts; what may be something else is no time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bulk.times import parse_time, time_in_name
from edge.errors import UsageError

SECOND = datetime(2024, 1, 31, 10, 15, 11, tzinfo=timezone.utc)
MINUTE, DAY = SECOND.replace(second=0), SECOND.replace(hour=0, minute=0, second=0)

WHOLE = ["%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d_%H%M%S", "%Y%m%d-%H%M%S", "%Y%m%d%H%M%S", "%Y-%m-%dT%H-%M-%S",
         "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H.%M.%S", "%Y-%m-%d-%H-%M-%S", "%Y_%m_%d_%H_%M_%S", "%Y-%m-%d_%H%M%S",
         "%y%b%d%H%M%S"]  # fmt: skip
DAYS = ["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y.%m.%d"]
TIMES = st.datetimes(datetime(1960, 1, 1), datetime(2100, 12, 31), timezones=st.just(timezone.utc))  # noqa: DTZ001
LETTERS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_äß", max_size=8)


def written(time: datetime, form: str) -> str:
    """By strftime; %b as Maxar writes it, %Y and %y with all of their digits."""
    return time.strftime(form.replace("%b", "{}")).format(time.strftime("%b").upper())


def found(name: str, pattern: str | None = None) -> datetime | None:
    acquired = time_in_name(name, pattern)
    assert acquired is None or acquired.source == "name"
    return acquired.time if acquired else None


@given(TIMES, st.sampled_from(WHOLE), LETTERS, LETTERS)
def test_a_time_of_a_usual_form_is_found_between_letters(time: datetime, form: str, before: str, after: str) -> None:
    time = time.replace(microsecond=0)
    if "%y" in form:
        time = time.replace(year=1970 + time.year % 100)
    assert found(before + written(time, form) + after + ".tif") == time


@given(TIMES, st.sampled_from(DAYS), LETTERS, LETTERS)
def test_a_date_alone_is_midnight(time: datetime, form: str, before: str, after: str) -> None:
    assert found(f"{before}{time.strftime(form)}{after}.tif") == time.replace(hour=0, minute=0, second=0, microsecond=0)


@given(TIMES, st.sampled_from([form for form in WHOLE + DAYS if "%b" not in form]), LETTERS, LETTERS)
def test_a_pattern_finds_what_strftime_has_written_with_it(time: datetime, form: str, before: str, after: str) -> None:
    text = time.strftime(form)
    expected = datetime.strptime(text, form).replace(tzinfo=timezone.utc)
    assert found(f"{before}{text}{after}.tif", form) == expected


@given(TIMES, st.integers(-14 * 60, 14 * 60))
def test_iso_8601_comes_back(time: datetime, offset: int) -> None:
    local = time.astimezone(timezone(timedelta(minutes=offset)))
    assert parse_time(local.isoformat()) == time
    assert parse_time(local.isoformat(" ")) == time
    assert parse_time(time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == time
    assert parse_time(local.isoformat()).utcoffset() == timedelta(0)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    time_in_name(text, None)
    time_in_name(text, "%Y%m%d*%H")
    try:
        assert parse_time(text).tzinfo is timezone.utc
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - either way is right


@given(st.from_regex(r"[0-9]{9,13}|[0-9]{15,16}|[0-9]{18,40}", fullmatch=True))
def test_long_numbers_are_no_times(number: str) -> None:
    assert found(f"scene_{number}.tif") is None


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("S2A_MSIL1C_20240131T101511_N0510_R022_T32UPC_20240131T121511.SAFE", SECOND),
        ("S1A_IW_GRDH_1SDV_20240131T101511_20240131T101536_052345_0653A1_B2C3.tiff", SECOND),
        ("20240131_101511_34_2426_3B_AnalyticMS.tif", SECOND),
        ("LC08_L1TP_044034_20240131_20240207_02_T1_B4.TIF", DAY),
        ("24JAN31101511-M2AS-012345678901_01_P001.TIF", SECOND),
        ("IMG_PHR1A_P_202401311015113_SEN_6712345101-1_R1C1.TIF", SECOND),
        ("PNEO3_202401311015118_PAN.tif", SECOND),
        ("CAPELLA_C02_SP_GEO_HH_20240131101511_20240131101514.tif", SECOND),
        ("2024-01-31-10-15-11_UMBRA-04_GEC.tif", SECOND),
        ("PXL_20240131_101511123.jpg", SECOND.replace(microsecond=123_000)),
        ("DJI_20240131101511_0001_V.JPG", SECOND),
        ("rotterdam20240131T101511+0200.png", SECOND - timedelta(hours=2)),
        ("rotterdam20240131T101511-0200.png", SECOND),  # may be the 200th
        ("20240131T1015.png", MINUTE),
        ("2024-01-31T10-15.png", MINUTE),
        ("20240131_1015.png", DAY),  # may be the 1015th
        ("2024-01-31_10-15.png", DAY),  # may be a tile
        ("20240131_10_15_11.png", DAY),  # may be a tile
        ("20240131_991511.png", DAY),
        ("20240230_x_20240131.png", DAY),
        ("19591231_20240131.png", DAY),
    ],
)
def test_names_of_satellites_and_cameras(name: str, time: datetime) -> None:
    assert found(name) == time


@pytest.mark.parametrize(
    "name",
    ["", "tile_17_1234_5678.png", "120240131.tif", "202401311.tif", "20240230.tif", "20241301.tif", "2024-02-30.tif",
     "19591231.tif", "21010101.tif", "00000000.tif", "2024-01.tif", "31012024.tif", "24JAN31.tif", "24FOO31101511.tif",
     "IMG_0001.jpg", "2024-01_31.tif", "২০২৪০১৩১.tif"],
)  # fmt: skip
def test_what_is_no_time(name: str) -> None:
    assert found(name) is None


@pytest.mark.parametrize(
    ("name", "pattern", "time"),
    [
        ("x_20240131_1015_y.tif", "%Y%m%d_%H%M", MINUTE),
        ("x_20240131_101511.tif", "%Y%m%d_%H%M", MINUTE),
        ("31Jan2024.tif", "%d%b%Y", DAY),
        ("31-january-2024.tif", "%d-%B-%Y", DAY),
        ("2024031.tif", "%Y%j", DAY),
        ("31.1.24 10:15AM.tif", "%d.%m.%y %I:%M%p", MINUTE),
        ("berth_2024_4_0131.tif", "%Y*%m%d", DAY),
        ("2024-01-31 12:15+0200.tif", "%Y-%m-%d %H:%M%z", MINUTE),
        ("100%20240131.tif", "%%%Y%m%d", DAY),
        ("19701301_20240131.tif", "%Y%m%d", DAY),
        ("0020240131.tif", "%Y%m%d", None),  # not from the middle of a number ...
        ("0020240131.tif", "*%Y%m%d", DAY),  # ... unless that is wanted
        ("20240131.tif", "%d%m%Y", None),
        ("20240230.tif", "%Y%m%d", None),
        ("", "%Y%m%d", None),
    ],
)
def test_patterns(name: str, pattern: str, time: datetime | None) -> None:
    assert found(name, pattern) == time


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("", "year, month and day"),
        ("*", "year, month and day"),
        ("%Y", "year, month and day"),
        ("%Y%m%H", "year, month and day"),
        ("%Y%m%d%Y", "twice"),
        ("%Y%m%d%Q", "%Q"),
        ("%Y%m%d%", "directive"),
        ("%Y%m%d%I", "%p"),
    ],
)
def test_a_bad_pattern_is_told(pattern: str, told: str) -> None:
    with pytest.raises(UsageError, match=f"--time-pattern.*{told}"):
        time_in_name("20240131.tif", pattern)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-31T10:15:11Z", SECOND),
        (" 2024-01-31t10:15:11z ", SECOND),
        ("20240131T121511+0200", SECOND),
        ("2024-01-31T05:15:11-05", SECOND),
        ("2024-01-31T10:15:11.000000999Z", SECOND),
        ("2024-01-31T10:15:11,5 UTC", SECOND.replace(microsecond=500_000)),
        ("2024-01-31T10:14:60Z", MINUTE),
        ("2024-01-31 10:15", MINUTE),
        ("2024/01/31 10:15", MINUTE),
        ("2024:01:31 10:15:11", SECOND),
        ("2024-01-31", DAY),
        ("20240131", DAY),
    ],
)
def test_texts(text: str, time: datetime) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize(
    "text",
    ["", "x", "2024", "2024-01", "2024-1-31", "2024-01/31", "31.01.2024", "2024-02-30", "2024-01-31T25:00",
     "2024-01-31T10:15:61", "2024-01-31T10", "2024-01-31T10:15+99:00", "0000:00:00 00:00:00", "0001-01-01T00:00+02:00",
     "2024-01-31T10:15:11Zulu", "২০২৪-০১-৩১"],
)  # fmt: skip
def test_texts_that_are_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time(text)
