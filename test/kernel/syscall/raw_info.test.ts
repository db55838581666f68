/** Calls of bpf(2) as bytes, on skep and on the running Linux. Ids, BPF_OBJ_GET_INFO_BY_FD, BPF_TASK_FD_QUERY. */
import { BTF, PASS } from "../../../conformance/raw/world.ts";
import * as attr from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { bytesOf, rawCalls, row, type Scene, text } from "./table.ts";

const { GET_ID, INFO_BY_FD, TASK_FD_QUERY } = attr;

const byId = (cmd: number) => ({ cmd, layout: GET_ID }) as const;
const INT_MAX = 0x7fffffff;

rawCalls("ids", [
  row({
    name: "the first map",
    ...byId(abi.BPF_MAP_GET_NEXT_ID),
    size: 8,
    members: () => ({ start_id: 0 }),
    ret: 0,
    out: (_s, a) => a.next_id > 0,
    is: true,
  }),
  row({
    name: "the id is written behind the size",
    ...byId(abi.BPF_MAP_GET_NEXT_ID),
    size: 4,
    members: () => ({ start_id: 0 }),
    ret: 0,
    out: (_s, a) => a.next_id > 0,
    is: true,
  }),
  row({
    name: "no more maps",
    ...byId(abi.BPF_MAP_GET_NEXT_ID),
    members: () => ({ start_id: INT_MAX - 1 }),
    ret: "ENOENT",
  }),
  row({
    name: "an id beyond all",
    ...byId(abi.BPF_PROG_GET_NEXT_ID),
    members: () => ({ start_id: INT_MAX }),
    ret: "EINVAL",
  }),
  row({ name: "open_flags", ...byId(abi.BPF_LINK_GET_NEXT_ID), members: () => ({ open_flags: 1 }), ret: "EINVAL" }),
  row({
    name: "a map by id",
    ...byId(abi.BPF_MAP_GET_FD_BY_ID),
    members: (s) => ({ start_id: s.id("hash") }),
    ret: "fd",
  }),
  row({
    name: "a map by id, read-only",
    ...byId(abi.BPF_MAP_GET_FD_BY_ID),
    members: (s) => ({ start_id: s.id("hash"), open_flags: abi.BPF_F_RDONLY }),
    ret: "fd",
  }),
  row({
    name: "a map by id, neither read nor written",
    ...byId(abi.BPF_MAP_GET_FD_BY_ID),
    members: (s) => ({ start_id: s.id("hash"), open_flags: abi.BPF_F_RDONLY | abi.BPF_F_WRONLY }),
    ret: "EINVAL",
  }),
  row({
    name: "a map by id, unknown flags",
    ...byId(abi.BPF_MAP_GET_FD_BY_ID),
    members: (s) => ({ start_id: s.id("hash"), open_flags: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "a program by the id of none",
    ...byId(abi.BPF_PROG_GET_FD_BY_ID),
    members: () => ({ start_id: INT_MAX }),
    ret: "ENOENT",
  }),
  row({
    name: "a BTF by id",
    ...byId(abi.BPF_BTF_GET_FD_BY_ID),
    members: (s) => ({ start_id: s.id("btf") }),
    ret: "fd",
  }),
  row({
    name: "a BTF by id with no token",
    ...byId(abi.BPF_BTF_GET_FD_BY_ID),
    members: (s) => ({ start_id: s.id("btf"), open_flags: abi.BPF_F_TOKEN_FD, fd_by_id_token_fd: -1 }),
    ret: "EBADF",
  }),
  row({
    name: "a link by id",
    ...byId(abi.BPF_LINK_GET_FD_BY_ID),
    members: (s) => ({ start_id: s.id("link") }),
    ret: "fd",
  }),
]);

const info = { cmd: abi.BPF_OBJ_GET_INFO_BY_FD, layout: INFO_BY_FD } as const;
const mapInfoOf = (s: Parameters<typeof text>[0]) => {
  const { type, key_size, value_size, max_entries, name } = attr.MAP_INFO.unpack(s);
  return { type, key_size, value_size, max_entries, name };
};
const HASH_INFO = { type: 1, key_size: 4, value_size: 8, max_entries: 16, name: "hash" };
/** struct bpf_map_info of 6.18. */
const MAP_INFO_BYTES = 104;
const PROG_INFO_BYTES = 232;

const hashOf = (map: string, hash_size: number) => (s: Scene) => ({
  bpf_fd: s.fd(map),
  info: s.buf("i", attr.MAP_INFO.pack(s.at, { hash: s.buf("h"), hash_size })),
  info_len: MAP_INFO_BYTES,
});

rawCalls("BPF_OBJ_GET_INFO_BY_FD", [
  row({
    name: "a map",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("hash"), info: s.buf("i"), info_len: MAP_INFO_BYTES }),
    ret: 0,
    out: (s, a) => [a.info_len, mapInfoOf(s.buf("i"))],
    is: [MAP_INFO_BYTES, HASH_INFO],
  }),
  row({
    name: "a map, 8 bytes of it",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("hash"), info: s.buf("i"), info_len: 8 }),
    ret: 0,
    out: (s, a) => [a.info_len, bytesOf(s.buf("i"), 0, 4), bytesOf(s.buf("i"), 8, 4)],
    is: [8, [1, 0, 0, 0], [0, 0, 0, 0]],
  }),
  row({
    name: "a map, room for more",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("hash"), info: s.buf("i"), info_len: 400 }),
    ret: 0,
    out: (s, a) => [a.info_len, mapInfoOf(s.buf("i"))],
    is: [MAP_INFO_BYTES, HASH_INFO],
  }),
  row({
    name: "a map, a byte behind what is known",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("hash"), info: s.buf("i", new Uint8Array(400).with(399, 1)), info_len: 400 }),
    ret: "E2BIG",
  }),
  row({
    name: "a map, more than a page",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("hash"), info: s.buf("i"), info_len: 4097 }),
    ret: "E2BIG",
  }),
  row({
    name: "a map, in no memory",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("hash"), info: 0x10, info_len: 8 }),
    ret: "EFAULT",
  }),
  row({
    name: "the hash of a frozen array",
    ...info,
    members: hashOf("frozen", 32),
    ret: 0,
    out: (s) => toHex(s.buf("h").subarray(0, 32)),
    // SHA-256 of four values of 8 zeros
    is: "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925",
  }),
  row({ name: "the hash of an array that is not frozen", ...info, members: hashOf("array", 32), ret: "EPERM" }),
  row({ name: "a hash of another size", ...info, members: hashOf("frozen", 16), ret: "EINVAL" }),
  row({ name: "the hash of a hash table", ...info, members: hashOf("hash", 32), ret: "EINVAL" }),
  row({
    name: "no fd",
    ...info,
    members: (s) => ({ bpf_fd: 0x7fffffff, info: s.buf("i"), info_len: 8 }),
    ret: "EBADFD",
  }),
  row({ name: "stdin", ...info, members: (s) => ({ bpf_fd: 0, info: s.buf("i"), info_len: 8 }), ret: "EINVAL" }),
  row({
    name: "a program, its numbers",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("xdp"), info: s.buf("i"), info_len: PROG_INFO_BYTES }),
    ret: 0,
    out: (s) => {
      const i = attr.PROG_INFO.unpack(s.buf("i"));
      return [
        i.type,
        i.name,
        i.xlated_prog_len,
        i.gpl_compatible,
        i.nr_map_ids,
        i.nr_jited_ksyms,
        i.nr_prog_tags,
        i.func_info_rec_size,
        i.line_info_rec_size,
        i.verified_insns,
      ];
    },
    is: [6, "xdp", 16, 1, 0, 1, 1, 8, 16, 2],
  }),
  row({
    name: "a program, its instructions",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("xdp"),
      info: s.buf("i", attr.PROG_INFO.pack(s.at, { xlated_prog_len: 512, xlated_prog_insns: s.buf("x") })),
      info_len: PROG_INFO_BYTES,
    }),
    ret: 0,
    out: (s) => bytesOf(s.buf("x"), 0, 16),
    is: [...PASS],
  }),
  row({
    name: "a program, part of its instructions",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("xdp"),
      info: s.buf("i", attr.PROG_INFO.pack(s.at, { xlated_prog_len: 8, xlated_prog_insns: s.buf("x") })),
      info_len: PROG_INFO_BYTES,
    }),
    ret: 0,
    out: (s) => [attr.PROG_INFO.unpack(s.buf("i")).xlated_prog_len, bytesOf(s.buf("x"), 0, 16)],
    is: [16, [...PASS.subarray(0, 8), 0, 0, 0, 0, 0, 0, 0, 0]],
  }),
  row({
    name: "a program, its maps",
    ...info,
    before: (s) => s.kernel.bpf.progBindMap(s.fd("xdp"), s.fd("hash")),
    members: (s) => ({
      bpf_fd: s.fd("xdp"),
      info: s.buf("i", attr.PROG_INFO.pack(s.at, { nr_map_ids: 4, map_ids: s.buf("m") })),
      info_len: PROG_INFO_BYTES,
    }),
    ret: 0,
    out: (s) => [attr.PROG_INFO.unpack(s.buf("i")).nr_map_ids, new Uint32Array(s.buf("m").buffer)[0] === s.id("hash")],
    is: [1, true],
  }),
  row({
    name: "a program, the instructions in no memory",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("xdp"),
      info: s.buf("i", attr.PROG_INFO.pack(s.at, { xlated_prog_len: 8, xlated_prog_insns: 0x10 })),
      info_len: PROG_INFO_BYTES,
    }),
    ret: "EFAULT",
  }),
  row({
    name: "a program, records of another size",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("xdp"),
      info: s.buf("i", attr.PROG_INFO.pack(s.at, { func_info_rec_size: 16 })),
      info_len: PROG_INFO_BYTES,
    }),
    ret: "EINVAL",
  }),
  row({
    name: "a BTF",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("btf"),
      info: s.buf(
        "i",
        attr.BTF_INFO.pack(s.at, { btf: s.buf("b"), btf_size: 512, name: s.buf("n", [1]), name_len: 8 }),
      ),
      info_len: 32,
    }),
    ret: 0,
    out: (s) => {
      const i = attr.BTF_INFO.unpack(s.buf("i"));
      return [i.btf_size, i.name_len, i.kernel_btf, bytesOf(s.buf("b"), 0, BTF.length), s.buf("n")[0]];
    },
    is: [BTF.length, 0, 0, [...BTF], 0],
  }),
  row({
    name: "a BTF, room for a name without its size",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("btf"),
      info: s.buf("i", attr.BTF_INFO.pack(s.at, { name: s.buf("n") })),
      info_len: 32,
    }),
    ret: "EINVAL",
  }),
  row({
    name: "a link",
    ...info,
    members: (s) => ({ bpf_fd: s.fd("link"), info: s.buf("i"), info_len: 64 }),
    ret: 0,
    out: (s) => {
      const i = attr.LINK_INFO.raw_tracepoint.unpack(s.buf("i"));
      return [i.type, i.id === s.id("link"), i.prog_id === s.id("raw_tp"), i.tp_name_len];
    },
    is: [1, true, true, "xdp_exception".length + 1],
  }),
  row({
    name: "a link, its tracepoint",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("link"),
      info: s.buf("i", attr.LINK_INFO.raw_tracepoint.pack(s.at, { tp_name: s.buf("n"), tp_name_len: 64 })),
      info_len: 64,
    }),
    ret: 0,
    out: (s) => text(s.buf("n")),
    is: "xdp_exception",
  }),
  row({
    name: "a link, its tracepoint cut",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("link"),
      info: s.buf("i", attr.LINK_INFO.raw_tracepoint.pack(s.at, { tp_name: s.buf("n"), tp_name_len: 4 })),
      info_len: 64,
    }),
    ret: "ENOSPC",
    out: (s) => text(s.buf("n")),
    is: "xdp",
  }),
  row({
    name: "a link, room for a name without its size",
    ...info,
    members: (s) => ({
      bpf_fd: s.fd("link"),
      info: s.buf("i", attr.LINK_INFO.raw_tracepoint.pack(s.at, { tp_name: s.buf("n") })),
      info_len: 64,
    }),
    ret: "EINVAL",
  }),
]);

