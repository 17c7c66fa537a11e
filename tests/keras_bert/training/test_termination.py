import os
import signal

import pytest

from keras_bert.training.termination import Termination


@pytest.fixture
def handlers():
    earlier = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_noted_or_ends_at_once(handlers, number, code):
    with Termination() as termination:
        with termination.deferred():
            assert termination.code is None
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGTERM)  # A second one changes nothing.
        assert termination.code == code
    os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(SystemExit) as error, Termination():
        signal.raise_signal(number)
    assert error.value.code == code


def test_handlers_come_back_when_nothing_happened(handlers):
    earlier = signal.getsignal(signal.SIGTERM)
    with Termination():
        assert signal.getsignal(signal.SIGTERM) != earlier
    assert signal.getsignal(signal.SIGTERM) == earlier
