"""A user's own losses, metrics and methods, and those of Keras, for the table of the contract."""

import keras
from keras import ops

CLASSES = 3


# ---- Losses of one's own -------------------------------------------------------------------------


def squares(y, p):
    return ops.mean(ops.square(p - ops.cast(y, p.dtype)), axis=-1)


def scaled_squares(y, p, factor):
    return factor * squares(y, p)


def closure(factor):
    return lambda y, p: factor * squares(y, p)


class Unregistered(keras.losses.Loss):
    """A loss whose state no configuration tells."""

    def __init__(self, factors):
        super().__init__(name="unregistered")
        self.factors = factors
        self.calls = 0

    def call(self, y_true, y_pred):
        self.calls += 1
        return sum(self.factors) * squares(y_true, y_pred)


@keras.saving.register_keras_serializable("contract")
class ForgetsItsFactor(keras.losses.Loss):
    """A registered loss with an argument that `get_config` leaves out."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * squares(y_true, y_pred)


class OwnCall(keras.losses.Loss):
    """A loss that reduces by itself."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        return ops.max(squares(y_true, y_pred))


class NotALoss:
    """Not even a loss."""

    def __call__(self, y_true, y_pred):
        return 2 * squares(y_true, y_pred)


class MaskedValues(keras.losses.Loss):
    """Attaches a mask to its values, as `ignore_class` does."""

    def call(self, y_true, y_pred):
        values = squares(y_true, y_pred)
        values._keras_mask = ops.argmax(y_true, axis=-1) != 1
        return values


# ---- Metrics of one's own ------------------------------------------------------------------------


class Greatest(keras.metrics.Metric):
    """The greatest output so far."""

    def __init__(self, name="greatest"):
        super().__init__(name=name)
        self.value = self.add_variable((), "zeros", name="value")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(ops.maximum(self.value, ops.cast(ops.max(y_pred), "float32")))

    def result(self):
        return ops.convert_to_tensor(self.value)


class MovingMean(keras.metrics.Metric):
    """A moving mean of the batches' means."""

    def __init__(self, name="moving"):
        super().__init__(name=name)
        self.value = self.add_variable((), "ones", name="value")

    def reset_state(self):
        self.value.assign(1.0)

    def update_state(self, y_true, y_pred, sample_weight=None):
        mean = ops.cast(ops.mean(y_pred), "float32")
        self.value.assign(0.5 * self.value + 0.5 * mean)

    def result(self):
        return ops.convert_to_tensor(self.value)


class Batches(keras.metrics.Metric):
    """Counts batches in an integer, and begins at 3."""

    def __init__(self, name="batches"):
        super().__init__(name=name)
        self.count = self.add_variable((), "zeros", dtype="int32", name="count")
        self.reset_state()

    def reset_state(self):
        self.count.assign(3)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign(self.count + 1)

    def result(self):
        return ops.convert_to_tensor(self.count)


def own_metrics():
    return [Greatest(), MovingMean(), Batches(), squares, lambda y, p: ops.mean(p) + 0 * ops.sum(y)]


def sparse_metrics():
    metrics = keras.metrics
    return [
        "accuracy",
        metrics.SparseTopKCategoricalAccuracy(k=2),
        metrics.SparseCategoricalCrossentropy(from_logits=True),
        metrics.MeanIoU(num_classes=CLASSES, sparse_y_pred=False, name="iou"),
    ]


def one_hot_metrics():
    metrics = keras.metrics
    made = [
        metrics.CategoricalAccuracy(),
        metrics.TopKCategoricalAccuracy(k=2),
        metrics.CategoricalCrossentropy(from_logits=True),
        metrics.AUC(from_logits=True, num_thresholds=20),
        metrics.AUC(from_logits=True, multi_label=True, num_thresholds=20),
        metrics.Precision(thresholds=0.0),
        metrics.Recall(thresholds=[0.0, 0.5]),
        metrics.TruePositives(0.0),
        metrics.FalseNegatives(0.0),
        metrics.PrecisionAtRecall(0.5, num_thresholds=20),
        metrics.SensitivityAtSpecificity(0.5, num_thresholds=20),
        metrics.F1Score(average="macro"),
        metrics.FBetaScore(beta=0.5),
        metrics.R2Score(),
        metrics.RootMeanSquaredError(),
        metrics.MeanSquaredLogarithmicError(),
        metrics.CosineSimilarity(),
        metrics.LogCoshError(),
        metrics.PearsonCorrelation(),
        metrics.ConcordanceCorrelation(),
        metrics.CategoricalHinge(),
    ]
    for index, metric in enumerate(made):
        metric.name = f"metric_{index}"
    return ["acc", "mae", *made]


# ---- Methods of one's own ------------------------------------------------------------------------


def computes_loss(own):
    class ComputesLoss(own):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = super().compute_loss(x, y, y_pred, sample_weight, training)
            return 3 * loss + ops.mean(ops.square(y_pred))

    return ComputesLoss


def computes_loss_without_training(own):
    class ComputesLoss(own):
        def compute_loss(self, x, y, y_pred, sample_weight):
            return ops.mean(squares(ops.one_hot(y, CLASSES), y_pred))

    return ComputesLoss


def computes_metrics(own):
    class ComputesMetrics(own):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**results, "largest": ops.max(y_pred)}

    return ComputesMetrics


def adds_loss(own):
    class AddsLoss(own):
        def call(self, inputs, training=None):
            outputs = super().call(inputs, training=training)
            self.add_loss(0.1 * ops.mean(ops.square(outputs)))
            return outputs

    return AddsLoss


def regularizes(own):
    class Regularizes(own):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            kernel = self.classification_head.dense.kernel
            kernel.regularizer = keras.regularizers.L2(0.01)

    return Regularizes


def steps_by_itself(own):
    """The example of Keras' guide to `train_step`."""
    if keras.backend.backend() != "tensorflow":
        return own
    import tensorflow as tf

    class StepsByItself(own):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = 2 * self.compute_loss(y=y, y_pred=y_pred)
            variables = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

        def test_step(self, data):
            return {**super().test_step(data), "more": 7.0}

    return StepsByItself
