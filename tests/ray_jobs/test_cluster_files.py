"""The descriptions of clusters: by Ray's own validation, and by what KubeRay's reference says."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
LAUNCHED = ("cluster.yaml", "clusters/on_premises.yaml")


def content(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return read


@pytest.mark.parametrize("name", LAUNCHED)
def test_ray_takes_it(name: str) -> None:
    prepared = prepare_config(content(name))
    validate_config(prepared)
    head = prepared["available_node_types"][prepared["head_node_type"]]
    if prepared["provider"]["type"] == "aws":
        assert head["resources"]["CPU"] == 0 and head["max_workers"] == 0
    broken = {**content(name), "max_worker": 3}
    with pytest.raises(Exception, match="max_worker"):
        validate_config(prepare_config(broken))


@pytest.mark.parametrize("name", LAUNCHED)
def test_it_is_shut_and_pinned(name: str) -> None:
    config = content(name)
    starts = {
        kind: next(line for line in config[f"{kind}_start_ray_commands"] if "ray start" in line)
        for kind in ("head", "worker")
    }
    for line in starts.values():
        assert "RAY_AUTH_MODE=token" in line
    words = shlex.split(starts["head"])
    assert {"--dashboard-host=127.0.0.1", "--num-cpus=0", "--port=6379"} <= set(words)
    assert any(place.endswith(".ray/auth_token") for place in config["file_mounts"])
    setup = "\n".join(config["setup_commands"])
    assert "requirements.txt" in setup
    # As the Makefile installs it.
    pin = re.search(r"^YOLOX := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pin and pin[1] in setup
    assert ".git" in config["rsync_exclude"]


def test_on_aws_it_costs_what_it_must() -> None:
    config = content("cluster.yaml")
    types = config["available_node_types"]
    assert 0 < config["idle_timeout_minutes"] <= 15
    assert config["provider"]["cache_stopped_nodes"] is False
    for name in ("reader", "gpu"):
        assert types[name]["min_workers"] == 0
        assert types[name]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert types["gpu"]["resources"]["GPU"] >= 1
    # The head ends itself, by a command that its own shutdown makes final.
    assert types["head"]["node_config"]["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert any("ray_jobs.idle" in line for line in config["head_start_ray_commands"])
    assert any("ray_jobs.preemption" in line for line in config["worker_start_ray_commands"])


def test_on_aws_ray_makes_no_security_group() -> None:
    """Its own lets the whole world at port 22, whatever else it is told to."""
    from ray.autoscaler._private.aws.config import _create_default_inbound_rules

    world = [r for rule in _create_default_inbound_rules(["sg"]) for r in rule.get("IpRanges", [])]
    assert {"CidrIp": "0.0.0.0/0"} in world  # else the file may be made simpler
    config = content("cluster.yaml")
    assert "security_group" not in config["provider"]
    for kind in config["available_node_types"].values():
        assert kind["node_config"]["SecurityGroupIds"] == ["sg-CHANGE"]


@pytest.mark.parametrize("name", LAUNCHED)
def test_what_is_copied_and_what_is_not(name: str) -> None:
    """What is excluded Ray leaves out everywhere: also the key by which a head reaches workers."""
    config = content(name)
    excluded = config["rsync_exclude"]
    assert {".git", ".env*"} <= set(excluded) and config["rsync_filter"] == [".gitignore"]
    needed = ("ray-autoscaler_1.pem", "ray_bootstrap_config.yaml", "auth_token", "requirements.txt")
    assert not [one for one in needed for pattern in excluded if fnmatch.fnmatch(one, pattern)]


@pytest.mark.parametrize("name", LAUNCHED)
def test_commands_are_shell(name: str) -> None:
    config = content(name)
    commands = [
        line for key, lines in config.items() if key.endswith("_commands") for line in lines
    ]
    assert len(commands) > 5
    for line in commands:
        done = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)


# -- KubeRay: fields of the API reference of ray.io/v1 that are used here, and no others ---------


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Resources(Strict):
    requests: dict[str, str]
    limits: dict[str, str]


class Port(Strict):
    containerPort: int
    name: str = Field(max_length=15)


class Mount(Strict):
    name: str
    mountPath: str


class Exec(Strict):
    command: list[str]


class Handler(Strict):
    exec: Exec


class Lifecycle(Strict):
    preStop: Handler


class Container(Strict):
    name: str
    lifecycle: Lifecycle | None = None
    image: str
    resources: Resources
    ports: list[Port] = []
    volumeMounts: list[Mount] = []


class Claim(Strict):
    claimName: str


class Volume(Strict):
    name: str
    persistentVolumeClaim: Claim


class PodSpec(Strict):
    containers: list[Container] = Field(min_length=1)
    volumes: list[Volume] = []
    terminationGracePeriodSeconds: int = 30


class Template(Strict):
    spec: PodSpec


class HeadGroup(Strict):
    rayStartParams: dict[str, str]
    template: Template


class WorkerGroup(HeadGroup):
    groupName: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    replicas: int = Field(ge=0)
    minReplicas: int = Field(ge=0)
    maxReplicas: int = Field(ge=1)


class AuthOptions(Strict):
    mode: Literal["disabled", "token"]


class AutoscalerOptions(Strict):
    upscalingMode: Literal["Default", "Aggressive", "Conservative"]
    idleTimeoutSeconds: int = Field(ge=0)


class ClusterSpec(Strict):
    rayVersion: str
    authOptions: AuthOptions
    enableInTreeAutoscaling: bool
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup]


class JobSpec(Strict):
    clusterSelector: dict[str, str]
    entrypoint: str
    runtimeEnvYAML: str


class Metadata(Strict):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")


class RayCluster(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Metadata
    spec: ClusterSpec


class RayJob(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: JobSpec


def test_kuberay() -> None:
    documents = list(yaml.safe_load_all((ROOT / "clusters/kuberay.yaml").read_text()))
    cluster, job = RayCluster.model_validate(documents[0]), RayJob.model_validate(documents[1])
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned and cluster.spec.rayVersion == pinned[1]
    assert cluster.spec.authOptions.mode == "token"
    assert cluster.spec.headGroupSpec.rayStartParams["num-cpus"] == "0"
    assert job.spec.clusterSelector == {"ray.io/cluster": cluster.metadata.name}
    groups = [cluster.spec.headGroupSpec, *cluster.spec.workerGroupSpecs]
    images = {group.template.spec.containers[0].image for group in groups}
    assert len(images) == 1  # the same code everywhere
    for group in groups:
        (container,) = group.template.spec.containers
        assert container.resources.requests == container.resources.limits
        assert {m.name for m in container.volumeMounts} == {
            v.name for v in group.template.spec.volumes
        }
    for worker in cluster.spec.workerGroupSpecs:
        assert worker.minReplicas <= worker.replicas <= worker.maxReplicas
        (container,) = worker.template.spec.containers
        assert container.lifecycle
        drain = container.lifecycle.preStop.exec.command
        assert "ray_jobs.preemption" in drain
        assert float(drain[-1]) < worker.template.spec.terminationGracePeriodSeconds
    environment = yaml.safe_load(job.spec.runtimeEnvYAML)["env_vars"]
    assert all(isinstance(value, str) for value in environment.values())
    assert "odm reprocess" in job.spec.entrypoint
