"""Runs map commands against the running Linux kernel: one JSON list of commands in, one of results out.

A command is {"op": ..., ...}; maps are numbered in order of creation. Results: {"errno": n} or {"errno": 0, "data": hex, ...}.
"""
import ctypes, json, os, platform, struct, sys

NR = {"x86_64": 321, "aarch64": 280}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
CREATE, LOOKUP, UPDATE, DELETE, NEXT, LOOKUP_DELETE, FREEZE = 0, 1, 2, 3, 4, 21, 22
LOOKUP_BATCH, LOOKUP_DELETE_BATCH, UPDATE_BATCH, DELETE_BATCH = 24, 25, 26, 27
CPUS = 0
with open("/sys/devices/system/cpu/possible") as f:
    for part in f.read().strip().split(","):
        ends = part.split("-")
        CPUS += int(ends[-1]) - int(ends[0]) + 1
PERCPU = (5, 6, 10, 21)
maps = []


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr.ljust(160, b"\0"), 160)
    ret = libc.syscall(NR, cmd, buf, 160)
    return (ret, 0) if ret >= 0 else (-1, ctypes.get_errno()), buf


def pointer(data):
    buf = ctypes.create_string_buffer(data, max(len(data), 1))
    return buf, ctypes.addressof(buf)


def run(c):
    op = c["op"]
    if op == "create":
        # Never ask Linux for much memory: it would give it.
        if (c["key"] + max(c["value"], 8)) * c["max"] > 64 << 20 and c["type"] not in (27, 31):
            raise SystemExit(f"too large: {c}")
        inner = maps[c["inner"]][0] if "inner" in c else 0
        attr = struct.pack("<IIIIIII16sIIIIIQ", c["type"], c["key"], c["value"], c["max"], c.get("flags", 0), inner & 0xffffffff,
                           c.get("numa", 0), b"t", 0, 0, 0, 0, 0, c.get("extra", 0))
        (fd, err), _ = bpf(CREATE, attr)
        size = c["value"]
        if c["type"] in PERCPU:
            size = (size + 7) // 8 * 8 * CPUS
        if c.get("probe") and fd >= 0:
            os.close(fd)
            fd = -1
        maps.append((fd, c["key"], size))
        return {"errno": err}
    fd, key_size, value_size = maps[c["map"]]
    fd &= 0xffffffff
    flags = c.get("flags", 0)
    if op == "freeze":
        (_, err), _ = bpf(FREEZE, struct.pack("<I", fd))
        return {"errno": err}
    if op in ("lookupBatch", "updateBatch", "deleteBatch"):
        n = c["count"]
        keys, kp = pointer(bytes.fromhex(c.get("keys", "")).ljust(n * key_size, b"\0"))
        values, vp = pointer(bytes.fromhex(c.get("values", "")).ljust(n * value_size, b"\0"))
        inb, ip = pointer(bytes.fromhex(c.get("in", "")).ljust(max(key_size, 4), b"\0"))
        outb, op_ = pointer(b"\0" * max(key_size, 4))
        cmd = {"lookupBatch": LOOKUP_DELETE_BATCH if c.get("remove") else LOOKUP_BATCH, "updateBatch": UPDATE_BATCH, "deleteBatch": DELETE_BATCH}[op]
        attr = struct.pack("<QQQQIIQQ", ip if "in" in c else 0, op_, kp, vp, n, fd, flags, 0)
        (_, err), buf = bpf(cmd, attr)
        count = struct.unpack_from("<I", buf.raw, 32)[0]
        if err in (1, 22, 524):
            return {"errno": err}
        if op != "lookupBatch":
            return {"errno": err, "count": count}
        return {"errno": err, "count": count, "keys": keys.raw[: count * key_size].hex(), "values": values.raw[: count * value_size].hex()}
    keybuf, kp = pointer(bytes.fromhex(c.get("key", "")))
    key_ptr = kp if "key" in c and key_size else 0
    if op == "next":
        out, outp = pointer(b"\0" * max(key_size, 1))
        (_, err), _ = bpf(NEXT, struct.pack("<IxxxxQQQ", fd, key_ptr, outp, 0))
        return {"errno": err, "data": out.raw[:key_size].hex()} if err == 0 else {"errno": err}
    if op == "delete":
        (_, err), _ = bpf(DELETE, struct.pack("<IxxxxQQQ", fd, key_ptr, 0, 0))
        return {"errno": err}
    value = bytes.fromhex(c.get("value", "")).ljust(value_size, b"\0")
    if c.get("fd") is not None:
        value = struct.pack("<I", maps[c["fd"]][0] & 0xffffffff)
    valbuf, vp = pointer(value)
    cmd = {"lookup": LOOKUP, "update": UPDATE, "lookupAndDelete": LOOKUP_DELETE}[op]
    (_, err), _ = bpf(cmd, struct.pack("<IxxxxQQQ", fd, key_ptr, vp, flags))
    if err or op == "update":
        return {"errno": err}
    return {"errno": 0, "data": valbuf.raw[:value_size].hex()}


def main():
    commands = json.load(sys.stdin)
    # Free lists are per CPU: stay on the one that BpfMap runs as.
    os.sched_setaffinity(0, {0})
    results = []
    for scenario in commands:
        results.append([run(c) for c in scenario])
        for fd, _, _ in maps:
            if fd >= 0:
                os.close(fd)
        maps.clear()
    json.dump({"cpus": CPUS, "results": results}, sys.stdout)


main()
