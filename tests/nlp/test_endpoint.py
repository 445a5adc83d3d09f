"""Engines on another computer or from a folder: patient, private, plain about what is wrong, and off by default."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.config import EndpointSettings, NlpSettings, Settings
from nlp.embed import EmbedderError, sentence_embedder
from nlp.endpoint import EndpointEmbedder, EndpointError, EndpointSentiment, without_numbers
from nlp.local_folder import FolderEmbedder
from nlp.scoring import sentiment_engine, text_embedder

KEY = "s3cret"


class Server(ThreadingHTTPServer):
    """Behaves like the servers of language models do, good days and bad days; ``faults`` come first, one a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[Any] = []
        self.received: list[dict[str, Any]] = []
        self.most_scores = 100

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.answer(401, {"error": {"message": f"wrong key for {body}"}})
        self.server.received.append(body)
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "slow":
            time.sleep(0.6)
        elif fault == "cut":
            return self.connection.close()
        elif isinstance(fault, int):
            return self.answer(fault, {"error": {"message": str(body)}}, {"Retry-After": "7"} if fault == 429 else {})
        elif fault is not None:
            return self.answer(200, fault)
        if self.path == "/v1/embeddings":
            rows = [
                {"object": "embedding", "index": number, "embedding": vector(text)}
                for number, text in enumerate(body["input"])
            ]
            return self.answer(200, {"object": "list", "data": rows[::-1], "model": body["model"]})
        if self.path == "/v1/chat/completions":
            texts = json.loads(body["messages"][1]["content"])
            scores = [0.9 if "好" in text else 0.2 for text in texts][: self.server.most_scores]
            content = f"好的,结果如下:\n```json\n{json.dumps({'scores': scores})}\n```"
            return self.answer(200, {"choices": [{"message": {"role": "assistant", "content": content}}]})
        return self.answer(404, {"error": "no such path"})

    def answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        payload = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may have given up
            self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        pass


def vector(text: str) -> list[float]:
    return [byte / 10 for byte in hashlib.sha256(text.encode()).digest()[:8]]


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def to(server: Server, **others: Any) -> EndpointSettings:
    given = {"url": server.url, "embedding_model": "bge", "sentiment_model": "qwen", "key": SecretStr(KEY)}
    return EndpointSettings(**(given | {"batch_size": 3, "attempts": 4} | others))


def test_vectors_come_in_batches_in_the_order_of_the_texts_and_of_unit_length(server: Server) -> None:
    texts = [f"洗衣机坏了{n}" for n in range(8)] + [""]
    vectors = EndpointEmbedder(to(server)).embed(texts)
    expected = np.array([vector(text or " ") for text in texts])
    assert vectors == pytest.approx(expected / np.linalg.norm(expected, axis=1, keepdims=True), abs=1e-6)
    assert [len(body["input"]) for body in server.received] == [3, 3, 3]


def test_what_may_pass_is_asked_again_as_long_as_the_server_wishes(server: Server) -> None:
    waits: list[float] = []
    server.faults = [429, 503, {"data": [{"index": 0}]}]
    assert EndpointEmbedder(to(server), waits.append).embed(["退款"]).shape == (1, 8)
    assert waits == [7.0, 2.0, 4.0]
    server.faults = ["cut", "slow"]
    assert EndpointEmbedder(to(server, timeout_seconds=0.3), waits.append).embed(["退款"]).shape == (1, 8)
    server.faults = [500] * 4
    with pytest.raises(EndpointError, match=r"HTTP 500, 4 times; the server itself has a fault"):
        EndpointEmbedder(to(server), waits.append).embed(["退款"])


@pytest.mark.parametrize(
    ("faults", "others", "message"),
    [
        ([], {"key": SecretStr("wrong")}, "HTTP 401; set HUIYIN_NLP__ENDPOINT__KEY"),
        ([400], {}, "HTTP 400; .*model's name"),
        ([404], {}, "HTTP 404; check nlp.endpoint.url"),
        ([{"data": [{"index": 5, "embedding": [1.0]}]}] * 4, {}, "the answer has another shape"),
        ([{"data": [{"index": 0, "embedding": [1.0, float("nan")]}]}] * 4, {}, "the answer has another shape"),
    ],
)
def test_what_will_not_pass_is_told_with_its_remedy_and_without_text_or_key(
    server: Server, faults: list[Any], others: dict[str, Any], message: str
) -> None:
    server.faults = list(faults)
    with pytest.raises(EndpointError, match=message) as caught:
        EndpointEmbedder(to(server, **others), lambda _: None).embed(["我叫王小明"])
    assert "王小明" not in str(caught.value) and "wrong" not in str(caught.value) and KEY not in str(caught.value)


def test_a_public_host_is_refused_unless_it_is_allowed(server: Server) -> None:
    for url in ("http://8.8.8.8/v1", "https://[2606:4700::1111]/v1"):
        with pytest.raises(EndpointError, match="outside the own network"):
            EndpointEmbedder(to(server, url=url))
    EndpointEmbedder(to(server, url="http://8.8.8.8/v1", allow_public=True))
    for url in ("", "ftp://127.0.0.1/v1", "models:8000"):
        with pytest.raises(EndpointError, match=r"nlp\.endpoint\.url"):
            EndpointEmbedder(to(server, url=url))
    with pytest.raises(EndpointError, match="embedding_model is not set"):
        EndpointEmbedder(to(server, embedding_model=""))


