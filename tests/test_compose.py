"""Promise 27: the compose stack is closed. The files are read as a machine would read them."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"

#: repository:tag, the tag beginning with a full version number; «latest» and bare names fail.
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*$")
#: ``NAME: value`` lines whose name says that the value is a secret.
SECRET = re.compile(r"(KEY|TOKEN|PASSWORD|SECRET)$", re.IGNORECASE)


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def services(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = stack["services"]
    return found


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, arguments) line by line, comments gone and continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"))
    lines = text.replace("\\\n", " ").splitlines()
    pairs = [line.strip().partition(" ") for line in lines if line.strip()]
    return [(instruction.upper(), rest.strip()) for instruction, _, rest in pairs]


# ------------------------------------------------------------------ docker-compose.yml


def test_compose_file_follows_the_published_schema(stack):
    """The compose specification's own JSON schema, as check-jsonschema ships it, accepts it."""
    schema = Path(
        str(
            distribution("check-jsonschema").locate_file(
                "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
            )
        )
    )
    jsonschema.validate(stack, json.loads(schema.read_text("utf-8")))


def test_only_loopback_ports_are_published(services):
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    for port in published:
        assert isinstance(port, str), "the short form shows the address at a glance"
        assert port.startswith("127.0.0.1:"), port


def test_qdrant_refuses_to_start_without_a_key(services):
    key = services["qdrant"]["environment"]["QDRANT__SERVICE__API_KEY"]
    assert key.startswith("${QDRANT_API_KEY:?"), "«:?» stops compose when unset or empty"
    assert services["app"]["environment"]["RAG_QDRANT_API_KEY"] == key


def test_every_image_has_a_full_version(services):
    for name, service in services.items():
        assert PINNED.match(service["image"]), f"{name}: {service['image']}"


def test_the_app_image_carries_the_version_of_the_project(services):
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    version = re.search(r'(?m)^version = "([^"]+)"', project)
    assert version
    assert services["app"]["image"] == f"affidavit:{version[1]}"
    assert services["evaluation"]["image"] == services["app"]["image"]


@pytest.mark.parametrize("file", ["docker-compose.yml", ".env.example", "Dockerfile"])
def test_no_file_carries_a_secret(file):
    for line in (ROOT / file).read_text("utf-8").splitlines():
        name, separator, value = re.sub(r"\s#.*", "", line.lstrip("# ")).partition("=")
        if ":" in name:
            name, separator, value = line.partition(":")
        if separator and SECRET.search(name.strip()):
            assert not value.strip() or value.strip().startswith("${"), line


def test_every_server_has_a_health_check(services):
    servers = [s for s in services.values() if s.get("ports")]
    assert len(servers) == 2
    for service in servers:
        check = service["healthcheck"]
        assert {"test", "interval", "timeout", "retries"} <= check.keys()
        assert not {"curl", "wget"} & set(" ".join(check["test"]).split()), "not in these images"


def test_the_stack_waits_for_qdrant_and_not_for_a_model_download(services):
    assert services["app"]["depends_on"] == {"qdrant": {"condition": "service_healthy"}}
    assert services["ollama"]["profiles"] == ["ollama"]


def test_no_service_can_step_out_of_its_container(services):
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        forbidden = {
            "privileged",
            "network_mode",
            "pid",
            "ipc",
            "cap_add",
            "devices",
            "userns_mode",
        }
        assert not forbidden & service.keys(), name
        assert "docker.sock" not in json.dumps(service), name


@pytest.mark.parametrize(
    ("name", "target"), [("app", "/documents"), ("evaluation", "/questions.jsonl")]
)
def test_our_services_write_to_their_volume_and_nowhere_else(services, name, target):
    service = services[name]
    assert service["read_only"] is True
    mounts = [v for v in service["volumes"] if isinstance(v, dict)]
    assert [m["target"] for m in mounts] == [target]
    assert all(m["read_only"] and not m["bind"]["create_host_path"] for m in mounts)
    assert [v for v in service["volumes"] if isinstance(v, str)] == ["state:/data"]
    assert not service.get("ports")


