"""Plans: what they may contain, and every error with its place."""

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
    assert Plan.model_validate(plan.record()) == plan


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
        "line 1: name: it takes lower-case letters and digits, with single hyphens inside",
        "line 4: storages[0].names[1]: it takes a text, in quotes",
        "line 6: storages[1]: needs either names or tenant_of",
        "line 12: steps[0]: upload needs local, an absolute path",
        f"line {lines.index('[[steps]]', 12) + 1}: steps[1]: there is no option 'max_delet' "
        "(did you mean 'max_delete'?)",
        "line 29: steps[3]: --password may contain a secret, which a plan must not",
        "line 36: schedule: '0 3 * *' does not have five fields, as in \"0 3 * * *\"",
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
        ('[[steps]]\ndo = "restic"', "line 1: steps[0]: arguments are only for restic"),
        ('[[steps]]\ndo = "health"\n[[steps]]\ndo = "health"', "line 1: steps: the same step"),
        (
            '[[steps]]\ndo = "sync"\nlocal = "/x"\nshards = 2',
            "line 1: steps[0]: sync does not take",
        ),
        ('[[steps]]\ndo = "upload"\nlocal = "/x"\nthrough = ["y"]', "line 1: steps[0]: through"),
        (
            '[[steps]]\ndo = "upload"\nlocal = "/x"\nshards = 2\noptions = {filters = ["!"]}',
            "line 1: steps[0]: shards accept filters",
        ),
        ('[schedule]\ncron = "0 3 * * *"\ntimezone = "Mars"', "line 1: schedule: invalid timezone"),
    ],
)
def test_a_fault_says_where_it_is(tmp_path: Path, text: str, fault: str) -> None:
    _, faults = read(tmp_path, text)
    assert [one for one in faults if one.startswith(fault)], faults


UPLOAD = 'name = "a"\nstorages = [{ names = ["x"] }]\n[[steps]]\ndo = "upload"\nlocal = "/srv"\n'
BYTES = 'it takes bytes, or a text such as "10Mi"'
SECONDS = 'it takes seconds, or a text such as "1h30m"'
LIST = "it takes a list, in [ ]"


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        ('filters = "- *.tmp"', f"filters: {LIST}"),
        ("filters = [5]", "filters[0]: it takes a text, in quotes"),
        ('extra = "--fast-list"', f"extra: {LIST}"),
        ("extra = 5", f"extra: {LIST}"),
        ('files_from = "a"', f"files_from: {LIST}"),
        ("bwlimit = -5", f'bwlimit: {BYTES} or "2M:8M"'),
        ('bwlimit = "fast"', f'bwlimit: {BYTES} or "2M:8M"'),
        ("bwlimit = [1]", f'bwlimit: {BYTES} or "2M:8M"'),
        ("min_size = true", f"min_size: {BYTES}"),
        ("min_size = nan", f"min_size: {BYTES}"),
        ('max_age = "lately"', f"max_age: {SECONDS}"),
        ("timeout = -1", f"timeout: {SECONDS}"),
        ('transfers = "4"', "transfers: it takes a whole number"),
        ("transfers = true", "transfers: it takes a whole number"),
        ("transfers = 0", "transfers: input should be greater than or equal to 1"),
        ("retries = -1", "retries: input should be greater than or equal to 0"),
        ('checksum = "no"', "checksum: it takes true or false"),
        ("checksum = 1", "checksum: it takes true or false"),
        ('max_delete = "few"', 'max_delete: it takes a number, or a percentage: "75%"'),
        ("max_delete = 2020-01-01", 'max_delete: it takes a number, or a percentage: "75%"'),
        ('content = "all"', "content: input should be 'hash', 'download' or 'size'"),
    ],
)
def test_an_option_of_the_wrong_kind_is_named(tmp_path: Path, option: str, fault: str) -> None:
    plan, faults = read(tmp_path, f"{UPLOAD}options = {{ {option} }}")
    assert (plan, faults) == (None, [f"line 6: steps[0].options.{fault}"])


