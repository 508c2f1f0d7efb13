"""Plans: what may stand in one, and every fault with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.flows.plan import Plan, check

WHOLE = """\
name = "nightly"

[[storages]]
names = ["work-*", "home"]

[[storages]]
tenant_of = "contoso"
users = ["*@contoso.com"]
sites = ["*"]

[[steps]]
do = "upload"
local = "/srv/data"
folder = "{storage}/data"
options = { filters = ["- *.tmp"], bwlimit = "10M" }

[[steps]]
do = "sync"
into = "local"
local = "/srv/{storage}"
options = { max_delete = "10%" }

[[steps]]
do = "check"
local = "/srv/data"
folder = "{storage}/data"
options = { direction = "one_way" }

[[steps]]
do = "restic"
arguments = ["forget", "--keep-daily", "7"]

[[steps]]
do = "health"

[schedule]
cron = "0 3 * * *"
timezone = "Europe/Berlin"

[retry]
times = 2
wait = 30

[at_once]
account = 1
tenant = 8
worker = 2
batch = 5
"""


def read(tmp_path: Path, text: str) -> tuple[Plan | None, list[str]]:
    file = tmp_path / "plan.toml"
    file.write_text(text)
    plan, faults = check(file)
    return plan, [str(fault) for fault in faults]


def test_a_plan_is_the_same_after_it_was_sent_as_json(tmp_path: Path) -> None:
    plan, faults = read(tmp_path, WHOLE)
    assert faults == []
    assert plan is not None
    assert Plan.from_record(plan.record()) == plan


def test_a_step_is_a_run_that_can_be_stored_and_done_again(tmp_path: Path) -> None:
    plan, _ = read(tmp_path, WHOLE)
    assert plan is not None
    runs = [step.run("work-1", f"work-1:{step.folder_in('work-1')}") for step in plan.steps]
    assert [str(run) for run in runs] == [
        "copy /srv/data → work-1:work-1/data",
        "sync work-1: → /srv/work-1",
        "check /srv/data → work-1:work-1/data",
        "restic forget in work-1:restic",
        "None",
    ]
    assert runs[0] is not None
    assert runs[1] is not None
    assert "--bwlimit=10M" in runs[0].options
    assert runs[0].lines == "- *.tmp\n"
    assert runs[1].as_command().brake is not None


def test_the_lines_of_a_plan_are_those_of_an_editor(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('# one\u2028line\x85alone\nname = "A b"\n', encoding="utf-8")
    _, faults = check(file)
    assert [fault.line for fault in faults if fault.where == "name"] == [2]


def test_every_fault_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        WHOLE.replace('"nightly"', '"Every Night"')
        .replace('"home"]', "7]")
        .replace('tenant_of = "contoso"', 'names = ["x"]\ntenant_of = "contoso"')
        .replace('"/srv/data"\nfolder = "{storage}/data"\noptions = { f', '"data"\noptions = { f')
        .replace("max_delete", "max_delet")
        .replace('"forget"', '"forget", "--password=hunter2"')
        .replace("0 3 * * *", "0 3 * *")
        .replace("Europe/Berlin", "Europe/Berlin")
        .replace("times = 2", "times = -1\ntime = 3")
    )
    plan, faults = read(tmp_path, text)
    assert plan is None
    lines = text.splitlines()
    assert faults == [
        "line 1: name: it takes small letters and digits, with single hyphens inside",
        "line 4: storages[0].names[1]: input should be a valid string",
        "line 6: storages[1]: needs either names or tenant_of",
        "line 12: steps[0]: upload needs local, a whole path",
        f"line {lines.index('[[steps]]', 12) + 1}: steps[1]: there is no option 'max_delet' "
        "(did you mean 'max_delete'?)",
        "line 29: steps[3]: --password may hold a secret; a plan holds none",
        'line 36: schedule: invalid cron string: "0 3 * *"',
        "line 41: retry.times: input should be greater than or equal to 0",
        "line 42: retry.time: there is no such setting",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name = \n", "line 1: invalid value"),
        ('name = "a"', "storages: it is missing"),
        ('[[steps]]\ndo = "copy"', "line 2: steps[0].do: input should be 'upload'"),
        ('[[steps]]\ndo = "health"\nlocal = "/x"', "line 1: steps[0]: health does not take local"),
        ('[[steps]]\ndo = "restic"', "line 1: steps[0]: arguments are restic's"),
        ('[[steps]]\ndo = "health"\n[[steps]]\ndo = "health"', "line 1: steps: the same step"),
        (
            '[[steps]]\ndo = "sync"\nlocal = "/x"\nshards = 2',
            "line 1: steps[0]: sync does not take",
        ),
        ('[[steps]]\ndo = "upload"\nlocal = "/x"\nthrough = ["y"]', "line 1: steps[0]: through"),
        (
            '[[steps]]\ndo = "upload"\nlocal = "/x"\nshards = 2\noptions = {filters = ["!"]}',
            "line 1: steps[0]: shards take filters",
        ),
        ('[schedule]\ncron = "0 3 * * *"\ntimezone = "Mars"', "line 1: schedule: invalid timezone"),
    ],
)
def test_a_fault_says_where_it_is(tmp_path: Path, text: str, fault: str) -> None:
    _, faults = read(tmp_path, text)
    assert [one for one in faults if one.startswith(fault)], faults


def test_the_schema_names_what_may_stand_in_a_plan() -> None:
    schema: dict[str, Any] = Plan.model_json_schema()
    assert set(schema["properties"]) == {
        "name",
        "storages",
        "steps",
        "schedule",
        "retry",
        "at_once",
    }
    step = schema["$defs"]["Step"]["properties"]
    assert step["shards"]["maximum"] == 64
    assert "part" not in step
