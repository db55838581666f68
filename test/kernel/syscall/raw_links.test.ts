/** Calls of bpf(2) as bytes, on skep and on the running Linux. Pins, links and what else there is. */
import * as attr from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { cString } from "../../../src/abi/cstring.ts";
import { struct } from "../../../src/abi/struct.ts";
import { rawCalls, row } from "./table.ts";

const TP = "xdp_exception";
const pin = { layout: attr.OBJ } as const;

rawCalls("pins", [
  row({
    name: "pin",
    ...pin,
    cmd: abi.BPF_OBJ_PIN,
    members: (s) => ({ pathname: s.buf("p", cString(`${s.world.dir}/a`)), bpf_fd: s.fd("hash") }),
    ret: 0,
  }),
  row({
    name: "pin at a taken name",
    ...pin,
    cmd: abi.BPF_OBJ_PIN,
    before: (s) => s.kernel.bpf.objPin(s.fd("array"), `${s.world.dir}/a`),
    members: (s) => ({ pathname: s.buf("p", cString(`${s.world.dir}/a`)), bpf_fd: s.fd("hash") }),
    ret: "EEXIST",
  }),
  row({
    name: "pin a BTF",
    ...pin,
    cmd: abi.BPF_OBJ_PIN,
    members: (s) => ({ pathname: s.buf("p", cString(`${s.world.dir}/a`)), bpf_fd: s.fd("btf") }),
    ret: "EINVAL",
  }),
  row({
    name: "pin with path_fd and no flag",
    ...pin,
    cmd: abi.BPF_OBJ_PIN,
    members: (s) => ({ pathname: s.buf("p", cString("a")), bpf_fd: s.fd("hash"), path_fd: 3 }),
    ret: "EINVAL",
  }),
  row({
    name: "pin below path_fd",
    ...pin,
    cmd: abi.BPF_OBJ_PIN,
    members: (s) => ({
      pathname: s.buf("p", cString("a")),
      bpf_fd: s.fd("hash"),
      file_flags: abi.BPF_F_PATH_FD,
      path_fd: s.kernel.bpf.fs.open(s.world.dir),
    }),
    ret: 0,
    out: (s) => s.kernel.bpf.fs.readdir(s.world.dir).includes("a"),
    is: true,
  }),
  row({
    name: "get",
    ...pin,
    cmd: abi.BPF_OBJ_GET,
    before: (s) => s.kernel.bpf.objPin(s.fd("array"), `${s.world.dir}/a`),
    members: (s) => ({ pathname: s.buf("p", cString(`${s.world.dir}/a`)) }),
    ret: "fd",
  }),
  row({
    name: "get of no name",
    ...pin,
    cmd: abi.BPF_OBJ_GET,
    members: (s) => ({ pathname: s.buf("p", cString(`${s.world.dir}/a`)) }),
    ret: "ENOENT",
  }),
  row({
    name: "get with bpf_fd",
    ...pin,
    cmd: abi.BPF_OBJ_GET,
    members: (s) => ({ pathname: s.buf("p", cString(`${s.world.dir}/a`)), bpf_fd: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "get of a path in no memory",
    ...pin,
    cmd: abi.BPF_OBJ_GET,
    members: () => ({ pathname: 0x10 }),
    ret: "EFAULT",
  }),
]);

const link = { cmd: abi.BPF_LINK_UPDATE, layout: attr.LINK_UPDATE } as const;
const one = struct({ value: "u32" });
const open = { cmd: abi.BPF_RAW_TRACEPOINT_OPEN, layout: attr.RAW_TRACEPOINT } as const;

rawCalls("links and other commands", [
  row({
    name: "raw tracepoint",
    ...open,
    members: (s) => ({ name: s.buf("n", cString(TP)), prog_fd: s.fd("raw_tp") }),
    ret: "fd",
  }),
  row({ name: "raw tracepoint without a name", ...open, members: (s) => ({ prog_fd: s.fd("raw_tp") }), ret: "EFAULT" }),
  row({
    name: "raw tracepoint that is not there",
    ...open,
    members: (s) => ({ name: s.buf("n", cString("no_such")), prog_fd: s.fd("raw_tp") }),
    ret: "ENOENT",
  }),
  row({
    name: "raw tracepoint for XDP",
    ...open,
    members: (s) => ({ name: s.buf("n", cString(TP)), prog_fd: s.fd("xdp") }),
    ret: "EINVAL",
  }),
  row({
    name: "link update of a raw tracepoint",
    ...link,
    members: (s) => ({ link_fd: s.fd("link"), new_prog_fd: s.fd("raw_tp") }),
    ret: "EINVAL",
  }),
  row({
    name: "link update with an old program and no flag",
    ...link,
    members: (s) => ({ link_fd: s.fd("link"), new_prog_fd: s.fd("raw_tp"), old_prog_fd: s.fd("xdp") }),
    ret: "EINVAL",
  }),
  row({
    name: "link update of a map",
    ...link,
    members: (s) => ({ link_fd: s.fd("hash"), new_prog_fd: s.fd("raw_tp") }),
    ret: "EINVAL",
  }),
  row({
    name: "link detach of a raw tracepoint",
    cmd: abi.BPF_LINK_DETACH,
    layout: attr.LINK_DETACH,
    members: (s) => ({ link_fd: s.fd("link") }),
    ret: "EOPNOTSUPP",
  }),
  row({
    name: "iterator of a raw tracepoint",
    cmd: abi.BPF_ITER_CREATE,
    layout: attr.ITER_CREATE,
    members: (s) => ({ link_fd: s.fd("link") }),
    ret: "EINVAL",
  }),
  row({
    name: "statistics",
    cmd: abi.BPF_ENABLE_STATS,
    layout: attr.ENABLE_STATS,
    members: () => ({ type: 0 }),
    ret: "fd",
  }),
  row({
    name: "statistics of another kind",
    cmd: abi.BPF_ENABLE_STATS,
    layout: attr.ENABLE_STATS,
    members: () => ({ type: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "bind a map",
    cmd: abi.BPF_PROG_BIND_MAP,
    layout: attr.PROG_BIND_MAP,
    members: (s) => ({ prog_fd: s.fd("xdp"), map_fd: s.fd("hash") }),
    ret: 0,
  }),
  row({
    name: "bind with flags",
    cmd: abi.BPF_PROG_BIND_MAP,
    layout: attr.PROG_BIND_MAP,
    members: (s) => ({ prog_fd: s.fd("xdp"), map_fd: s.fd("hash"), flags: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "token of a map",
    cmd: abi.BPF_TOKEN_CREATE,
    layout: attr.TOKEN_CREATE,
    members: (s) => ({ bpffs_fd: s.fd("hash") }),
    ret: "EINVAL",
  }),
  row({
    name: "token with flags",
    cmd: abi.BPF_TOKEN_CREATE,
    layout: attr.TOKEN_CREATE,
    members: (s) => ({ bpffs_fd: s.fd("hash"), flags: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "token of a bpffs of the first user namespace",
    cmd: abi.BPF_TOKEN_CREATE,
    layout: attr.TOKEN_CREATE,
    members: (s) => ({ bpffs_fd: s.kernel.bpf.fs.open(s.world.dir) }),
    ret: "EOPNOTSUPP",
  }),
  row({
    name: "stream, empty",
    cmd: abi.BPF_PROG_STREAM_READ_BY_FD,
    layout: attr.PROG_STREAM_READ,
    members: (s) => ({ prog_fd: s.fd("xdp"), stream_id: 1, stream_buf: s.buf("b"), stream_buf_len: 64 }),
    ret: 0,
  }),
  row({
    name: "stream that is not there",
    cmd: abi.BPF_PROG_STREAM_READ_BY_FD,
    layout: attr.PROG_STREAM_READ,
    members: (s) => ({ prog_fd: s.fd("xdp"), stream_id: 3, stream_buf: s.buf("b"), stream_buf_len: 64 }),
    ret: "ENOENT",
  }),
  row({
    name: "an attr of one word",
    cmd: abi.BPF_ENABLE_STATS,
    layout: one,
    members: () => ({ value: 0 }),
    ret: "fd",
  }),
]);
