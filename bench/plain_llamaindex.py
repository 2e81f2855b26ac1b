"""The usual framework script: a folder of PDFs, LlamaIndex, a local model, a local Qdrant.

    python bench/plain_llamaindex.py ingest FOLDER STORE MODEL
    python bench/plain_llamaindex.py query STORE MODEL QUESTION
    python bench/plain_llamaindex.py readable FOLDER
    python bench/plain_llamaindex.py count STORE MODEL

``ingest`` and ``query`` are what the documentation shows, with one change: the chunk size is what
the model reads, because the default of 1,024 tokens would leave three quarters of the text
unembedded. ``readable`` and ``count`` print JSON for bench/compare.py and are not timed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import MetadataMode
from llama_index.core.vector_stores.utils import metadata_dict_to_node
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from tokenizers import Tokenizer

COLLECTION = "documents"
TOP_K = 10

#: all-MiniLM-L6-v2 reads 256 tokens, two of them its own marks. The splitter takes the metadata
#: that LlamaIndex embeds with each chunk (page and path, about 40 tokens) off this by itself, so
#: the text of a chunk is about 200 tokens.
CHUNK_TOKENS = 254


def tokens_of(model: str) -> Callable[[str], list[int]]:
    """The model's own tokenizer; the framework's default would need the network."""
    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def ingest(folder: str, store: str, model: str) -> None:
    documents = SimpleDirectoryReader(folder).load_data()
    splitter = SentenceSplitter(
        chunk_size=CHUNK_TOKENS, chunk_overlap=0, tokenizer=tokens_of(model)
    )
    client = QdrantClient(path=store)
    vector_store = QdrantVectorStore(client=client, collection_name=COLLECTION)
    VectorStoreIndex.from_documents(
        documents,
        storage_context=StorageContext.from_defaults(vector_store=vector_store),
        embed_model=HuggingFaceEmbedding(model_name=model),
        transformations=[splitter],
    )
    client.close()


def query(store: str, model: str, question: str) -> None:
    client = QdrantClient(path=store)
    vector_store = QdrantVectorStore(client=client, collection_name=COLLECTION)
    index = VectorStoreIndex.from_vector_store(
        vector_store, embed_model=HuggingFaceEmbedding(model_name=model)
    )
    for found in index.as_retriever(similarity_top_k=TOP_K).retrieve(question):
        place = f"{found.metadata['file_name']}, page {found.metadata['page_label']}"
        print(f"{found.score:.3f} {place}: {' '.join(found.text.split())}", flush=True)
    client.close()


def readable(folder: str) -> None:
    """The names of the files that the reader does not skip."""
    documents = SimpleDirectoryReader(folder).load_data()
    print(json.dumps(sorted({d.metadata["file_name"] for d in documents if d.text.strip()})))


def count(store: str, model: str) -> None:
    """What stands in the store: pages, chunks, characters and tokens, metadata apart."""
    client = QdrantClient(path=store)
    points, _ = client.scroll(COLLECTION, limit=10**9, with_payload=True)
    client.close()
    nodes = [metadata_dict_to_node(p.payload or {}) for p in points]
    encode = tokens_of(model)
    embedded = [node.get_content(MetadataMode.EMBED) for node in nodes]
    lengths = [len(encode(text)) + 2 for text in embedded]
    print(
        json.dumps(
            {
                "pages": len({node.ref_doc_id for node in nodes}),
                "chunks": len(nodes),
                "text": sum(len(node.get_content(MetadataMode.NONE)) for node in nodes),
                "embedded": sum(len(text) for text in embedded),
                "tokens": sum(lengths),
                "longest": max(lengths),
                "versions": {
                    name: version(name)
                    for name in (
                        "llama-index-core",
                        "pypdf",
                        "sentence-transformers",
                        "torch",
                        "qdrant-client",
                    )
                },
            }
        )
    )


def main(arguments: list[str]) -> int:
    command, *rest = arguments or [""]
    commands: dict[str, tuple[Callable[..., None], int]] = {
        "ingest": (ingest, 3),
        "query": (query, 3),
        "readable": (readable, 1),
        "count": (count, 2),
    }
    if command not in commands or len(rest) != commands[command][1]:
        print(__doc__, file=sys.stderr)
        return 2
    commands[command][0](*rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
