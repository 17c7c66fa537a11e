import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from keras_bert.training.termination import Termination

# Says when it has begun a step that never comes back to Python, as a hung collective does not.
HANGING = """
import contextlib, ctypes, signal, sys
from keras_bert.training.termination import Termination
signal.signal(signal.SIGINT, signal.default_int_handler)
with Termination() as termination, contextlib.ExitStack() as stack:
    if {deferred}:
        stack.enter_context(termination.deferred())
    print("hangs", flush=True)
    lock = ctypes.create_string_buffer(64)
    for _ in range(2):  # No signal ends the second wait, which is without Python's own lock.
        ctypes.CDLL(None).pthread_mutex_lock(lock)
"""


@pytest.fixture
def handlers():
    earlier = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    wakeup = signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(wakeup)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_noted_or_ends_at_once(handlers, number, code):
    with Termination() as termination:
        with termination.deferred():
            assert termination.code is None
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGTERM)  # At once, so one signal that came twice.
        assert termination.code == code
    os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(SystemExit) as error, Termination():
        signal.raise_signal(number)
    assert error.value.code == code


def test_handlers_come_back_when_nothing_happened(handlers):
    earlier, threads = signal.getsignal(signal.SIGTERM), threading.active_count()
    with Termination():
        assert signal.getsignal(signal.SIGTERM) != earlier
    assert signal.getsignal(signal.SIGTERM) == earlier
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads


@pytest.mark.parametrize("deferred", [True, False])
@pytest.mark.parametrize(("first", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_what_hangs(first, code, deferred):
    command = [sys.executable, "-c", HANGING.format(deferred=deferred)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert process.stdout.readline() == "hangs\n"
            time.sleep(0.3)  # Until it is in the second wait.
            process.send_signal(first)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == code
    assert "checkpoint stands" in errors.splitlines()[-1]