@pytest.mark.parametrize(
    "option",
    [
        "bwlimit = 100",
        'bwlimit = "10M:1M"',
        'bwlimit = "Mon-08:00,512k 12:00,off"',
        'min_size = "1.5KiB"',
        'max_size = "off"',
        'max_age = "1h30m"',
        'max_age = "2026-01-31"',
        "min_age = 1.5",
        "max_depth = -1",
        'filters = ["- *.tmp"]',
        'extra = ["--onedrive-hard-delete"]',
        "metadata = true",
        "tpslimit = 3",
    ],
)
def test_rclones_own_words_for_a_value_are_taken(tmp_path: Path, option: str) -> None:
    assert read(tmp_path, f"{UPLOAD}options = {{ {option} }}")[1] == []


def test_the_same_with_other_options_is_another_step(tmp_path: Path) -> None:
    text = UPLOAD.replace("upload", "restic").replace(
        'local = "/srv"', 'arguments = ["backup", "a"]'
    )
    step = text[text.index("[[steps]]") :]
    plan, _faults = read(tmp_path, text + step.replace('"a"', '"b"'))
    assert plan is not None
    assert [str(one) for one in plan.steps] == [
        "restic backup a in :restic",
        "restic backup b in :restic",
    ]
    assert read(tmp_path, text + step)[1] == ["line 3: steps: the same step is listed twice"]
    upload = UPLOAD[UPLOAD.index("[[steps]]") :]
    assert read(tmp_path, f"{UPLOAD}{upload}options = {{ checksum = true }}")[1] == []


def test_what_is_kept_goes_to_a_place_of_its_storage(tmp_path: Path) -> None:
    kept = f'{UPLOAD}options = {{ backup_dir = "{{storage}}:old" }}'
    plan, _ = read(tmp_path, kept)
    assert plan is not None
    run = plan.steps[0].run("work-1", "work-1:data")
    assert run is not None
    assert "--backup-dir=work-1:old" in run.options
    assert read(tmp_path, kept.replace("{storage}:", "{remote}:"))[1] == [
        "line 3: steps[0]: {remote} is unknown: only {storage} exists"
    ]


def test_every_option_of_the_wrong_kind_is_named_at_once(tmp_path: Path) -> None:
    text = f"{UPLOAD}shards = true\n[steps.options]\nretries = -1\nchecksum = 1\n[retry]\n"
    _, faults = read(tmp_path, f'{text}times = true\nwait = "1m"\n[at_once]\nworker = 0\n')
    assert faults == [
        "line 6: steps[0].shards: it takes a whole number",
        "line 8: steps[0].options.retries: input should be greater than or equal to 0",
        "line 9: steps[0].options.checksum: it takes true or false",
        "line 11: retry.times: it takes a whole number",
        "line 12: retry.wait: it takes a number",
        "line 14: at_once.worker: input should be greater than or equal to 1",
    ]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(WHOLE, encoding="utf-8-sig")
    assert check(tmp_path / "plan.toml")[1] == []


def test_a_placeholder_that_is_unknown_is_named(tmp_path: Path) -> None:
    text = UPLOAD.replace("/srv", "/srv/{stroage}/{storage}")
    assert read(tmp_path, text)[1] == [
        "line 3: steps[0]: {stroage} is unknown: only {storage} exists"
    ]


SYNC = UPLOAD.replace("upload", "sync") + 'into = "local"\n'


@pytest.mark.parametrize("names", ['["x", "y"]', '["x*"]', '["x"] }, { tenant_of = "t"'])
def test_storages_that_would_delete_each_others_files_are_refused(
    tmp_path: Path, names: str
) -> None:
    text = SYNC.replace('["x"]', names)
    (fault,) = read(tmp_path, text)[1]
    assert fault.startswith("each storage's sync would delete the others' files in /srv")
    assert read(tmp_path, text.replace("/srv", "/srv/{storage}/.."))[1] == [
        fault.replace("/srv", "/srv/{storage}/..")
    ]
    assert read(tmp_path, text.replace("/srv", "/srv/{storage}"))[1] == []
    assert read(tmp_path, SYNC)[1] == []
    down = UPLOAD.replace("upload", "download").replace('["x"]', names)
    (fault,) = read(tmp_path, down)[1]
    assert "each storage's download would overwrite the others' files in /srv" in fault
    assert read(tmp_path, down.replace("/srv", "/srv/{storage}"))[1] == []


