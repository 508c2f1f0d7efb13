#!/usr/bin/env python3
"""A fake rclone that does what the real one cannot be made to do. FAKE selects the behaviour,
FAKE_VERSION the version."""

import json
import os
import signal
import sys
import time


def log(level: str, message: str, **fields: object) -> None:
    print(
        json.dumps({"time": "2026-11-23T12:30:08Z", "level": level, "msg": message, **fields}),
        file=sys.stderr,
    )
    sys.stderr.flush()


def stats(moved: int, total: int, **fields: object) -> None:
    log(
        "notice",
        "stats",
        stats={"bytes": moved, "totalBytes": total, "speed": 1.0, "eta": None, **fields},
    )


def out(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def flood() -> None:
    """Write 20 MB into each pipe, alternating by line."""
    line = b"x" * 1023 + b"\n"
    for _ in range(20):
        sys.stdout.buffer.write(line * 1024)
        sys.stderr.buffer.write(line * 1024)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.flush()


def endless_line() -> None:
    """Write 20 MB without a newline to stderr."""
    for _ in range(20):
        sys.stderr.buffer.write(b"y" * 1024 * 1024)
    sys.stderr.buffer.flush()


def long_line() -> None:
    """Write one JSON line of 10 MB, then end."""
    log(
        "error",
        "Failed to copy: " + "z" * 10_000_000 + ": permission denied",
        object="long",
        objectType="*local.Object",
    )
    sys.exit(1)


def cannot_save() -> None:
    """Fail to save as rclone does: log the error and continue with the token in memory."""
    log(
        "error",
        "Failed to save config after 10 tries: failed to create temp file for new config: "
        "open /run/x/rclone.conf2012500291: no space left on device",
        source="config/config.go:397",
    )


def half_json() -> None:
    stats(10, 100)
    sys.stderr.write('{"time":"2026-11-23T12:30:08Z","level":"error","msg":"Failed to')
    sys.exit(1)


def crash() -> None:
    """As Go does, with the stacks of many goroutines."""
    sys.stderr.write("panic: assignment to entry in nil map\n\n")
    for number in range(500):
        sys.stderr.write(f"goroutine {number} [running]:\nmain.main()\n\t/src/main.go:{number}\n")
    sys.exit(2)


def half_listing() -> None:
    out(
        b'[\n{"Path":"a","Name":"a","Size":1,"ModTime":"2026-01-02T03:04:05Z","IsDir":false}'
        b',\n{"Path":"b","Na'
    )


def failing_listing() -> None:
    out(b'[\n{"Path":"a","Name":"a","Size":1,"ModTime":"2026-01-02T03:04:05Z","IsDir":false}\n]\n')
    log("error", "error listing: permission denied", object="locked", objectType="string")
    sys.exit(1)


def offline_listing() -> None:
    text = 'error listing: Get "https://graph.microsoft.com/v1.0/": dial tcp: no such host'
    log("error", text, object="2026", objectType="string")
    sys.exit(1)


def odd_listing() -> None:
    """List times that no datetime can hold, and no time at all."""
    out(b'[\n{"Path":"x/a","Name":"a","Size":1,"ModTime":"10000-01-02T03:04:05Z","IsDir":false},\n')
    out(
        b'{"Path":"b\xff","Name":"b\xff","Size":2,"ModTime":"","IsDir":false,"New":{"field":[1]}}'
        b",\n"
    )
    out(
        b'{"Path":"c","Name":"c","Size":3,"ModTime":"2026-01-02T03:04:05+02:00","IsDir":false}\n]\n'
    )


def invalid_utf8() -> None:
    sys.stderr.buffer.write(
        b'{"level":"error","msg":"bad \xff\xfe byte: permission '
        b'denied","object":"a\xff"}\n\xff\xfe\n'
    )
    sys.exit(1)


def sleep() -> None:
    stats(1, 100)
    time.sleep(1000)


def crawl() -> None:
    """Report for ever without progress."""
    while True:
        stats(1, 100)
        time.sleep(0.05)


def hashing() -> None:
    """Read a large file for a comparison, for half a day."""
    log("notice", "Config file not found - using defaults")
    while True:
        stats(0, 0, checking=["large"])
        time.sleep(0.05)


def broken_check() -> None:
    """Compare some files, fail to read one, and be killed."""
    log("error", "Failed to open: it is locked", object="locked", objectType="*local.Object")
    out(b"= same\n* other\n! locked\n")
    os.kill(os.getpid(), signal.SIGKILL)


def arrived() -> None:
    """Like `hashing`, for a file that has been copied."""
    while True:
        stats(9, 9, transferring=[{"name": "large", "bytes": 9, "size": 9}])
        time.sleep(0.05)


def steady() -> None:
    """Report one more byte each time."""
    for moved in range(40):
        stats(moved, 40)
        time.sleep(0.02)


def stubborn() -> None:
    """Ignore SIGINT and SIGTERM, as does the helper."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() != 0:
        stats(1, 100)
    time.sleep(1000)


def helper_stays() -> None:
    """End at once while a helper keeps the pipes open for ever."""
    if os.fork() == 0:
        time.sleep(1000)


def echo() -> None:
    """Print argv, environment and stdin as JSON."""
    given = sys.stdin.buffer.read()
    out(
        json.dumps(
            {
                "argv": [os.fsencode(argument).hex() for argument in sys.argv[1:]],
                "environment": dict(os.environ),
                "stdin": given.hex(),
            }
        ).encode()
    )


def deaf() -> None:
    """Never read stdin, and end normally with an error."""
    log("notice", "Failed to rcat: accessDenied: Access denied")
    sys.exit(1)


def main() -> None:
    what, _, argument = os.environ.get("FAKE", "").partition(" ")
    if sys.argv[1:2] == ["version"]:
        print(f"rclone v{os.environ.get('FAKE_VERSION', '1.75.2')}\n- os/type: linux")
    elif what == "exit":
        log("notice", "Failed to copy: something")
        sys.exit(int(argument))
    elif what == "signal":
        stats(1, 100)
        if int(argument) not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(int(argument), signal.SIG_DFL)  # Python ignores some
        os.kill(os.getpid(), int(argument))
        time.sleep(1000)
    elif what:
        globals()[what]()


if __name__ == "__main__":
    main()