const query = { cmd: abi.BPF_TASK_FD_QUERY, layout: TASK_FD_QUERY } as const;
const TP = "xdp_exception";

rawCalls("BPF_TASK_FD_QUERY", [
  row({
    name: "a raw tracepoint",
    ...query,
    members: (s) => ({ pid: s.kernel.pid, fd: s.fd("link"), buf: s.buf("n"), buf_len: 64 }),
    ret: 0,
    out: (s, a) => [text(s.buf("n")), a.buf_len, a.prog_id === s.id("raw_tp"), a.fd_type, a.probe_offset],
    is: [TP, TP.length, true, abi.BPF_FD_TYPE_RAW_TRACEPOINT, 0n],
  }),
  row({
    name: "its name cut",
    ...query,
    members: (s) => ({ pid: s.kernel.pid, fd: s.fd("link"), buf: s.buf("n"), buf_len: 4 }),
    ret: "ENOSPC",
    out: (s, a) => [text(s.buf("n")), a.buf_len, a.prog_id === s.id("raw_tp")],
    is: ["xdp", TP.length, true],
  }),
  row({ name: "a map", ...query, members: (s) => ({ pid: s.kernel.pid, fd: s.fd("hash") }), ret: "ENOTSUPP" }),
  row({ name: "no fd", ...query, members: (s) => ({ pid: s.kernel.pid, fd: 0x7fffffff }), ret: "EBADF" }),
  row({ name: "no process", ...query, members: () => ({ pid: 0x7ffffff0, fd: 3 }), ret: "ENOENT" }),
  row({ name: "flags", ...query, members: (s) => ({ pid: s.kernel.pid, fd: s.fd("link"), flags: 1 }), ret: "EINVAL" }),
]);
