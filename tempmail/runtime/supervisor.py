"""The supervisor: starts the worker processes, restarts what dies, passes on the order to stop.

It forks, so that workers start at once and share the memory of what is imported. It has no event loop and no threads,
which is what makes forking safe at any time.
"""

import gc
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from tempmail.log import get_log
from tempmail.runtime.child import READY, Control

_log = get_log("supervisor")

STOP_BUDGET_S = 10.0
HEARTBEAT_LOST_S = 30.0
RESTART_DELAY_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
EARLY_DEATHS = 5
"""Deaths of one worker before it was ever ready, in a row, that end the server: it cannot start at all."""
_ORDERS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process. `run` gets its control pipes and must not return before the process shall end.
    `died`: called in the supervisor after a process of this role is gone."""

    name: str
    run: Callable[[Control], None]
    died: Callable[[], None]


@dataclass(slots=True)
class _Worker:
    role: Role
    pid: int = 0
    status_fd: int = -1
    is_ready: bool = False
    heard_at: float = 0.0
    failures: int = 0
    early_deaths: int = 0
    start_at: float = 0.0


class Supervisor:
    """Runs one process per role. `on_change` is told the role names of the processes that are ready, `on_stop` is
    called before they are asked to end."""

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        on_change: Callable[[Sequence[str]], None],
        on_restart: Callable[[], None],
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._workers = [_Worker(role) for role in roles]
        self._on_change = on_change
        self._on_restart = on_restart
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._announced = False
        self._stopping_since: float | None = None
        self._selector = selectors.DefaultSelector()
        # Closed by nobody but the kernel, when this process ends.
        self._lifeline_read, self._lifeline_write = os.pipe()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code: 0 after an orderly stop, 1 where a worker cannot
        start or had to be killed."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in _ORDERS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(wake_read, selectors.EVENT_READ)
        gc.collect()
        gc.freeze()  # what is imported stays on pages that the workers share
        while True:
            self._start_due()
            for key, _ in self._selector.select(timeout=self._wait_s()):
                if key.fd == wake_read:
                    _drain(wake_read)
                else:
                    self._hear(key.data)
            self._reap()
            self._kill_silent()
            if any(worker.early_deaths >= EARLY_DEATHS for worker in self._workers):
                _log.error("worker.cannot_start", deaths=EARLY_DEATHS)
                self._end_all(signal.SIGTERM)
                self._await_end()
                return 1
            if self._stopping_since is not None:
                return 0 if self._await_end() else 1

    def _start_due(self) -> None:
        if self._stopping_since is not None:
            return
        now = time.monotonic()
        for worker in self._workers:
            if not worker.pid and worker.start_at <= now:
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        status_read, status_write = os.pipe()
        os.set_blocking(status_read, False)
        os.set_blocking(status_write, False)
        sys.stdout.flush()
        sys.stderr.flush()
        # Until the new process has its own handlers, an order to stop must wait: ours would swallow it there.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ORDERS)
        pid = os.fork()
        if pid == 0:
            os.close(status_read)
            self._become(worker.role, Control(status_write, self._lifeline_read))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ORDERS)
        os.close(status_write)
        worker.pid, worker.status_fd, worker.is_ready = pid, status_read, False
        worker.heard_at = time.monotonic()
        self._selector.register(status_read, selectors.EVENT_READ, worker)
        _log.info("worker.started", worker=worker.role.name, worker_pid=pid)

    def _become(self, role: Role, control: Control) -> None:
        """In the new process: never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ORDERS)
            self._selector.close()
            # The writing end must live in the supervisor alone, or its death would go unnoticed.
            os.close(self._lifeline_write)
            role.run(control)
            code = 0
        except BaseException as exc:  # noqa: BLE001 - the last frame of a process: tell, then end with a code
            _log.error("worker.failed", worker=role.name, exc=exc)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _hear(self, worker: _Worker) -> None:
        try:
            words = os.read(worker.status_fd, 4096)
        except BlockingIOError:
            return
        if not words:  # the process ended; its pipe would stay readable for ever
            self._selector.unregister(worker.status_fd)
            os.close(worker.status_fd)
            worker.status_fd = -1
            return
        worker.heard_at = time.monotonic()
        if READY in words:
            worker.is_ready = True
            worker.early_deaths = 0
            self._changed()

    def _reap(self) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            if worker.status_fd >= 0:
                self._selector.unregister(worker.status_fd)
                os.close(worker.status_fd)
                worker.status_fd = -1
            worker.pid = 0
            worker.role.died()
            if self._stopping_since is None:
                self._plan_restart(worker, os.waitstatus_to_exitcode(status))
            self._changed()

    def _plan_restart(self, worker: _Worker, code: int) -> None:
        now = time.monotonic()
        if worker.is_ready and now - worker.start_at > 60:
            worker.failures = 0
        if not worker.is_ready:
            worker.early_deaths += 1
        delay = RESTART_DELAY_S[min(worker.failures, len(RESTART_DELAY_S) - 1)]
        worker.failures += 1
        worker.start_at = now + delay
        worker.is_ready = False
        self._on_restart()
        _log.error("worker.died", worker=worker.role.name, exit_code=code, restart_in_s=delay)

    def _kill_silent(self) -> None:
        """A process whose loop has not turned for long will not come back by itself."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.pid and now - worker.heard_at > HEARTBEAT_LOST_S:
                _log.error("worker.silent", worker=worker.role.name, worker_pid=worker.pid)
                worker.heard_at = now
                _kill(worker.pid, signal.SIGKILL)

    def _changed(self) -> None:
        self._on_change([worker.role.name for worker in self._workers if worker.is_ready and worker.pid])
        if not self._announced and all(worker.is_ready for worker in self._workers):
            self._announced = True
            self._on_ready()

    def _wait_s(self) -> float:
        now = time.monotonic()
        starts = [worker.start_at - now for worker in self._workers if not worker.pid]
        return max(0.0, min([1.0, *starts]))

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()

    def _end_all(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                _kill(worker.pid, number)

    def _await_end(self) -> bool:
        """Ask all to stop, wait for at most `STOP_BUDGET_S`, kill the rest; whether none had to be killed."""
        _log.info("server.stopping")
        self._stopping_since = self._stopping_since or time.monotonic()
        self._on_stop()
        self._end_all(signal.SIGTERM)
        while any(worker.pid for worker in self._workers):
            left = self._stopping_since + STOP_BUDGET_S - time.monotonic()
            if left <= 0:
                for worker in self._workers:
                    if worker.pid:
                        _log.error("worker.killed", worker=worker.role.name, worker_pid=worker.pid)
                        _kill(worker.pid, signal.SIGKILL)
                        os.waitpid(worker.pid, 0)
                return False
            self._selector.select(timeout=min(left, 0.05))
            for key in list(self._selector.get_map().values()):
                if key.data is None:
                    _drain(key.fd)
            self._reap()
        _log.info("server.stopped")
        return True


def _kill(pid: int, number: signal.Signals) -> None:
    # Not reaped yet, so the pid cannot be another process's.
    os.kill(pid, number)


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass
