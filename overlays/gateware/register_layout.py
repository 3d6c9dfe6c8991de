"""The register table's fields as Amaranth layouts, so that no block writes down a bit position."""

from typing import Iterator, Tuple

from amaranth import Cat, Const, Value, ValueLike
from amaranth.lib import data

from pynq_bnn import registers


def layout(name: str) -> object:
    """Shape of a register: its fields by their names in lower case, or 32 bits if it has none."""
    register = registers.BY_NAME[name]
    if not register.fields:
        return 32
    return data.FlexibleLayout(32, {
        field.name.lower(): data.Field(field.width, field.low) for field in register.fields})


def reset(name: str) -> object:
    """The register's reset as the `init` of a signal of that shape."""
    register = registers.BY_NAME[name]
    if not register.fields:
        return register.reset
    return {field.lower(): value
            for field, value in registers.decode(name, register.reset).items()}


def width(name: str, field: str) -> int:
    """Bits of a field."""
    return registers.BY_NAME[name].field(field).width


def pack(name: str, **values: ValueLike) -> Value:
    """A register's value from the values of all its fields: `registers.encode` in hardware."""
    parts, end = [], 0
    for field in sorted(registers.BY_NAME[name].fields, key=lambda field: field.low):
        value = Value.cast(values.pop(field.name.lower()))
        if len(value) != field.width:
            raise ValueError(f"{name}.{field.name} has {field.width} bits, not {len(value)}")
        parts += [Const(0, field.low - end), value]
        end = field.low + field.width
    if values:
        raise KeyError(f"register {name} has no field {', '.join(values)}")
    return Cat(*parts)


def _stage_fields() -> Iterator[Tuple[str, str, int]]:
    """Register, name and width of every field that describes a stage.

    STAGE itself is none of these; a register without fields is one of its own name.
    """
    for name in registers.PROGRAMMABLE:
        if name != "STAGE":
            for field in registers.BY_NAME[name].fields:
                yield name, field.name, field.width
            if not registers.BY_NAME[name].fields:
                yield name, name, 32


StageRegisters = data.StructLayout({
    field.lower(): bits for _, field, bits in _stage_fields()})
"""What describes a stage: the fields of all stage registers but STAGE, without gaps."""


def stage_values(file: object) -> Iterator[Tuple[str, Value]]:
    """The fields of StageRegisters, each with its value in a register file's ports."""
    for name, field, _ in _stage_fields():
        port = getattr(file, name.lower())
        yield field.lower(), port if field == name else getattr(port, field.lower())
