import numpy as np
import pytest

from exports.portable import verification
from exports.portable.models import answer
from exports.portable.verification import check_file, probes
from keras_bert.errors import InputError
from tests.exports.portable.models import make


def check(model, change, monkeypatch, tmp_path, exact=True):
    calls = probes(model)
    replies = [
        {name: change(np.array(value)) for name, value in answer(model, call).items()}
        for call in calls
    ]
    monkeypatch.setattr(verification, "_replies", lambda file, calls: replies)
    return check_file(tmp_path / "model.onnx", model, calls, exact=exact)


def test_replies_must_be_near(tiny_config, monkeypatch, tmp_path):
    # Logits of padding are -1e9, which does not excuse the others.
    model = make("span", tiny_config)
    lines = check(model, lambda x: x + 5e-6, monkeypatch, tmp_path)
    assert len(lines) == 2
    assert "start_logits by " in lines[0]
    with pytest.raises(InputError, match="start_logits differ by"):
        check(model, lambda x: x + 1e-3, monkeypatch, tmp_path)
    assert check(model, lambda x: x + 1e-3, monkeypatch, tmp_path, exact=False)
    with pytest.raises(InputError, match="is not finite"):
        check(model, lambda x: x * np.nan, monkeypatch, tmp_path, exact=False)


def test_probes_have_padding_and_several_sizes(tiny_config):
    calls = probes(make("choices", tiny_config))
    shapes = [call["padding_mask"].shape for call in calls]
    assert shapes == [(1, 2, 2), (3, 2, 17), (2, 2, 40), (1, 2, 64)]
    assert all(call["padding_mask"][..., 0].all() for call in calls)
    assert not all(call["padding_mask"].all() for call in calls)
    fixed = probes(make("encoder", tiny_config), 16)
    assert {call["padding_mask"].shape for call in fixed} == {(1, 16)}
    assert len({call["padding_mask"].sum() for call in fixed}) > 1
