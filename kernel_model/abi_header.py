"""The C side of the ABI: ``python -m kernel_model.abi_header`` prints ``firmware/include/abi.h``.

Generated, so that Python and ColdFire code cannot disagree about a number; committed, so that the firmware can be read
and built by itself.
"""

from enum import IntEnum

from kernel_model import abi

__all__ = ["render_header"]

_CONSTANTS = (
    "ABI_VERSION",
    "MAGIC",
    "KVA",
    "IMAGE_SIZE",
    "SUPERVISOR_LIMIT",
    "MMUBAR",
    "TRANSMAP_SLOTS",
    "TRANSMAP_VA",
    "USER_TEXT_VA",
    "USER_DATA_VA",
    "USER_STACK_VA",
    "USER_SPACE_VA",
    "PARAMETER_OFFSET",
    "PARAMETER_SIZE",
    "HASH_BUCKETS",
    "MAX_RANGES",
    "MAX_STRING",
    "MAX_USER_PROCESSES",
    "CAP_PAGE_DIVISOR",
    "DEVICE_OID_HIGH",
    "NEW_OID",
    "MAX_LOCKED",
    "MAX_CHUNKS",
    "CRASH_UNKNOWN_READ",
    "CRASH_WRITE_PROTECTED",
    "CRASH_ILLEGAL",
    "CRASH_JUMP",
)

_ENUMS: tuple[tuple[str, type[IntEnum]], ...] = (
    ("MAP", abi.MappingKind),
    ("HANDLER", abi.HandlerKind),
    ("FLUSH", abi.FlushPolicy),
    ("GROWTH", abi.GrowthKind),
    ("EXHAUST", abi.Exhaustion),
    ("VEC", abi.Vector),
    ("HC", abi.Hypercall),
    ("GROW", abi.GrowKind),
    ("CMD", abi.Command),
    ("OP", abi.Operation),
    ("REFUSAL", abi.Refusal),
    ("PANIC", abi.Panic),
)


def render_header() -> str:
    """The text of ``firmware/include/abi.h``, usable from C and from assembly (only ``#define`` outside the struct)."""
    lines = [
        "/* Generated from kernel_model/abi.py (make -C firmware abi); do not edit. */",
        "#ifndef CFEMU_ABI_H",
        "#define CFEMU_ABI_H",
        "",
    ]
    lines += [f"#define {name} {int(getattr(abi, name)):#010x}" for name in _CONSTANTS]
    for prefix, enum in _ENUMS:
        lines += ["", f"/* {enum.__name__} */"]
        lines += [f"#define {prefix}_{member.name} {member.value}" for member in enum]
    lines += [f"#define VECTORS {len(abi.Vector)}", "", "/* byte offsets in the parameter block, for assembly */"]
    lines += [f"#define P_{field.name.upper()} {field.offset:#x}" for field in abi.PARAMETERS]
    lines += ["", "#ifndef __ASSEMBLER__", "struct parameters {"]
    for field in abi.PARAMETERS:
        array = f"[{field.count}]" if field.count > 1 else ""
        lines.append(f"    unsigned int {field.name}{array}; /* {field.meaning} */")
    lines += ["};", "#endif", "", "#endif", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(render_header(), end="")
