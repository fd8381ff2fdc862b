"""Damage to an ONNX model that leaves it a protobuf message: any field of any message, by reflection."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import ModelProto

from tests.fuzz.mutate import FLOATS, INTEGERS, WORDS, mutated_bytes

Place = tuple[Message, FieldDescriptor]


def mutated_model(model: ModelProto, other: ModelProto, operators: list[str], random: Random) -> bytes:
    """The bytes of a copy with one field changed, seldom more; messages of `other` and names of operators go in."""
    changed = ModelProto()
    changed.CopyFrom(model)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        if random.random() < 0.15:
            nodes = [message for message, field in places if field.name == "op_type"]
            if nodes:
                random.choice(nodes).op_type = random.choice(operators)  # type: ignore[attr-defined]
                continue
        message, field = random.choice(places)
        if field.is_repeated:
            _change_repeated(message, field, other, random)
        else:
            _change_single(message, field, other, random)
    return changed.SerializeToString()


def _places(message: Message) -> Iterator[Place]:
    """All fields that are set, of this message and of those inside."""
    for field, value in message.ListFields():
        yield message, field
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from _places(part)


def _change_repeated(message: Message, field: FieldDescriptor, other: ModelProto, random: Random) -> None:
    items = getattr(message, field.name)
    at = random.randrange(len(items))
    match random.randrange(5):
        case 0:
            del items[at]
        case 1 if field.type == FieldDescriptor.TYPE_MESSAGE:
            items.add().CopyFrom(items[at])
        case 1:
            items.append(items[at])
        case 2 if field.type == FieldDescriptor.TYPE_MESSAGE:
            donors = [part for part in _messages(other) if part.DESCRIPTOR is field.message_type]
            if donors:
                items[at].CopyFrom(random.choice(donors))
        case 3 if len(items) > 1:
            kept = list(items)
            random.shuffle(kept)
            del items[:]
            items.extend(kept)
        case _ if field.type != FieldDescriptor.TYPE_MESSAGE:
            items[at] = _scalar(items[at], field, message, random)
        case _:
            del items[:]


def _change_single(message: Message, field: FieldDescriptor, other: ModelProto, random: Random) -> None:
    if random.random() < 0.15:
        message.ClearField(field.name)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        donors = [part for part in _messages(other) if part.DESCRIPTOR is field.message_type]
        if donors:
            getattr(message, field.name).CopyFrom(random.choice(donors))
    else:
        setattr(message, field.name, _scalar(getattr(message, field.name), field, message, random))


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from _messages(part)


def _scalar(value: Any, field: FieldDescriptor, message: Message, random: Random) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_INT32:
            return random.choice([n for n in INTEGERS if -(1 << 31) <= n < 1 << 31] + list(range(30)))
        case FieldDescriptor.CPPTYPE_INT64:
            return _int64(random.choice([value + 1, value - 1, -value, *INTEGERS]))
        case FieldDescriptor.CPPTYPE_UINT64 | FieldDescriptor.CPPTYPE_UINT32:
            return random.choice([n for n in INTEGERS if 0 <= n < 1 << 32])
        case FieldDescriptor.CPPTYPE_FLOAT | FieldDescriptor.CPPTYPE_DOUBLE:
            return random.choice(FLOATS)
        case FieldDescriptor.CPPTYPE_ENUM:
            return random.choice([number.number for number in field.enum_type.values])
    if isinstance(value, bytes):
        return mutated_bytes(value, value, random)
    word = random.choice((*WORDS, value + "x", *_strings(message)))
    return word.encode("utf-8", "ignore").decode()  # protobuf holds no surrogates


def _int64(number: int) -> int:
    return max(-(1 << 63), min((1 << 63) - 1, number))


def _strings(message: Message) -> list[str]:
    return [value for _, value in message.ListFields() if isinstance(value, str)]
