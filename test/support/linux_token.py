"""
Calls of bpf(2) in a user namespace of its own, on the running Linux.

Reads JSON from stdin: a list of {"mount": {option: value}, "steps": [...]}. Each makes a process in new user and mount
namespaces and a bpffs there, which root creates with the options. Prints a list of lists: an errno (0 = none) per step.

A step is {"cmd": N, "attr": HEX, "patch": {offset: what}}: `what` is "root" (an fd on the bpffs), "dir" (on a directory in
it), "path" (the root by O_PATH), "slash", "token", or a HEX string whose address is put there as u64. "keep": "token" keeps the fd.
"""
import array
import ctypes
import json
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
BPF, FSOPEN, FSCONFIG, FSMOUNT, MOVE_MOUNT = 321, 430, 431, 432, 429
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
SET_STRING, CMD_CREATE = 1, 6


def call(nr, *args):
    ret = libc.syscall(nr, *args)
    return ret if ret >= 0 else -ctypes.get_errno()


def must(what, ret):
    if ret < 0:
        raise OSError(-ret, what)
    return ret


def send_fd(sock, fd):
    sock.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


def recv_fd(sock):
    _, anc, _, _ = sock.recvmsg(1, socket.CMSG_LEN(4))
    return array.array("i", anc[0][2])[0]


def steps(root, todo):
    os.mkdir("dir", dir_fd=root)
    fds = {
        "root": root,
        "dir": os.open("dir", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root),
        "path": os.open(".", os.O_PATH, dir_fd=root),
        "slash": os.open("/", os.O_RDONLY | os.O_DIRECTORY),
    }
    out = []
    for step in todo:
        attr = ctypes.create_string_buffer(bytes.fromhex(step["attr"]), 256)
        keep = []
        for off, what in step["patch"].items():
            if what in fds:
                value, size = fds[what], 4
            else:
                keep.append(ctypes.create_string_buffer(bytes.fromhex(what)))
                value, size = ctypes.addressof(keep[-1]), 8
            ctypes.memmove(ctypes.addressof(attr) + int(off), value.to_bytes(size, "little"), size)
        ret = call(BPF, step["cmd"], attr, len(step["attr"]) // 2)
        out.append(max(0, -ret))
        if ret >= 0:
            if "keep" in step:
                fds[step["keep"]] = ret
            else:
                os.close(ret)
    return out


def container(case):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    result_r, result_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            must("unshare", libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
            theirs.send(b"u")
            theirs.recv(1)
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            fs = must("fsopen", call(FSOPEN, b"bpf", 0))
            send_fd(theirs, fs)
            theirs.recv(1)
            mount = must("fsmount", call(FSMOUNT, fs, 0, 0))
            root = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mount)
            os.write(result_w, json.dumps(steps(root, case["steps"])).encode())
            os._exit(0)
        except BaseException as e:
            os.write(result_w, json.dumps(str(e)).encode())
            os._exit(1)
    ours.recv(1)
    for name, text in (("setgroups", "deny"), ("uid_map", "0 1000 1"), ("gid_map", "0 1000 1")):
        with open(f"/proc/{pid}/{name}", "w") as f:
            f.write(text)
    ours.send(b"m")
    fs = recv_fd(ours)
    for key, value in case["mount"].items():
        must(key, call(FSCONFIG, fs, SET_STRING, key.encode(), value.encode(), 0))
    must("create", call(FSCONFIG, fs, CMD_CREATE, None, None, 0))
    os.close(fs)
    ours.send(b"c")
    os.close(result_w)
    text = b""
    while chunk := os.read(result_r, 65536):
        text += chunk
    os.waitpid(pid, 0)
    os.close(result_r)
    return json.loads(text)


print(json.dumps([container(case) for case in json.load(sys.stdin)]))