def test_the_evaluation_is_closed_like_the_app_and_runs_only_when_asked_for(services):
    """Without questions there is nothing to evaluate, and `up` alone must not fail on that."""
    app, evaluation = services["app"], services["evaluation"]
    assert evaluation["profiles"] == ["evaluation"]
    own = {"profiles", "restart", "command", "volumes", "stop_grace_period"}
    assert {k: v for k, v in evaluation.items() if k not in own} == {
        k: v for k, v in app.items() if k not in own
    }


def test_the_evaluations_command_is_one_that_can_be_typed(services):
    """With the defaults of its variables it is a schedule, and stops within its grace period."""
    from eval.cli_schedule import _GRACE, schedule
    from eval.cron import Schedule

    words = [re.sub(r"\$\{\w+:-(.*)\}", r"\1", w) for w in services["evaluation"]["command"]]
    assert words[:3] == ["rag", "eval", "schedule"]
    with schedule.make_context("schedule", words[3:], obj={}) as context:
        given = context.params
    made = Schedule.of(given["questions"], given["cron"], given["timezone"])
    assert (made.cron, made.timezone) == ("0 3 * * *", "UTC")
    assert int(services["evaluation"]["stop_grace_period"].removesuffix("s")) > _GRACE


def test_ollama_and_qdrant_do_not_share_a_network(services):
    assert not set(services["ollama"]["networks"]) & set(services["qdrant"]["networks"])


def test_every_variable_of_the_compose_file_is_explained_in_the_example():
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE.read_text("utf-8")))
    assert used
    example = (ROOT / ".env.example").read_text("utf-8")
    explained = set(re.findall(r"(?m)^#?([A-Z_]+)=", example))
    assert used <= explained, used - explained


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        pytest.param(200, True, id="ready"),
        pytest.param(503, False, id="still starting"),
        pytest.param(None, False, id="port closed"),
    ],
)
def test_the_qdrant_health_check_tells_ready_from_not_ready(services, status, healthy):
    """The very command of the file, run by bash against a server that answers /readyz."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_port
        if status is None:
            server.server_close()
        else:
            threading.Thread(target=server.handle_request, daemon=True).start()
        _, *command = services["qdrant"]["healthcheck"]["test"]
        command = [part.replace("6333", str(port)).replace("$$", "$") for part in command]
        done = subprocess.run(command, capture_output=True, timeout=20)
    assert (done.returncode == 0) is healthy
    assert asked == ([] if status is None else ["/readyz"])


# ------------------------------------------------------------------ Dockerfile


def test_every_stage_starts_from_a_full_version():
    stages = [rest.split()[0] for instruction, rest in dockerfile() if instruction == "FROM"]
    assert len(stages) == 2
    for image in stages:
        assert PINNED.match(image), image


def test_the_container_runs_as_an_ordinary_user():
    users = [rest for instruction, rest in dockerfile() if instruction == "USER"]
    assert users, "no USER line"
    assert users[-1] not in ("root", "0", "0:0")
    last_from = max(i for i, (name, _) in enumerate(dockerfile()) if name == "FROM")
    assert ("USER", users[-1]) in dockerfile()[last_from:], "in the final stage"


def test_nothing_is_fetched_by_address_or_piped_into_a_shell():
    for instruction, rest in dockerfile():
        assert instruction != "ADD", "ADD can fetch; COPY cannot"
        assert not re.search(r"https?://", rest), rest
        assert not re.search(r"\b(curl|wget)\b", rest), rest
        assert not re.search(r"\|\s*(ba)?sh\b", rest), rest


def test_the_container_is_offline_and_the_model_prepared():
    offline = [rest for name, rest in dockerfile() if name == "ENV" and "HF_HUB_OFFLINE=1" in rest]
    assert len(offline) == 2, "while building and while running"
    assert any(
        "rag.prepared_model import prepare" in rest for name, rest in dockerfile() if name == "RUN"
    )


def test_the_build_copies_nothing_that_was_not_named():
    """.dockerignore shuts everything out first, so keys, indexes and documents stay out."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for name, rest in dockerfile()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == allowed
