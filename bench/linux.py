#!/usr/bin/env python3
"""Runs programs on the Linux kernel below, through bpf(2) alone: for the bench, and for tests that compare results.

One JSON object per line in, one per line out:
  {"load": {"type": BPF_PROG_TYPE (default XDP), "insns": HEX, "maps": [{"type","key","value","max","flags"}],
            "relocs": [[insn, map]], "values": [[insn, map, offset]], "elems": [{"map", "keys": HEX, "values": HEX}],
            "data": HEX}}                                    -> {"prog": N}
  {"run": N, "repeat": N}                                    -> {"ns": per run, "retval": R, "data": HEX}
  {"close": N}                                               -> {}
relocs are map addresses, values addresses in the only value of an array. Anything that fails gives {"error": TEXT}.
"""
import ctypes
import json
import os
import platform
import struct
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
MAP_CREATE, MAP_UPDATE_ELEM, PROG_LOAD, PROG_TEST_RUN = 0, 2, 5, 10
PROG_TYPE_XDP = 6
PERCPU_TYPES = (5, 6, 10)
PSEUDO_MAP_FD, PSEUDO_MAP_VALUE = 1, 2
DATA_OUT = 4096

libc = ctypes.CDLL(None, use_errno=True)
progs = []


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr.ljust(144, b"\0"), 144)
    r = libc.syscall(SYS_BPF, cmd, buf, 144)
    if r < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"bpf command {cmd}: {os.strerror(errno)}")
    return r, buf.raw


def address(buf):
    return ctypes.addressof(buf)


def possible_cpus():
    with open("/sys/devices/system/cpu/possible") as f:
        return int(f.read().strip().split("-")[-1]) + 1


def load(spec):
    maps = [bpf(MAP_CREATE, struct.pack("<5I", m["type"], m["key"], m["value"], m["max"], m["flags"]))[0]
            for m in spec["maps"]]
    for elems in spec["elems"]:
        m = spec["maps"][elems["map"]]
        keys, values = bytes.fromhex(elems["keys"]), bytes.fromhex(elems["values"])
        copies = possible_cpus() if m["type"] in PERCPU_TYPES else 1
        for n in range(len(keys) // m["key"]):
            key = ctypes.create_string_buffer(keys[n * m["key"]:(n + 1) * m["key"]], m["key"])
            one = values[n * m["value"]:(n + 1) * m["value"]]
            value = ctypes.create_string_buffer(one * copies, len(one) * copies)
            bpf(MAP_UPDATE_ELEM, struct.pack("<IIQQQ", maps[elems["map"]], 0, address(key), address(value), 0))
    insns = bytearray(bytes.fromhex(spec["insns"]))
    places = [(insn, index, PSEUDO_MAP_FD, 0) for insn, index in spec["relocs"]]
    places += [(insn, index, PSEUDO_MAP_VALUE, off) for insn, index, off in spec.get("values", [])]
    for insn, index, src, off in places:
        insns[8 * insn + 1] = (insns[8 * insn + 1] & 0x0f) | src << 4
        struct.pack_into("<i", insns, 8 * insn + 4, maps[index])
        struct.pack_into("<i", insns, 8 * insn + 12, off)
    prog_type = spec.get("type", PROG_TYPE_XDP)
    code = ctypes.create_string_buffer(bytes(insns), len(insns))
    license = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(1 << 16)
    attr = struct.pack("<IIQQIIQ", prog_type, len(insns) // 8, address(code), address(license), 0, 0, 0)
    try:
        prog = bpf(PROG_LOAD, attr)[0]
    except OSError as refused:
        attr = struct.pack("<IIQQIIQ", prog_type, len(insns) // 8, address(code), address(license), 1, len(log),
                           address(log))
        try:
            bpf(PROG_LOAD, attr)
        except OSError:
            pass
        raise OSError(f"{refused}: {log.value.decode()[-300:]}") from refused
    finally:
        # the program holds them
        for fd in maps:
            os.close(fd)
    data = bytes.fromhex(spec["data"])
    progs.append((prog, ctypes.create_string_buffer(data, len(data)), len(data)))
    return {"prog": len(progs) - 1}


def run(index, repeat):
    prog, data, size = progs[index]
    out_data = ctypes.create_string_buffer(DATA_OUT)
    attr = struct.pack("<IIIIQQII", prog, 0, size, DATA_OUT, address(data), address(out_data), repeat, 0)
    _, out = bpf(PROG_TEST_RUN, attr)
    retval, duration = struct.unpack_from("<I", out, 4)[0], struct.unpack_from("<I", out, 36)[0]
    # The kernel's own clock around the loop: the call itself takes 10 ms (it patches kernel text). It is rounded down.
    size_out = struct.unpack_from("<I", out, 12)[0]
    return {"ns": duration + 0.5, "retval": retval, "data": out_data.raw[:size_out].hex()}


def close(index):
    os.close(progs[index][0])
    return {}


for line in sys.stdin:
    try:
        request = json.loads(line)
        if "load" in request:
            reply = load(request["load"])
        elif "close" in request:
            reply = close(request["close"])
        else:
            reply = run(request["run"], request["repeat"])
    except (OSError, KeyError, ValueError) as error:
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
