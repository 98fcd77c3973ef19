"""AgentDojo's side: user tasks and injection tasks as calls that are executed in its environments.

No model is asked. A run yields the calls of the benchmark's own ground truth; the calls of the injection
task stand right after the first result that carries an injected text, as if the model obeyed at once.
"""

import dataclasses
import re
import types
import warnings

import yaml
from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.attacks.important_instructions_attacks import ImportantInstructionsAttack
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.task_suite.task_suite import read_suite_file
from agentdojo.types import get_text_content_as_str

VERSION = "v1.2.2"
# What stands in a text and leads somewhere, for the attacker who needs it said by somebody else.
LEADS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:https?://|www\.)[^\s<>\"'()]+[^\s<>\"'().,;:!?]")

# A vector that stays what AgentDojo makes of it, a part of its field: tasks look for channels by how they begin.
PART_OF_A_NAME = {"prompt_injection_channel"}

if yaml.__with_libyaml__:
    # The same reader in C: environments are read once per run.
    yaml.safe_load = lambda text: yaml.load(text, yaml.CSafeLoader)
warnings.filterwarnings("ignore", module="pydantic")


@dataclasses.dataclass(frozen=True)
class Call:
    origin: str  # "user" or "injection"
    function: str
    args: dict


class World:
    """One suite, and where an attacker can write in it."""

    def __init__(self, name):
        self.name = name
        self.suite = get_suite(VERSION, name)
        pipeline = types.SimpleNamespace(name="gpt-4o-2024-05-13")
        self._attack = ImportantInstructionsAttack(self.suite, pipeline)
        self._seen = {}

    def user_tasks(self):
        return sorted(self.suite.user_tasks.values(), key=_number)

    def injection_tasks(self):
        return sorted(self.suite.injection_tasks.values(), key=_number)

    def seen(self, user_task):
        """The vectors that the user's calls show, and the number of the call that shows the first one."""
        if user_task.ID not in self._seen:
            canaries = self._attack.canary_injections
            env = self.suite.load_and_inject_default_environment(canaries)
            env = user_task.init_environment(env)
            messages = GroundTruthPipeline(user_task).query("", FunctionsRuntime(self.suite.tools), env)[3]
            texts = [get_text_content_as_str(m["content"]) for m in messages if m["role"] == "tool"]
            shown = lambda text: [v for v, canary in canaries.items() if canary in text]
            vectors = [v for v in canaries if any(v in shown(text) for text in texts)]
            at = next((n for n, text in enumerate(texts) if shown(text)), None)
            self._seen[user_task.ID] = (vectors, at)
        return self._seen[user_task.ID]

    def benign(self, user_task):
        return Run(self, user_task)

    def attack(self, user_task, injection_task):
        """The attack with AgentDojo's `important_instructions` text in every vector, or None where the
        user's calls show none."""
        vectors, at = self.seen(user_task)
        if not vectors:
            return None
        fields = {"goal": injection_task.GOAL, "user": self._attack.user_name, "model": self._attack.model_name}
        text = self._attack.jailbreak.format(task=user_task.PROMPT, **fields)
        return Run(self, user_task, injection_task, dict.fromkeys(vectors, text), at)

    def injected(self, user_task, injection_task):
        """The calls that the attacker wants, in the environment without any injection."""
        env = user_task.init_environment(self.suite.load_and_inject_default_environment({}))
        return [Call("injection", c.function, dict(c.args)) for c in injection_task.ground_truth(env)]

    def adaptive(self, user_task, injection_task, values):
        """The attacks of somebody who makes injected fields equal to the values that he needs: each value as the
        whole of every field that has a vector, and, where there are several of both, the values dealt out."""
        vectors, at = self.seen(user_task)
        deals = [dict.fromkeys(vectors, value) for value in values]
        if len(values) > 1 and len(vectors) > 1:
            for first in range(len(values)):
                deals.append({v: values[(first + n) % len(values)] for n, v in enumerate(vectors)})
        return [Run(self, user_task, injection_task, deal, at, whole=True) for deal in deals]

    def environment(self, vectors, whole):
        """The environment with these texts in the vectors or, if `whole`, in place of the fields that hold them."""
        if not whole:
            return self.suite.load_and_inject_default_environment(vectors)
        marks = {v: self._attack.canary_injections[v] for v in vectors if v not in PART_OF_A_NAME}
        text = read_suite_file(self.name, "environment.yaml", self.suite.data_path)
        defaults = self.suite.get_injection_vector_defaults()
        data = yaml.safe_load(text.format(**{**defaults, **vectors, **marks}))
        replaced = _replaced(data, {mark: vectors[v] for v, mark in marks.items()})
        return self.suite.environment_type.model_validate(replaced)


class Run:
    """The calls of one run, one after the other, and the environment that they act on."""

    def __init__(self, world, user_task, injection_task=None, vectors=None, at=None, whole=False):
        self.suite = world.name
        self.user_task = user_task.ID
        self.injection_task = injection_task.ID if injection_task else None
        self.vectors = vectors or {}
        self.turn = user_task.PROMPT
        self._at, self._whole = at, whole
        self._injection = injection_task
        self._user = user_task
        self._world = world
        self._runtime = FunctionsRuntime(world.suite.tools)
        self.env = None

    def calls(self):
        """The calls. Whoever takes one executes it before he takes the next."""
        self.env = self._world.environment(self.vectors, self._whole)
        self.env = self._user.init_environment(self.env)
        for n, call in enumerate(self._user.ground_truth(self.env)):
            yield Call("user", call.function, _plain(call.args))
            if n == self._at:
                for injected in self._injection.ground_truth(self.env):
                    yield Call("injection", injected.function, _plain(injected.args))

    def execute(self, call):
        """What the tool returns, as the text that a model would be shown, and whether it failed."""
        return execute(self._runtime, self.env, call)


def execute(runtime, env, call):
    result, error = runtime.run_function(env, call.function, dict(call.args))
    if error is not None:
        return error, True
    return tool_result_to_str(result), False


def needed(calls, roles):
    """The values that an attacker's calls need: whole values of identity arguments, and what in texts leads
    somewhere. `roles` are those of the manifests: tool → {pointer: role}."""
    values = []
    for call in calls:
        for pointer, text in _strings(call.args, ""):
            role = _role(roles.get(call.function, {}), pointer)
            if role == "identity":
                values.append(text)
            elif role == "text":
                values.extend(LEADS.findall(text))
    return list(dict.fromkeys(values))


def _replaced(value, fields):
    """`value` with each text that holds a mark replaced by what `fields` has for the mark."""
    if isinstance(value, dict):
        return {key: _replaced(inner, fields) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, fields) for inner in value]
    if isinstance(value, str):
        return next((text for mark, text in fields.items() if mark in value), value)
    return value


def _role(roles, pointer):
    found = [p for p in roles if pointer == p or pointer.startswith(p + "/")]
    return roles[max(found, key=len)] if found else None


def _strings(value, pointer):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{pointer}/{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, pointer)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        yield pointer, str(value)


def _plain(args):
    if any(isinstance(value, FunctionCall) for value in args.values()):
        raise ValueError("calls within calls are not in this benchmark's suites")
    return dict(args)


def _number(task):
    return int(task.ID.rsplit("_", 1)[1])