def test_sentiment_survives_models_that_talk_and_miscount(server: Server) -> None:
    texts = ["很好", "坏了", "真好用", "等了三天", "好"]
    engine = EndpointSentiment(to(server), lambda _: None)
    assert engine.score(texts).tolist() == [0.9, 0.2, 0.9, 0.2, 0.9]
    assert engine.judge(texts).labels == ["positive", "negative", "positive", "negative", "positive"]
    server.most_scores = 1  # one answer whatever was asked: asked one by one
    assert engine.score(texts).tolist() == [0.9, 0.2, 0.9, 0.2, 0.9]
    server.most_scores = 0
    with pytest.raises(EndpointError, match="doesn't answer with scores as asked"):
        engine.score(["很好"])


def test_numbers_and_addresses_never_leave(server: Server) -> None:
    assert without_numbers("电话138 1234 5678,邮箱a.b@c.cn,等了15天") == "电话[号码],邮箱[号码],等了15天"
    EndpointEmbedder(to(server)).embed(["打我13812345678"])
    EndpointSentiment(to(server)).score(["打我13812345678,好"])
    assert "13812345678" not in json.dumps(server.received, ensure_ascii=False)


def test_the_settings_choose_them_and_the_command_line_masks_before(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = NlpSettings(sentiment_engine="endpoint", embedder="endpoint", endpoint=to(server))
    settings = Settings(var=tmp_path, nlp=nlp)
    assert isinstance(sentiment_engine(settings), EndpointSentiment)
    embed = text_embedder(settings)
    assert embed is not None and embed(["退款", "退款"]).shape == (2, 8)
    asked = len(server.received)
    embed(["退款"])
    assert len(server.received) == asked  # vectors are kept
    for name, value in (("URL", server.url), ("SENTIMENT_MODEL", "qwen"), ("KEY", KEY)):
        monkeypatch.setenv(f"HUIYIN_NLP__ENDPOINT__{name}", value)
    monkeypatch.setenv("HUIYIN_VAR", str(tmp_path))
    (tmp_path / "in.csv").write_text("text,label\n张先生住在朝阳区建国路88号院3号楼,好\n坏了,差\n好,好\n", "utf-8")
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "in.csv"), "--engines", "endpoint,default"])
    assert result.exit_code == 0, result.output
    assert "建国路88号" not in json.dumps(server.received, ensure_ascii=False)
    assert KEY not in repr(Settings().nlp) and Settings().nlp.sentiment_engine == "default"


def test_a_folder_without_a_model_or_without_its_packages_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="embedder_folder is not set"):
        sentence_embedder(Settings(var=tmp_path, nlp=NlpSettings(embedder="folder")))
    with pytest.raises(EmbedderError, match="is no folder of sentence-transformers"):
        FolderEmbedder(tmp_path)
    (tmp_path / "modules.json").write_text("[]", "utf-8")
    if importlib.util.find_spec("sentence_transformers") is None:
        with pytest.raises(EmbedderError, match="pip install sentence-transformers"):
            FolderEmbedder(tmp_path)


def test_an_onnx_export_gives_the_vectors_of_its_model(tmp_path: Path) -> None:
    """A model whose token vectors are rows of a table: the pooled vector is their mean or their maximum."""
    onnx = pytest.importorskip("onnx", reason="onnx writes the model of this test")
    pytest.importorskip("onnxruntime", reason="embedder folder is optional")
    tokenizers = pytest.importorskip("tokenizers", reason="embedder folder is optional")
    words = {"[PAD]": 0, "[UNK]": 1, "退": 2, "款": 3, "漏": 4, "水": 5}
    table = np.random.default_rng(1).normal(size=(len(words), 6)).astype(np.float32)
    cutter = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    cutter.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    cutter.save(str(tmp_path / "tokenizer.json"))
    helper, kind = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["token_embeddings"])],
        "g",
        [helper.make_tensor_value_info("input_ids", kind.INT64, ["n", "t"])],
        [helper.make_tensor_value_info("token_embeddings", kind.FLOAT, ["n", "t", 6])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "model.onnx"))
    (tmp_path / "config.json").write_text("{}", "utf-8")
    (tmp_path / "1_Pooling").mkdir()
    versions = set()
    for mode, pooled in (("mean_tokens", np.mean), ("max_tokens", np.max)):
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}), "utf-8")
        embedder = FolderEmbedder(tmp_path)
        expected = np.stack([pooled(table[[2, 3]], axis=0), pooled(table[[4, 5, 1, 1]], axis=0)])
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        assert embedder.embed(["退款", "漏水了吗"]) == pytest.approx(expected, abs=1e-5)
        versions.add(embedder.version)
    assert len(versions) == 2 and embedder.dimension == 6
