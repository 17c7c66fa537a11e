"""Which operations a graph may hold, so that stock TensorFlow Serving can run it."""

# TensorFlow Serving links tensorflow_text's `ops_lib` (tensorflow_model_server's BUILD file,
# SUPPORTED_TENSORFLOW_OPS). Of the operations there, those are listed that its older images have
# too; `TFText>RoundRobinTrim`, which packing by tf-text needs, is missing in them
# (tensorflow/serving issue 2267).
SERVED_TEXT_OPERATIONS = frozenset(
    {
        "CaseFoldUTF8",
        "NormalizeUTF8",
        "RegexSplitWithOffsets",
        "WordpieceTokenizeWithOffsets",
        "FastWordpieceTokenizeWithOffsets",
        "FastBertNormalize",
    }
)

# TensorFlow has them, and they call Python.
REFUSED_OPERATIONS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
