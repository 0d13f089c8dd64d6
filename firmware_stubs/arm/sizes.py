"""Flash, RAM and worst-case stack of linked images, and whether the wearable keeps its limits. Standard library only.

    python3 arm/sizes.py build/arm/wearable.elf ...

Flash: what the linker took from src/, startup.c and libgcc. RAM: the device's struct and the memory it was given. What the image's desk and
the chip's UART add is left out. Stack: the deepest way through the call graph that GCC writes (-fcallgraph-info=su), from the device's init
and poll. A call through the HAL counts the deepest HAL function of the images, a call into libgcc the bytes its code pushes, read from the
disassembly. Recursion, or a frame whose size is not known, is an error. One exception frame is added, 32 bytes and 8 of alignment (ARMv6-M
Architecture Reference Manual, B1.5.6).
"""

import re
import subprocess
import sys
from pathlib import Path

TOOLS = "arm-none-eabi-"
POLLS = {
    "wearable": ("bridge_init", "bridge_poll"),
    "bed_mat": ("bed_mat_init", "bed_mat_poll"),
    "sos_pendant": ("sos_pendant_init", "sos_pendant_poll"),
    "ble_bridge": ("ble_bridge_init", "ble_bridge_poll"),
}
MEMORY = {"wearable": ("bridge", "ring", "windows"), "bed_mat": ("mat",), "sos_pendant": ("pendant",), "ble_bridge": ("bridge",)}
LIMITS = {"wearable": (24 * 1024, 4 * 1024)}
HAL = (
    *("clock_ms", "uart_read", "nrf51_uart_read", "nrf51_uart_write", "sample_next", "sos_is_pressed"),
    *("random_u16", "battery_percent", "load_next", "radio_read", "radio_write"),
)
DETECTOR = {
    *("bridge_fall_feed", "bridge_fall_init", "bridge_fall_window", "bridge_fall_delay_ms", "bridge_fall_parameters_of", "PARAMETERS"),
    *("judge", "turn_over", "angle", "degrees_of", "take_mean", "root", "is_largest", "bridge_packed_square", "bridge_unpack"),
}
EXCEPTION_BYTES = 40
MAIN_BYTES = 16
NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?\\n[^"]*?(?:\\n(\d+) bytes \((\w+)\))?[^"]*"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
PUSHED = re.compile(r"push\s+\{([^}]*)\}|sub\s+sp, #(\d+)")


def run(tool: str, *arguments: str) -> str:
    return subprocess.run([TOOLS + tool, *arguments], check=True, capture_output=True, text=True).stdout


def symbols(image: Path) -> dict[str, tuple[str, int]]:
    """Kind and size of every symbol that has a size."""
    found = {}
    for line in run("nm", "-S", str(image)).splitlines():
        parts = line.split()
        if len(parts) == 4:
            found[parts[3]] = (parts[2].lower(), int(parts[1], 16))
    return found


def call_graph(folder: Path) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Stack bytes of every function, and whom it calls, from the .ci files beside the objects."""
    stacks: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    for file in folder.glob("*.ci"):
        text = file.read_text()
        for name, size, kind in NODE.findall(text):
            if size:
                if kind != "static":
                    sys.exit(f"{name} has a frame whose size is not known: {kind}")
                stacks[short(name)] = max(stacks.get(short(name), 0), int(size))
        for source, target in EDGE.findall(text):
            calls.setdefault(short(source), set()).add(short(target))
    return stacks, calls


def short(title: str) -> str:
    """A static function's title names its file."""
    return title.rpartition(":")[2]


def library_stack(image: Path, name: str) -> int:
    """Bytes that a function of libgcc pushes, and at most one of those that it calls."""
    bodies = re.split(r"\n\n", run("objdump", "-d", "--no-show-raw-insn", str(image)))
    own = {match[1]: body for body in bodies if (match := re.search(r"<([^>]+)>:", body))}

    def pushed(function: str, depth: int = 0) -> int:
        body = own.get(function, "")
        mine = sum(4 * len(registers(group[0])) if group[0] else int(group[1]) for group in PUSHED.findall(body))
        called = {target for target in re.findall(r"\bbl\s+[0-9a-f]+ <([^>+]+)>", body) if target != function}
        return mine + (max((pushed(target, depth + 1) for target in called), default=0) if depth < 4 else 0)

    return pushed(name)


def registers(listed: str) -> list[str]:
    return [one for one in re.split(r",\s*", listed) if one]


def deepest(image: Path, stacks: dict[str, int], calls: dict[str, set[str]], name: str, way: tuple[str, ...] = ()) -> int:
    if name in way:
        sys.exit(f"recursion: {' -> '.join((*way, name))}")
    if name == "__indirect_call":
        return max((stacks[hal] for hal in HAL if hal in stacks), default=0)
    if name not in stacks:
        return library_stack(image, name)
    return stacks[name] + max((deepest(image, stacks, calls, one, (*way, name)) for one in calls.get(name, ())), default=0)


def firmware_flash(image: Path) -> int:
    """Bytes of code and constants that the linker took from src/, startup.c and libgcc: not from the image's desk or the chip's UART."""
    total = 0
    taken = re.compile(r"^ \.(?:text|rodata|vectors)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+)", re.MULTILINE)
    text = re.sub(r"\n {16}", " ", Path(f"{image}.map").read_text().split("Linker script and memory map")[1])
    for size, file in taken.findall(text):
        if not file.endswith(("_image.o", "nrf51.o")):
            total += int(size, 16)
    return total


def main(images: list[Path]) -> int:
    is_within = True
    print(f"{'device':12} {'flash':>6} {'of it detector':>15} {'RAM static':>11} {'worst stack':>12} {'RAM in all':>11}")
    for image in images:
        device = image.stem
        sizes = symbols(image)
        stacks, calls = call_graph(image.parent)
        flash = firmware_flash(image)
        detector = sum(size for name, (kind, size) in sizes.items() if name in DETECTOR and kind in "tr")
        static = sum(sizes[name][1] for name in MEMORY[device])
        stack = MAIN_BYTES + EXCEPTION_BYTES + max(deepest(image, stacks, calls, name) for name in POLLS[device])
        limit = LIMITS.get(device)
        print(f"{device:12} {flash:6} {detector if device == 'wearable' else '-':>15} {static:11} {stack:12} {static + stack:11}")
        if limit and (flash > limit[0] or static + stack > limit[1]):
            print(f"{device} is over its limit of {limit[0]} bytes of flash and {limit[1]} of RAM")
            is_within = False
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
