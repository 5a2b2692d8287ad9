"""Alarms on their way to the sinks, in a file that survives whatever happens to the process."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateur.errors import SinkError
from secateur.live.sinks.sink import DeliveryError, RejectedError, Sink

STALE = 60.0
"""Seconds after which a heartbeat is of no use to anyone: it would only stand before fresh alarms."""
PAUSES = (0.5, 30.0)
"""Seconds between two tries of an alarm: the first, doubled each time, and the longest."""
PATIENT = 3.0
"""Seconds after which it is told that a sink doesn't get its alarms: one failure among many is no news."""
_KEPT = 2000
"""Delivered alarms that stay in the file: a process that goes on after a kill puts some once more."""
_SYNC, _TIDY = 0.1, 60.0
"""Seconds in which commits are gathered before the disk is waited for, and between two checkpoints."""
_FORM = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS alarms (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, put REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sinks (address TEXT PRIMARY KEY, done INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rejected (
    address TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL,
    time REAL NOT NULL, PRIMARY KEY (address, key));
"""


@dataclass(frozen=True)
class _Queued:
    number: int
    key: str
    body: str


class AlarmQueue:
    """Hands every alarm to every sink, in order, at least once.

    `path`: the file, an SQLite database that an earlier process may have left: what it had not delivered is
    delivered first. Each sink has a thread and a position of its own, so that one which is down holds up
    nobody. `tell`: hears in a sentence what goes wrong with a sink, once, and when that is over; it is called
    by the sinks' threads.

    Heartbeats older than `STALE` are passed over while a sink is down; alarms are never dropped. What a sink
    rejects is kept in the table `rejected`. Raises `SinkError`.
    """

    def __init__(self, path: Path, sinks: Sequence[Sink], tell: Callable[[str], None]) -> None:
        self.path = path
        addresses = [sink.address for sink in sinks]
        if len(set(addresses)) < len(addresses):
            raise SinkError(f"the same address twice among: {', '.join(addresses)}")
        self._tell = tell
        self._lock = threading.Lock()
        self._database = self._opened()
        self._begin_at(addresses)
        self._disk = _Disk(path)
        self._disk.start()
        self._senders = [_Sender(self, sink, tell) for sink in sinks]
        for sender in self._senders:
            sender.start()

    def _opened(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(
                self.path, timeout=10.0, isolation_level=None, check_same_thread=False
            )
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute("PRAGMA wal_autocheckpoint=0")  # `_Disk` does that
            (form,) = database.execute("PRAGMA user_version").fetchone()
            if form not in (0, _FORM):
                raise SinkError(
                    f"{self.path}: a queue of another version of Secateur (form {form})"
                )
            database.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={_FORM}; COMMIT;"
            )
        except (OSError, sqlite3.Error) as error:
            raise SinkError(
                f"{self.path}: no queue of alarms can be kept there ({error})"
            ) from None
        return database

    def _begin_at(self, addresses: Sequence[str]) -> None:
        """A new sink begins with what is put from now on; one that was left out is forgotten."""
        with self._lock, self._database as database:
            database.execute("BEGIN IMMEDIATE")
            marks = ",".join("?" * len(addresses))
            database.execute(f"DELETE FROM sinks WHERE address NOT IN ({marks})", addresses)
            database.executemany(
                "INSERT OR IGNORE INTO sinks VALUES "
                "(?, (SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'alarms'))",
                [(address,) for address in addresses],
            )

    def put(self, alarm: dict[str, Any], key: str) -> None:
        """Keep one alarm; see `put_all`."""
        self.put_all([(alarm, key)])

    def put_all(self, alarms: Sequence[tuple[dict[str, Any], str]]) -> None:
        """Keep alarms, each with its key, until every sink has had them; never waits for a sink.

        They outlive this process as soon as this returns, and a power cut a moment later: waiting for the
        disk here (15 ms, at times half a second) would hold up every bed. A key that is in the file already
        is not put twice.
        """
        now = time.time()
        rows = [
            (key, alarm["kind"], now, json.dumps(alarm, ensure_ascii=False))
            for alarm, key in alarms
        ]
        with self._lock:
            try:
                self._insert(rows)
            except sqlite3.Error as error:
                self._go_on_in_memory(error)
                self._insert(rows)
        self._disk.wake()
        for sender in self._senders:
            sender.wake()

    def _insert(self, rows: Sequence[tuple[str, str, float, str]]) -> None:
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT OR IGNORE INTO alarms (key, kind, put, body) VALUES (?, ?, ?, ?)", rows
            )

    def _go_on_in_memory(self, error: sqlite3.Error) -> None:
        """A disk that is full or gone keeps no alarm from its sinks."""
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        try:
            self._database.backup(memory)
        except sqlite3.Error:  # what stands in the file comes after a restart
            memory.executescript(_TABLES)
            memory.executemany(
                "INSERT INTO sinks VALUES (?, 0)", [(each.address,) for each in self._senders]
            )
        self._database.close()
        self._database = memory
        self._tell(
            f"{self.path}: can't be written ({error}); alarms are delivered from memory, and those that wait "
            f"would be lost with this process"
        )

    def upcoming(self, address: str, fresh: float) -> tuple[_Queued | None, int]:
        """A sink's next alarm, and how many heartbeats put before `fresh` were passed over on the way."""
        with self._lock:
            (done,) = self._database.execute(
                "SELECT done FROM sinks WHERE address = ?", (address,)
            ).fetchone()
            row = self._database.execute(
                "SELECT number, key, body FROM alarms "
                "WHERE number > ? AND NOT (kind = 'heartbeat' AND put < ?) ORDER BY number LIMIT 1",
                (done, fresh),
            ).fetchone()
            passed, last = self._database.execute(
                "SELECT COUNT(*), MAX(number) FROM alarms WHERE number > ? AND number < ?",
                (done, row[0] if row else 1 << 62),
            ).fetchone()
            if passed:
                self._move(address, last)
        return (_Queued(*row) if row else None), passed

    def _move(self, address: str, number: int) -> None:
        """Set a sink's position, and drop what every sink is long past."""
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE sinks SET done = ? WHERE address = ?", (number, address))
            database.execute(
                "DELETE FROM alarms WHERE number <= (SELECT MIN(done) FROM sinks) - ?", (_KEPT,)
            )

    def done(self, address: str, alarm: _Queued, rejected: str = "") -> None:
        """A sink has had an alarm, or has rejected it for a reason that is kept with it."""
        with self._lock:
            if rejected:
                self._database.execute(
                    "INSERT OR REPLACE INTO rejected VALUES (?, ?, ?, ?, ?)",
                    (address, alarm.key, alarm.body, rejected, time.time()),
                )
            self._move(address, alarm.number)

    def waiting(self) -> dict[str, int]:
        """How many alarms and heartbeats each sink still has to get."""
        with self._lock:
            rows = self._database.execute(
                "SELECT address, (SELECT COUNT(*) FROM alarms WHERE number > done) FROM sinks"
            ).fetchall()
        return dict(rows)

    def rejected(self) -> list[tuple[str, str, str]]:
        """What sinks have rejected: address, key and reason of each."""
        with self._lock:
            return self._database.execute("SELECT address, key, reason FROM rejected").fetchall()

    def close(self, timeout: float) -> None:
        """Let the sinks have what is left, for `timeout` seconds at most; the rest stays in the file."""
        deadline = time.monotonic() + timeout
        for sender in self._senders:
            sender.finish(deadline)
        for sender in self._senders:
            sender.join(max(0.0, deadline - time.monotonic()) + 1.0)
        self._disk.finish()
        if not any(sender.is_alive() for sender in self._senders):
            with self._lock:
                self._database.close()


class _Disk(threading.Thread):
    """Brings what was committed to the disk, so that whoever commits needn't wait for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="alarms to disk", daemon=True)
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._news, self._over = threading.Event(), threading.Event()

    def wake(self) -> None:
        """Something was committed."""
        self._news.set()

    def finish(self) -> None:
        """Nothing more will be; returns when all is on the disk."""
        self._over.set()
        self._news.set()
        self.join()

    def run(self) -> None:
        """See `threading.Thread.run`."""
        tidied = time.monotonic()
        while not self._over.is_set():
            self._news.wait()
            self._over.wait(_SYNC)
            self._news.clear()
            with contextlib.suppress(OSError, sqlite3.Error):  # whoever writes next is told
                self._sync()
                if time.monotonic() - tidied > _TIDY:
                    tidied = time.monotonic()
                    self._tidy()

    def _sync(self) -> None:
        handle = os.open(self._log, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _tidy(self) -> None:
        """Move commits from SQLite's log into the database, without keeping anyone from writing."""
        with contextlib.closing(sqlite3.connect(self._path)) as database:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")


class _Sender(threading.Thread):
    """Hands a sink its alarms, one at a time, until it has had them all and the queue is closed."""

    def __init__(self, queue: AlarmQueue, sink: Sink, tell: Callable[[str], None]) -> None:
        super().__init__(name=f"alarms to {sink.address}", daemon=True)
        self.address = sink.address
        self._queue, self._sink, self._tell = queue, sink, tell
        self._news = threading.Condition()
        self._fresh = False
        self._deadline = float("inf")
        self._passed, self._down_since, self._told_down = 0, 0.0, False

    def wake(self) -> None:
        """There is something new."""
        with self._news:
            self._fresh = True
            self._news.notify()

    def finish(self, deadline: float) -> None:
        """Nothing new will come; what is left is tried once more, at once, until `deadline`."""
        with self._news:
            self._deadline = deadline
            self._news.notify()

    def run(self) -> None:
        """See `threading.Thread.run`."""
        pause, longest = PAUSES
        begun = False
        while True:
            try:
                if not begun:
                    self._sink.begin()
                    begun = True
                alarm = self._next()
                if alarm is None:
                    if not self._wait():
                        break
                    continue
                self._deliver(alarm)
                pause = PAUSES[0]
            except Exception as error:  # whatever it is: nothing ends the tries
                self._fails(str(error) or type(error).__name__)
                wait = error.wait if isinstance(error, DeliveryError) else 0.0
                if not self._pause(min(longest, max(pause, wait))):
                    break
                pause = min(longest, 2 * pause)
        self._sink.close()

    def _next(self) -> _Queued | None:
        """Asked for before each try: a heartbeat that has waited long is not tried again."""
        alarm, passed = self._queue.upcoming(self.address, time.time() - STALE)
        self._passed += passed
        return alarm

    def _deliver(self, alarm: _Queued) -> None:
        try:
            self._sink.send(alarm.body, alarm.key)
        except RejectedError as error:
            self._queue.done(self.address, alarm, str(error))
            self._tell(
                f"{self.address}: rejects {alarm.key} ({error}); it is put aside, in the table `rejected` of "
                f"{self._queue.path}"
            )
        else:
            self._queue.done(self.address, alarm)
        self._works()

    def _wait(self) -> bool:
        """Wait until something is new; False where the queue is closed and nothing will be."""
        with self._news:
            while not self._fresh and not self._closing:
                self._news.wait()
            fresh, self._fresh = self._fresh, False
            return fresh

    def _pause(self, seconds: float) -> bool:
        """Wait between two tries, whatever is new; False where the queue is closed and no time is left."""
        with self._news:
            until, closing = time.monotonic() + seconds, self._closing
            while (rest := min(until, self._deadline) - time.monotonic()) > 0:
                self._news.wait(rest)
                if self._closing and not closing:
                    return True  # once more, at once
            return time.monotonic() < self._deadline

    @property
    def _closing(self) -> bool:
        return self._deadline < float("inf")

    def _fails(self, reason: str) -> None:
        self._down_since = self._down_since or time.monotonic()
        if not self._told_down and time.monotonic() - self._down_since >= PATIENT:
            self._told_down = True
            self._tell(
                f"{self.address}: doesn't get its alarms ({reason}); they wait and are tried again"
            )

    def _works(self) -> None:
        if self._told_down:
            seconds = time.monotonic() - self._down_since
            passed = f"; {self._passed} old heartbeats were passed over" if self._passed else ""
            self._tell(f"{self.address}: gets its alarms again, after {seconds:.0f} s{passed}")
            self._passed = 0
        self._down_since, self._told_down = 0.0, False
