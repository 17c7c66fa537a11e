"""A few rows of every task, as its files have them."""

import json

_PAIR = "index\tsentence1\tsentence2\t{}\n0\tthe cat\ta dog ran\t{}\n1\tone word\tnow\t{}\n"
_ANSWERED = {
    "context": "the cat ran to the water",
    "qas": [
        {"id": "1", "question": "who ran", "answers": [{"text": "the cat", "answer_start": 0}]},
        {"id": "2", "question": "where", "answers": [{"text": "the water", "answer_start": 15}]},
    ],
}
_UNANSWERED = {"id": "3", "question": "how", "answers": [], "is_impossible": True}
_CHOICES = {"question": "who", "choice": ["a cat", "a dog", "people"], "answer": "a dog"}
_DIALOGUE = [[["a: see the dog", "b: now"], [_CHOICES], "1"]]
_SWAG = (
    "video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label\n"
    "v,1,s,the dog ran.,it,gold,ran,is,was,made,2\n"
)


def _squad(version):
    paragraph = _ANSWERED
    if version == "2.0":
        paragraph = {**paragraph, "qas": [*paragraph["qas"], _UNANSWERED]}
    article = {"title": "t", "paragraphs": [paragraph]}
    return json.dumps({"version": version, "data": [article]})


def _lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


# The file of the split `{}`, and what is in it.
FILES = {
    "classification": (
        "{}.jsonl",
        _lines({"text": "the cat", "label": "x"}, {"text": "a dog ran", "label": "y"}),
    ),
    "multi-label": (
        "{}.jsonl",
        _lines({"text": "the cat", "labels": ["x", "y"]}, {"text": "a dog ran", "labels": []}),
    ),
    "regression": ("{}.csv", "text,score\nthe cat,0.5\na dog ran,2\n"),
    "cola": ("{}.tsv", "gj04\t0\t*\tdog the ran.\ngj04\t1\t\tthe dog ran.\n"),
    "sst-2": ("{}.tsv", "sentence\tlabel\na first word\t1\nno\t0\n"),
    "mrpc": (
        "{}.tsv",
        "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tone word\ta word\n0\t1\t2\ta\tb\n",
    ),
    "sts-b": ("{}.tsv", _PAIR.format("score", "2.5", "0.0")),
    "qqp": (
        "{}.tsv",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tHow?\tHow so?\t1\n"
        "4\t5\t6\tWhy?\tWhat?\t0\n",
    ),
    "mnli": ("{}.tsv", _PAIR.format("gold_label", "neutral", "entailment")),
    "qnli": (
        "{}.tsv",
        "index\tquestion\tsentence\tlabel\n0\thow\tso\tentailment\n1\ta\tb\tnot_entailment\n",
    ),
    "rte": ("{}.tsv", _PAIR.format("label", "entailment", "not_entailment")),
    "wnli": ("{}.tsv", _PAIR.format("label", "1", "0")),
    "squad-1.1": ("{}-v1.1.json", _squad("1.1")),
    "squad-2.0": ("{}-v2.0.json", _squad("2.0")),
    "multiple-choice": (
        "{}.jsonl",
        _lines({"context": "the dog", "choices": ["ran", "is a cat"], "label": 0}),
    ),
    "swag": ("{}.csv", _SWAG),
    "codah": ("{}.tsv", "p\tthe dog ran. it\tis\twas\tran\tmade\t2\n"),
    "dream": ("{}.json", json.dumps(_DIALOGUE)),
    "c3": ("c3-d-{}.json", json.dumps(_DIALOGUE)),
    "sts-embedding": ("{}.tsv", _PAIR.format("score", "2.5", "0.0")),
    "conll-2003": (
        "{}.txt",
        "-DOCSTART- -X- -X- O\n\nthe DT B-NP O\ncat NN I-NP B-PER\nran V B-V O\n\nnow RB B O\n",
    ),
    "ner": ("{}.txt", "the O\ncat B-PER\nran O\n\nnow O\n"),
}
FILES["conll-2003-features"], FILES["ner-features"] = FILES["conll-2003"], FILES["ner"]
# What other tasks call their splits.
SPLITS = {
    "mnli": {"dev": ("dev_matched", "dev_mismatched")},
    "swag": {"dev": ("val",)},
}


def write_files(name, directory):
    """Writes the training and dev files of a task."""
    pattern, content = FILES[name]
    directory.mkdir(exist_ok=True)
    for split in ("train", "dev"):
        for file in SPLITS.get(name, {}).get(split, (split,)):
            (directory / pattern.format(file)).write_text(content, encoding="utf-8")
            if name == "c3":
                (directory / f"c3-m-{file}.json").write_text(content, encoding="utf-8")
