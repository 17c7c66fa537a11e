"""What Keras documents for training holds for our models, in numbers."""

import keras
import numpy as np
import pytest

from tests.keras_bert.models.keras_contract import (
    BATCH,
    CROSS_ENTROPY,
    TABLE,
    Greatest,
    data_of,
    make_model,
    plain,
    run,
    sgd,
    squares,
)

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends train as Keras does"
)
# The others run their steps eagerly, which takes half the time; in `make test-all` all are graphs.
GRAPHS = (
    "loss: unregistered class",
    "loss: ignored class",
    "outputs: dictionary",
    "metrics: own",
    "metrics: of Keras, one-hot",
    "method: compute_loss",
    "method: train_step and test_step",
    "option: steps_per_execution",
    "option: gradient accumulation of Keras",
    "option: loss scaling",
    "option: generator",
)


@pytest.fixture(autouse=True)
def _quick_graphs(monkeypatch):
    """Less to trace and to optimise: the step is tested here, not the kernels within."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    from keras_bert.layers import tensorflow_kernels

    monkeypatch.setattr(tensorflow_kernels, "is_compiled_by_xla", lambda: True)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def assert_same_numbers(one, other, tolerance=1e-5):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=tolerance, atol=tolerance, err_msg=name)


def check(name, **options):
    case = TABLE[name]
    ours = run(make_model(case.model, case.model_class), case, **options)
    assert_same_numbers(ours, run(plain(case), case, **options))


@on_tensorflow
@pytest.mark.parametrize("name", [name for name in TABLE if name != "option: jit_compile"])
def test_the_numbers_are_those_of_plain_keras(name):
    check(name, **({} if name in GRAPHS else {"run_eagerly": True, "epochs": 1}))


@on_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TABLE if name not in GRAPHS])
def test_the_numbers_of_graphs_are_those_of_plain_keras(name):
    check(name)


@on_tensorflow
def test_batches_one_by_one_are_those_of_plain_keras():
    case, found = TABLE["metrics: of Keras, sparse"], []
    data = data_of("classifier")
    x, y = {name: rows[:BATCH] for name, rows in data["x"].items()}, data["y"][:BATCH]
    for model in (make_model("classifier"), plain(case)):
        model.compile(sgd(), CROSS_ENTROPY(), metrics=["accuracy"])
        numbers = [model.train_on_batch(x, y, class_weight={0: 1.0, 1: 2.0, 2: 0.5})]
        numbers += [model.test_on_batch(x, y), model.train_on_batch(x, y, return_dict=True)["loss"]]
        found.append([*np.hstack(numbers), *model.predict_on_batch(x).ravel()])
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)


# ---- Steps that are not finite -------------------------------------------------------------------


def with_nan(rows):
    data = data_of("classifier")
    targets = data["one_hot"].copy()
    targets[rows] = np.nan
    return data["x"], targets


@on_tensorflow
@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}])
def test_a_step_that_is_not_finite_shows_and_changes_no_weight(options):
    x, targets = with_nan(slice(None))
    model = make_model("classifier")
    model.compile("adam", "mse", metrics=["mae"], **options)
    before = model.get_weights()
    with pytest.warns(RuntimeWarning, match="skipped_steps") as warned:
        history = model.fit(x, targets, batch_size=BATCH, epochs=2, verbose=0).history
    assert len(warned) == 1
    assert np.isnan(history["loss"]).all()
    assert np.isnan(history["mae"]).all()
    assert model.skipped_steps == model.skipped_steps_in_a_row == 6
    assert int(model.optimizer.iterations) == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@on_tensorflow
@pytest.mark.filterwarnings("ignore:a training step:RuntimeWarning")
def test_the_other_batches_of_the_epoch_count():
    x, targets = with_nan(0)
    model = make_model("classifier")
    model.compile(sgd(), "mse")
    history = model.fit(x, targets, batch_size=BATCH, shuffle=False, verbose=0).history
    assert np.isnan(history["loss"]).all()
    assert (model.skipped_steps, model.skipped_steps_in_a_row) == (1, 0)
    assert int(model.optimizer.iterations) == 2
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    # The next epoch begins anew.
    history = model.fit(x, data_of("classifier")["one_hot"], verbose=0).history
    assert np.isfinite(history["loss"]).all()


@on_tensorflow
@pytest.mark.filterwarnings("ignore:a training step:RuntimeWarning")
def test_callbacks_see_a_loss_that_is_not_finite():
    x, targets = with_nan(slice(None))
    model = make_model("classifier")
    model.compile("adam", "mse", run_eagerly=True)
    seen = []
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs)),
    ]
    model.fit(x, targets, batch_size=BATCH, epochs=3, verbose=0, callbacks=callbacks)
    assert len(seen) == 1
    assert np.isnan(seen[0]["loss"])


@on_tensorflow
@pytest.mark.filterwarnings("ignore:a training step:RuntimeWarning")
def test_an_infinite_gradient_of_a_finite_loss_changes_no_weight():
    data = data_of("classifier")
    model = make_model("classifier")
    # The root of zero has no gradient.
    model.compile(
        "adam", lambda y, p: squares(y, p) + keras.ops.sqrt(0 * p[:, 0]), run_eagerly=True
    )
    before = model.get_weights()
    history = model.fit(data["x"], data["one_hot"], verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert model.skipped_steps == 1
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# ---- From disk -----------------------------------------------------------------------------------


def test_a_model_comes_back_compiled_with_the_state_of_its_optimizer(tmp_path):
    data = data_of("classifier")
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model = make_model("classifier")
    model.compile(keras.optimizers.Adam(1e-2), CROSS_ENTROPY(), metrics=["accuracy"])
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss")
    model.fit(data["x"], data["y"], **options, callbacks=[best])
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    numbers = []
    for one in (model, loaded):
        assert int(one.optimizer.iterations) == 3
        evaluated = one.evaluate(data["x"], data["y"], verbose=0)
        history = one.fit(data["x"], data["y"], **options).history
        numbers.append([*evaluated, *history["loss"], *history["accuracy"]])
    np.testing.assert_allclose(*numbers, rtol=1e-6, atol=1e-6)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


# ---- Splitting -----------------------------------------------------------------------------------


def accumulated(name, steps=2, **options):
    case = TABLE[name]
    model = make_model(case.model, case.model_class)
    model.gradient_accumulation_steps = steps
    return run(model, case, run_eagerly=True, **options)


@on_tensorflow
@pytest.mark.parametrize(
    "name",
    [
        "loss: function",
        "loss: unregistered class",
        "loss: masked values",
        "loss: masked values, by weight",
        "loss: ignored class, weighted",
        "loss: reduction sum",
        "loss: reduction mean_with_sample_weight",
        "outputs: dictionary of one kind",
        "outputs: list",
        "metrics: of Keras, sparse",
        "method: regularizer",
    ],
)
def test_accumulation_gives_the_numbers_of_the_undivided_batch(name):
    case = TABLE[name]
    whole = run(make_model(case.model, case.model_class), case, run_eagerly=True, epochs=1)
    assert_same_numbers(accumulated(name, epochs=1), whole)


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("loss: own __call__", "OwnCall"),
        ("loss: one number for a batch", "`loss`.* gives \\(\\)"),
        ("loss: reduction none", "`reduction`.*'none'"),
        ("metrics: own", "`metrics`.*greatest"),
        ("method: compute_loss", "`compute_loss` of ComputesLoss"),
        ("method: compute_metrics", "`compute_metrics` of ComputesMetrics"),
        ("method: add_loss", "`add_loss` of the layer adds_loss"),
        ("method: train_step and test_step", "StepsByItself"),
    ],
)
def test_what_cannot_be_split_is_refused_by_name(name, message):
    from keras_bert.errors import InputError

    with pytest.raises(InputError, match=message):
        accumulated(name, epochs=1)


@on_tensorflow
def test_a_metric_of_one_number_for_a_batch_cannot_be_split():
    from keras_bert.errors import InputError

    data = data_of("classifier")
    model = make_model("classifier")
    model.gradient_accumulation_steps = 2
    model.compile(sgd(), "mse", metrics=[lambda y, p: keras.ops.mean(p)], run_eagerly=True)
    with pytest.raises(InputError, match="gives one number for a batch"):
        model.train_on_batch(data["x"], data["one_hot"])


@on_tensorflow
def test_a_metric_may_say_that_its_state_is_a_sum():
    class Count(Greatest):
        state_is_a_sum = True

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(self.value + keras.ops.cast(keras.ops.shape(y_pred)[0], "float32"))

    data = data_of("classifier")
    model = make_model("classifier")
    model.gradient_accumulation_steps = 4
    model.compile(sgd(), "mse", metrics=[Count()], run_eagerly=True)
    assert model.train_on_batch(data["x"], data["one_hot"])[1] == 16


# ---- XLA -----------------------------------------------------------------------------------------


def test_xla_is_asked_for_by_name(monkeypatch):
    model = make_model("classifier")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda *kind: [gpu])
        model.compile("sgd", "mse")
        assert model.jit_compile is False
    model.compile("sgd", "mse", jit_compile=True)
    assert model.jit_compile is True


class Lazy(keras.metrics.Metric):
    """Makes its variables in its first update: one from an initialiser, one from a tensor."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not hasattr(self, "total"):
            self.total = self.add_variable((), initializer="zeros", name="total")
        self.total.assign_add(keras.ops.sum(keras.ops.cast(y_pred, "float32")))

    def result(self):
        return self.total + 0.0


