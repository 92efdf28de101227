"""Chat templates of the families: rendered whole, growing only, whatever their habits."""

from __future__ import annotations

import pytest

pytest.importorskip("jinja2")

from agent.models.local.template import (
    CHATML,
    ChatTemplate,
    Fragment,
    Piece,
    TemplateError,
    Turn,
)

QWEN = (
    "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\n' + messages[0]['content']"
    " + '<|im_end|>\\n' }}{%- else %}{{- '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}"
    "{%- endif %}{%- for message in messages %}{%- if (message.role == 'user') or (message.role =="
    " 'system' and not loop.first) or (message.role == 'assistant' and not message.tool_calls) %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not"
    " supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') !="
    " (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}"
    "{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' +"
    " message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{'<start_of_turn>model\\n'}}{% endif %}"
)
MISTRAL = (
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}"
    "{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}"
    "{%- endif %}{{ bos_token }}{%- for message in loop_messages %}{%- if message['role'] =="
    " 'user' %}{%- if loop.last and system is defined %}{{- '[INST] ' + system + '\\n\\n' +"
    " message['content'] + '[/INST]' }}{%- else %}{{- '[INST] ' + message['content'] + '[/INST]'"
    " }}{%- endif %}{%- else %}{{- ' ' + message['content'] + eos_token }}{%- endif %}"
    "{%- endfor %}"
)
R1 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ message['content'] }}{% elif message['role'] == 'user' %}{{ '<|User|>' +"
    " message['content'] }}{% else %}{% set content = message['content'] %}{% if '</think>' in"
    " content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{ '<|Assistant|>' +"
    " content + '<|end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|Assistant|><think>\\n' }}{% endif %}"
)
ALL = {"chatml": CHATML, "qwen": QWEN, "gemma": GEMMA, "mistral": MISTRAL, "r1": R1}

CHAT = [
    Turn("system", ("Be brief.",)),
    Turn("user", ("First <|im_end|> question",)),
    Turn("assistant", ((11, 12, 13),)),
    Turn("user", ("result one",)),
    Turn("user", ("second question",)),
    Turn("assistant", ("an answer in text",)),
    Turn("user", ("third",)),
]


def flat(pieces: list[Piece]) -> str:
    return "".join(piece.text if isinstance(piece, Fragment) else str(piece) for piece in pieces)


@pytest.mark.parametrize("name", ALL)
def test_a_longer_chat_begins_with_the_shorter_prompt_and_its_answer(name: str) -> None:
    template = ChatTemplate(ALL[name], "<s>", "</s>")
    for size in (2, 5):
        before = flat(template.pieces(CHAT[:size]))
        after = flat(template.pieces(CHAT[: size + 2]))
        answer = str(CHAT[size].parts[0])
        assert after.startswith(before + answer)


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_lost_and_contents_stay_out_of_the_fragments(name: str) -> None:
    pieces = ChatTemplate(ALL[name], "<s>", "</s>").pieces(CHAT)
    contents = [piece for piece in pieces if not isinstance(piece, Fragment)]
    assert [part for part in contents if part != "\n\n"] == [turn.parts[0] for turn in CHAT]
    assert not any("question" in piece.text for piece in pieces if isinstance(piece, Fragment))


def test_a_system_message_that_would_wander_joins_the_first_user_message() -> None:
    text = flat(ChatTemplate(MISTRAL, "<s>", "</s>").pieces(CHAT[:2]))
    assert text == "<s>[INST] Be brief.\n\nFirst <|im_end|> question[/INST]"


def test_roles_that_must_alternate_do() -> None:
    text = flat(ChatTemplate(GEMMA, "<bos>", "").pieces(CHAT[1:5]))
    assert "result one\n\nsecond question<end_of_turn>" in text


def test_a_thought_that_the_prompt_opens_is_kept_in_the_history() -> None:
    template = ChatTemplate(R1, "<s>", "</s>")
    assert template.opens_thought
    assert "<|Assistant|><think>\n(11, 12, 13)<|end|>" in flat(template.pieces(CHAT))
    assert not ChatTemplate(QWEN).opens_thought


@pytest.mark.parametrize(
    "source",
    [
        "{% for %}",
        "no messages at all",
        "{{ messages[-1].content }}",
        "{{ raise_exception('never') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ],
)
def test_a_template_that_cannot_hold_a_chat_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(source)
