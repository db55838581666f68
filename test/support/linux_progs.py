"""Loads and test-runs programs on the running Linux kernel: one JSON list of cases in, one of outcomes out.

A case: {"type", "insns": hex, "license", "expectedAttachType", "flags", "maps": [[type, key, value, max, flags, hex of value 0, frozen]],
         "mapRefs": [[insn, map]], "log": bool, "noPerfmon": bool (loads with CAP_BPF and CAP_NET_ADMIN only),
         "runs": [{"dataIn", "dataSizeOut", "ctxIn", "ctxSizeOut", "repeat", "flags", "cpu", "batchSize"}]}
An outcome: {"errno", "runs": [{"errno", "retval", "dataOut", "ctxOut"}]}; hex where bytes.
"""
import ctypes, json, os, platform, struct, sys

NR = {"x86_64": 321, "aarch64": 280}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
MAP_CREATE, MAP_UPDATE, PROG_LOAD, TEST_RUN, MAP_FREEZE = 0, 2, 5, 10, 22
CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF = 12, 38, 39
SYSCALL = 31
ROOM = 1 << 17


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr.ljust(160, b"\0"), 160)
    ret = libc.syscall(NR, cmd, buf, 160)
    return ret, (0 if ret >= 0 else ctypes.get_errno()), buf.raw


def pointer(data):
    buf = ctypes.create_string_buffer(data, max(len(data), 1))
    return buf, ctypes.addressof(buf)


def run(fd, r, kind):
    data, ctx = bytes.fromhex(r.get("dataIn", "")), bytes.fromhex(r.get("ctxIn", ""))
    live = r.get("flags", 0) & 2
    out, outp = pointer(b"\0" * ROOM)
    cout, coutp = pointer(b"\0" * ROOM)
    _d, dp = pointer(data)
    _c, cp = pointer(ctx)
    plain = r.get("plain") or live
    want_ctx = (ctx or "ctxSizeOut" in r) and not plain
    attr = struct.pack("<IIIIQQIIIIQQIII", fd, 0, len(data), 0 if plain else r.get("dataSizeOut", ROOM if data else 0), dp if data else 0,
                       0 if plain or not data else outp, r.get("repeat", 0), 0, len(ctx), r.get("ctxSizeOut", ROOM) if want_ctx else 0,
                       cp if ctx else 0, coutp if want_ctx else 0, r.get("flags", 0), r.get("cpu", 0), r.get("batchSize", 0))
    ret, err, raw = bpf(TEST_RUN, attr)
    f = struct.unpack("<IIIIQQIIIIQQIII", raw[:76])
    res = {"errno": err}
    if err in (0, 28):
        res.update(retval=f[1], dataOut=out.raw[:min(f[3], r.get("dataSizeOut", ROOM))].hex() if data and not plain else "")
        res["ctxOut"] = cout.raw[:min(f[9], ROOM)].hex() if want_ctx and err == 0 else ""
        if kind == SYSCALL and err == 0:
            res["ctxOut"] = _c.raw[:len(ctx)].hex()
    return res


def effective(caps):
    """Sets the effective capabilities of this thread; permitted ones stay."""
    header = struct.pack("<Ii", 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    libc.capget(header, data)
    words = list(struct.unpack("<6I", data.raw))
    old = words[0] | words[3] << 32
    words[0], words[3] = caps & 0xFFFFFFFF, caps >> 32
    if libc.capset(header, struct.pack("<6I", *words)):
        raise OSError(ctypes.get_errno(), "capset")
    return old


def make_map(kind, key, value, n, flags=0, init=None, frozen=False):
    fd, err, _ = bpf(MAP_CREATE, struct.pack("<IIIII", kind, key, value, n, flags))
    if fd < 0:
        return fd, err
    if init is not None:
        _k, kp = pointer(b"\0" * key)
        _v, vp = pointer(bytes.fromhex(init))
        bpf(MAP_UPDATE, struct.pack("<IIQQQ", fd, 0, kp, vp, 0))
    if frozen:
        bpf(MAP_FREEZE, struct.pack("<I", fd))
    return fd, 0


def case(c):
    insns = bytearray(bytes.fromhex(c["insns"]))
    fds = []
    for m in c.get("maps", []):
        fd, err = make_map(*m)
        if fd < 0:
            return {"errno": err, "runs": [], "what": "map"}
        fds.append(fd)
    for at, n in c.get("mapRefs", []):
        struct.pack_into("<i", insns, at * 8 + 4, fds[n])
    _i, ip = pointer(bytes(insns))
    _l, lp = pointer(c.get("license", "GPL").encode() + b"\0")
    log, logp = pointer(b"\0" * 65536)
    attr = struct.pack("<IIQQIIQII16sII", c["type"], len(insns) // 8, ip, lp, 1 if c.get("log") else 0, 65536 if c.get("log") else 0,
                       logp if c.get("log") else 0, 0, c.get("flags", 0), b"t", 0, c.get("expectedAttachType", 0))
    old = effective(1 << CAP_BPF | 1 << CAP_NET_ADMIN) if c.get("noPerfmon") else 0
    fd, err, _ = bpf(PROG_LOAD, attr)
    if old:
        effective(old)
    out = {"errno": err, "runs": []}
    if fd >= 0:
        out["runs"] = [run(fd, r, c["type"]) for r in c["runs"]]
        os.close(fd)
    elif c.get("log"):
        out["log"] = log.value.decode()
    for f in fds:
        os.close(f)
    return out


print(json.dumps([case(c) for c in json.load(sys.stdin)]))