@on_tensorflow
@pytest.mark.parametrize("scaled", [False, True])
def test_layers_that_the_first_step_builds_are_trained(scaled):
    def with_more(base):
        class More(base):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.more = keras.layers.Dense(3)

            def call(self, inputs, training=None):
                return self.more(super().call(inputs, training=training))

        return More

    def trained(steps_of_keras):
        keras.utils.set_random_seed(0)
        model, data = make_model("classifier", with_more), data_of("classifier")
        optimizer = sgd()
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=4.0)
        if steps_of_keras:
            inputs = {
                name: keras.Input(rows.shape[1:], dtype=rows.dtype, name=name)
                for name, rows in data["x"].items()
            }
            model = keras.Model(inputs, model(inputs))
        model.compile(optimizer, CROSS_ENTROPY())
        return model.fit(data["x"], data["y"], batch_size=16, epochs=3, verbose=0).history

    assert_same_numbers(trained(False), trained(True))


@on_tensorflow
@pytest.mark.parametrize("optimizer", ["adam", "loss_scale_optimizer"])
def test_a_step_is_traced_once(optimizer):
    """Variables of the optimizer, the losses and the metrics are made within the first step."""
    traces = []

    def counted(base):
        class Counted(base):
            def call(self, inputs, training=None):
                traces.append(training)
                return super().call(inputs, training=training)

        return Counted

    if optimizer == "loss_scale_optimizer":
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    model, data = make_model("spans", counted), data_of("spans")
    metrics = {"start_logits": ["accuracy", Lazy(name="lazy")], "end_logits": "accuracy"}
    model.compile(optimizer, CROSS_ENTROPY(), metrics=metrics)
    traces.clear()
    history = model.fit(**data, batch_size=8, epochs=2, verbose=0, validation_split=0.5).history
    assert traces == [True, False]
    assert {"start_logits_loss", "start_logits_accuracy", "start_logits_lazy"} <= history.keys()
    assert len(model.optimizer.variables) > len(model.trainable_variables)