def test_a_shard_of_one_storage_is_read_again_where_it_runs(tmp_path: Path) -> None:
    text = UPLOAD.replace("upload", "download").replace('["x"]', '["x", "y"]')
    plan, _ = read(tmp_path, text.replace("/srv", "/srv/{storage}"))
    assert plan is not None
    shard = plan.steps[0].model_copy(update={"local": "/srv/x", "part": "1 of 2"})
    assert Plan.model_validate(plan.only([shard]).record()).steps[0].local == "/srv/x"


@pytest.mark.parametrize(
    "place", ["/", "//", "/srv/..", "/home", "/home/{storage}", "/root/", "HOME", "LINK"]
)
def test_a_sync_that_would_empty_a_home_or_the_machine_is_refused(
    tmp_path: Path, place: str
) -> None:
    link = tmp_path / "link"
    link.symlink_to(Path.home())
    places = {"HOME": str(Path.home()), "LINK": str(link)}
    text = SYNC.replace("/srv", places.get(place, place))
    (fault,) = read(tmp_path, text)[1]
    assert "use a separate folder" in fault


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        ("dry_run = true", "dry_run would count as done"),
        ('extra = ["--dry-run"]', "--dry-run is not passed to rclone"),
        ('extra = ["-n"]', "-n is not passed to rclone"),
        ('extra = ["--config=/x"]', "--config is not passed to rclone"),
        ('extra = ["--dump=auth"]', "--dump is not passed to rclone"),
    ],
)
def test_a_step_does_what_it_says_and_its_flags_leave_ours_alone(
    tmp_path: Path, option: str, fault: str
) -> None:
    (found,) = read(tmp_path, f"{UPLOAD}options = {{ {option} }}")[1]
    assert found.startswith(f"line 3: steps[0]: {fault}")


@pytest.mark.parametrize("word", ["-n", "-vn", "--dry-run", "--dry-run=true"])
def test_a_step_of_restic_does_what_it_says(tmp_path: Path, word: str) -> None:
    arguments = f'arguments = ["backup", "{word}", "/srv"]'
    text = UPLOAD.replace("upload", "restic").replace('local = "/srv"', arguments)
    (fault,) = read(tmp_path, text)[1]
    assert f"{word.partition('=')[0]} would count as done" in fault


def test_a_folder_outside_of_the_storage_is_named(tmp_path: Path) -> None:
    (fault,) = read(tmp_path, f'{UPLOAD}folder = "../x"')[1]
    assert "'../x' leads above the folder in which it starts" in fault


def test_a_file_that_nobody_wrote_by_hand_is_no_plan(tmp_path: Path) -> None:
    assert read(tmp_path, f"name = {'[' * 5000}")[0] is None


@pytest.mark.parametrize(
    "words",
    [
        "-r,x:",
        "-rx:",
        "--repo,x:",
        "--repo=x:",
        "--repository-file=x",
        "-p,x",
        "-px",
        "--password-file=x",
        "--password-file,x",
        "--password-command=x",
    ],
)
def test_the_repository_and_its_password_are_not_among_the_arguments_of_restic(
    tmp_path: Path, words: str
) -> None:
    given = ", ".join(f'"{word}"' for word in [*words.split(","), "snapshots"])
    text = UPLOAD.replace("upload", "restic").replace('local = "/srv"', f"arguments = [{given}]")
    (fault,) = read(tmp_path, text)[1]
    assert "the repository is the step's folder" in fault


@pytest.mark.parametrize(
    "cron", ["", "3 * * *", "0 0 3 * * *", "@daily", "99 3 * * *", "a b c d e"]
)
def test_a_schedule_has_five_fields(tmp_path: Path, cron: str) -> None:
    (fault,) = read(tmp_path, f'{UPLOAD}[schedule]\ncron = "{cron}"')[1]
    assert fault.startswith("line 6: schedule: ")


def test_a_schedule_that_never_comes_is_refused(tmp_path: Path) -> None:
    """Formerly, it was accepted, and nothing was backed up. The 29th of February does come."""
    never, rarely = (f'{UPLOAD}[schedule]\ncron = "0 3 {day} 2 *"' for day in (31, 29))
    assert read(tmp_path, never)[1] == [
        "line 6: schedule: '0 3 31 2 *' never occurs: none of its months has such a day"
    ]
    assert read(tmp_path, rarely)[1] == []


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
