import { BTF, insnsOf, PASS } from "../../../conformance/raw/world.ts";
import * as attr from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { cString } from "../../../src/abi/cstring.ts";
import { struct } from "../../../src/abi/struct.ts";
import { bytesOf, rawCalls, row, text } from "./table.ts";

const { MAP_CREATE, MAP_ELEM, MAP_BATCH, PROG_LOAD, BTF_LOAD, GET_ID, INFO_BY_FD, TEST_RUN, TASK_FD_QUERY } = attr;

const array = { map_type: abi.BPF_MAP_TYPE_ARRAY, key_size: 4, value_size: 8, max_entries: 4 };
const create = { cmd: abi.BPF_MAP_CREATE, layout: MAP_CREATE, members: () => array } as const;
/** Behind the members of BPF_MAP_CREATE, inside of the union and behind it. */
const IN_UNION = 120;
const BEHIND_UNION = 200;

rawCalls("the size of the attr", [
  row({ name: "as the layout has it", ...create, ret: "fd" }),
  row({ name: "up to map_flags", ...create, size: 20, ret: "fd" }),
  row({
    name: "up to max_entries, which is cut in two",
    ...create,
    members: () => ({ ...array, max_entries: 0x10004 }),
    size: 14,
    ret: "fd",
  }),
  row({ name: "without max_entries", ...create, size: 12, ret: "EINVAL" }),
  row({ name: "0", ...create, size: 0, ret: "EINVAL" }),
  row({ name: "longer than the union, zeros behind", ...create, size: 256, ret: "fd" }),
  row({
    name: "longer than the union, a byte behind",
    ...create,
    size: 256,
    bytes: { [BEHIND_UNION]: 1 },
    ret: "E2BIG",
  }),
  row({ name: "a byte behind the last member", ...create, size: 168, bytes: { [IN_UNION]: 1 }, ret: "EINVAL" }),
  row({ name: "a byte behind the last member and the size", ...create, bytes: { [IN_UNION]: 1 }, ret: "fd" }),
  row({ name: "more than a page", ...create, size: 4097, ret: "E2BIG" }),
  row({ name: "an unknown command", ...create, cmd: 38, ret: "EINVAL" }),
  row({ name: "a negative command", ...create, cmd: -1, ret: "EINVAL" }),
]);

rawCalls("BPF_MAP_CREATE", [
  row({
    name: "a name with letters of Latin-1",
    ...create,
    members: () => ({ ...array, map_name: "\u00e9\u00df" }),
    ret: "fd",
  }),
  row({
    name: "a name with a sign of Latin-1",
    ...create,
    members: () => ({ ...array, map_name: "\u00d7" }),
    ret: "EINVAL",
  }),
  row({ name: "a name", ...create, members: () => ({ ...array, map_name: "a_b.9" }), ret: "fd" }),
  row({ name: "a name with a space", ...create, members: () => ({ ...array, map_name: "a b" }), ret: "EINVAL" }),
  row({
    name: "a name without NUL",
    ...create,
    members: () => ({ ...array, map_name: "a".repeat(16) }),
    ret: "EINVAL",
  }),
  row({ name: "an unknown type", ...create, members: () => ({ ...array, map_type: 34 }), ret: "EINVAL" }),
  row({
    name: "an outer map without inner",
    ...create,
    members: () => ({ ...array, map_type: 12, value_size: 4 }),
    ret: "EINVAL",
  }),
  row({
    name: "an outer map",
    ...create,
    members: (s) => ({ ...array, map_type: 12, value_size: 4, inner_map_fd: s.fd("hash") }),
    ret: "fd",
  }),
  row({
    name: "BTF types",
    ...create,
    members: (s) => ({ ...array, value_size: 4, btf_fd: s.fd("btf"), btf_key_type_id: 1, btf_value_type_id: 1 }),
    ret: "fd",
  }),
  row({
    name: "a BTF type of another size",
    ...create,
    members: (s) => ({ ...array, btf_fd: s.fd("btf"), btf_key_type_id: 1, btf_value_type_id: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "no BTF fd",
    ...create,
    members: () => ({ ...array, btf_fd: 0x7fffffff, btf_key_type_id: 1, btf_value_type_id: 1 }),
    ret: "EBADF",
  }),
  row({
    name: "a map as token",
    ...create,
    members: (s) => ({ ...array, map_flags: abi.BPF_F_TOKEN_FD, map_token_fd: s.fd("hash") }),
    ret: "EINVAL",
  }),
  row({
    name: "no token",
    ...create,
    members: () => ({ ...array, map_flags: abi.BPF_F_TOKEN_FD, map_token_fd: -1 }),
    ret: "EBADF",
  }),
  row({
    name: "the hash of a program, too short",
    ...create,
    members: (s) => ({ ...array, excl_prog_hash: s.buf("h"), excl_prog_hash_size: 31 }),
    ret: "EINVAL",
  }),
  row({
    name: "the hash of a program",
    ...create,
    members: (s) => ({ ...array, excl_prog_hash: s.buf("h"), excl_prog_hash_size: 32 }),
    ret: "fd",
  }),
]);

const KEY = [1, 0, 0, 0];
const VALUE = [1, 2, 3, 4, 5, 6, 7, 8];
const elem = (cmd: number) => ({ cmd, layout: MAP_ELEM }) as const;
const put = (name: string) => (s: Parameters<Parameters<typeof rawCalls>[1][number]["members"]>[0]) =>
  s.kernel.bpf.mapUpdateElem(s.fd(name), Uint8Array.from(KEY), Uint8Array.from(VALUE));

rawCalls("elements", [
  row({
    name: "lookup",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    before: put("hash"),
    members: (s) => ({ map_fd: s.fd("hash"), key: s.buf("k", KEY), value: s.buf("v") }),
    ret: 0,
    out: (s) => bytesOf(s.buf("v"), 0, 9),
    is: [...VALUE, 0],
  }),
  row({
    name: "lookup of no key",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: s.fd("hash"), key: s.buf("k", KEY), value: s.buf("v") }),
    ret: "ENOENT",
  }),
  row({
    name: "lookup with an unknown flag",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: 0x7fffffff, flags: 1, key: s.buf("k") }),
    ret: "EINVAL",
  }),
  row({
    name: "lookup in no map",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: 0x7fffffff, key: s.buf("k") }),
    ret: "EBADF",
  }),
  row({
    name: "lookup in a program",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: s.fd("xdp"), key: s.buf("k") }),
    ret: "EINVAL",
  }),
  row({
    name: "lookup in stdin",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: 0, key: s.buf("k") }),
    ret: "EINVAL",
  }),
  row({
    name: "lookup through a write-only fd",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: s.fd("wronly") }),
    ret: "EPERM",
  }),
  row({
    name: "lookup, the key in no memory",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: s.fd("array"), key: 0x10, value: s.buf("v") }),
    ret: "EFAULT",
  }),
  row({
    name: "lookup, the value in no memory",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: s.fd("array"), key: s.buf("k"), value: 0x10 }),
    ret: "EFAULT",
  }),
  row({
    name: "lookup with a key where there are none",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: s.fd("queue"), key: s.buf("k"), value: s.buf("v") }),
    ret: "EINVAL",
  }),
  row({
    name: "update",
    ...elem(abi.BPF_MAP_UPDATE_ELEM),
    members: (s) => ({ map_fd: s.fd("array"), key: s.buf("k", KEY), value: s.buf("v", VALUE) }),
    ret: 0,
    out: (s) => [...s.kernel.bpf.mapLookupElem(s.fd("array"), Uint8Array.from(KEY))],
    is: VALUE,
  }),
  row({
    name: "update of what must not be there",
    ...elem(abi.BPF_MAP_UPDATE_ELEM),
    before: put("hash"),
    members: (s) => ({ map_fd: s.fd("hash"), key: s.buf("k", KEY), value: s.buf("v"), flags: 1 }),
    ret: "EEXIST",
  }),
  row({
    name: "update of a frozen map",
    ...elem(abi.BPF_MAP_UPDATE_ELEM),
    members: (s) => ({ map_fd: s.fd("frozen"), key: s.buf("k"), value: s.buf("v") }),
    ret: "EPERM",
  }),
  row({
    name: "update through a read-only fd",
    ...elem(abi.BPF_MAP_UPDATE_ELEM),
    members: (s) => ({ map_fd: s.fd("rdonly"), key: s.buf("k"), value: s.buf("v") }),
    ret: "EPERM",
  }),
  row({
    name: "update with a lock where there is none",
    ...elem(abi.BPF_MAP_UPDATE_ELEM),
    members: (s) => ({ map_fd: s.fd("hash"), flags: 4 }),
    ret: "EINVAL",
  }),
  row({
    name: "update with a flag above 32 bits",
    ...elem(abi.BPF_MAP_UPDATE_ELEM),
    members: (s) => ({ map_fd: s.fd("hash"), key: s.buf("k"), value: s.buf("v"), flags: 1n << 40n }),
    ret: "EINVAL",
  }),
  row({
    name: "delete",
    ...elem(abi.BPF_MAP_DELETE_ELEM),
    size: 16,
    before: put("hash"),
    members: (s) => ({ map_fd: s.fd("hash"), key: s.buf("k", KEY) }),
    ret: 0,
  }),
  row({
    name: "delete with a value",
    ...elem(abi.BPF_MAP_DELETE_ELEM),
    members: (s) => ({ map_fd: s.fd("hash"), key: s.buf("k"), value: s.buf("v") }),
    ret: "EINVAL",
  }),
  row({
    name: "first key",
    ...elem(abi.BPF_MAP_GET_NEXT_KEY),
    before: put("hash"),
    members: (s) => ({ map_fd: s.fd("hash"), value: s.buf("n") }),
    ret: 0,
    out: (s) => bytesOf(s.buf("n"), 0, 4),
    is: KEY,
  }),
  row({
    name: "next key",
    ...elem(abi.BPF_MAP_GET_NEXT_KEY),
    members: (s) => ({ map_fd: s.fd("array"), key: s.buf("k", KEY), value: s.buf("n") }),
    ret: 0,
    out: (s) => bytesOf(s.buf("n"), 0, 4),
    is: [2, 0, 0, 0],
  }),
  row({
    name: "next key after the last",
    ...elem(abi.BPF_MAP_GET_NEXT_KEY),
    members: (s) => ({ map_fd: s.fd("array"), key: s.buf("k", [3]), value: s.buf("n") }),
    ret: "ENOENT",
  }),
  row({
    name: "next key with flags",
    ...elem(abi.BPF_MAP_GET_NEXT_KEY),
    members: (s) => ({ map_fd: s.fd("array"), value: s.buf("n"), flags: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "take from a queue",
    ...elem(abi.BPF_MAP_LOOKUP_AND_DELETE_ELEM),
    before: (s) => s.kernel.bpf.mapUpdateElem(s.fd("queue"), new Uint8Array(), Uint8Array.from(VALUE)),
    members: (s) => ({ map_fd: s.fd("queue"), value: s.buf("v") }),
    ret: 0,
    out: (s) => bytesOf(s.buf("v"), 0, 8),
    is: VALUE,
  }),
  row({
    name: "take from an array",
    ...elem(abi.BPF_MAP_LOOKUP_AND_DELETE_ELEM),
    members: (s) => ({ map_fd: s.fd("array"), key: s.buf("k"), value: s.buf("v") }),
    ret: "ENOTSUPP",
  }),
  row({
    name: "bloom filter: not in it",
    ...elem(abi.BPF_MAP_LOOKUP_ELEM),
    members: (s) => ({ map_fd: s.fd("bloom"), value: s.buf("v", VALUE) }),
    ret: "ENOENT",
  }),
  row({ name: "freeze", ...elem(abi.BPF_MAP_FREEZE), size: 4, members: (s) => ({ map_fd: s.fd("array") }), ret: 0 }),
  row({
    name: "freeze once more",
    ...elem(abi.BPF_MAP_FREEZE),
    size: 4,
    members: (s) => ({ map_fd: s.fd("frozen") }),
    ret: "EPERM",
  }),
]);

const batch = (cmd: number) => ({ cmd, layout: MAP_BATCH }) as const;

rawCalls("batches", [
  row({
    name: "lookup of two",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    before: put("array"),
    members: (s) => ({ map_fd: s.fd("array"), out_batch: s.buf("o"), keys: s.buf("k"), values: s.buf("v"), count: 2 }),
    ret: 0,
    out: (s, a) => [a.count, bytesOf(s.buf("o"), 0, 4), bytesOf(s.buf("k"), 0, 8), bytesOf(s.buf("v"), 0, 16)],
    is: [2, KEY, [0, 0, 0, 0, ...KEY], [0, 0, 0, 0, 0, 0, 0, 0, ...VALUE]],
  }),
  row({
    name: "lookup of more than there are",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({
      map_fd: s.fd("array"),
      in_batch: s.buf("i", KEY),
      out_batch: s.buf("o"),
      keys: s.buf("k"),
      values: s.buf("v"),
      count: 9,
    }),
    ret: "ENOENT",
    out: (s, a) => [a.count, bytesOf(s.buf("k"), 0, 12)],
    is: [2, [2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]],
  }),
  row({
    name: "lookup of none",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({ map_fd: s.fd("array") }),
    ret: 0,
  }),
  row({
    name: "lookup, the values in no memory",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({ map_fd: s.fd("array"), out_batch: s.buf("o"), keys: s.buf("k"), values: 0x10, count: 2 }),
    ret: "EFAULT",
    out: (_s, a) => a.count,
    is: 0,
  }),
  row({
    name: "lookup of an empty hash",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({ map_fd: s.fd("hash"), out_batch: s.buf("o"), keys: s.buf("k"), values: s.buf("v"), count: 2 }),
    ret: "ENOENT",
    out: (_s, a) => a.count,
    is: 0,
  }),
  row({
    name: "lookup of a hash from behind its buckets",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({ map_fd: s.fd("hash"), in_batch: s.buf("i", [255, 255]), out_batch: s.buf("o"), count: 2 }),
    ret: "ENOENT",
  }),
  row({
    name: "lookup in a queue",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({ map_fd: s.fd("queue"), count: 2 }),
    ret: "ENOTSUPP",
  }),
  row({
    name: "lookup with flags of elements",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({ map_fd: s.fd("array"), elem_flags: 1, count: 2 }),
    ret: "EINVAL",
  }),
  row({
    name: "lookup of a hash with flags",
    ...batch(abi.BPF_MAP_LOOKUP_BATCH),
    members: (s) => ({ map_fd: s.fd("hash"), flags: 1, count: 2 }),
    ret: "EINVAL",
  }),
  row({
    name: "update that stops in the middle",
    ...batch(abi.BPF_MAP_UPDATE_BATCH),
    members: (s) => ({ map_fd: s.fd("array"), keys: s.buf("k", [...KEY, 9, 0, 0, 0]), values: s.buf("v"), count: 3 }),
    ret: "E2BIG",
    out: (_s, a) => a.count,
    is: 1,
  }),
  row({
    name: "delete that stops in the middle",
    ...batch(abi.BPF_MAP_DELETE_BATCH),
    before: put("hash"),
    members: (s) => ({ map_fd: s.fd("hash"), keys: s.buf("k", [...KEY, 9, 0, 0, 0]), count: 3 }),
    ret: "ENOENT",
    out: (_s, a) => a.count,
    is: 1,
  }),
  row({
    name: "take all of a hash",
    ...batch(abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH),
    before: put("hash"),
    members: (s) => ({ map_fd: s.fd("hash"), out_batch: s.buf("o"), keys: s.buf("k"), values: s.buf("v"), count: 8 }),
    ret: "ENOENT",
    out: (s, a) => [a.count, bytesOf(s.buf("k"), 0, 4), bytesOf(s.buf("v"), 0, 8)],
    is: [1, KEY, VALUE],
  }),
]);

const load = { cmd: abi.BPF_PROG_LOAD, layout: PROG_LOAD } as const;
const BAD = insnsOf("r0 = r5\nexit");
const SAYS = "R5 !read_ok";

rawCalls("BPF_PROG_LOAD", [
  row({
    name: "two instructions",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", PASS), license: s.buf("l", cString("GPL")) }),
    ret: "fd",
  }),
  row({
    name: "none",
    ...load,
    members: (s) => ({ prog_type: 6, insns: s.buf("i", PASS), license: s.buf("l", cString("GPL")) }),
    ret: "E2BIG",
  }),
  row({
    name: "in no memory",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: 0x10, license: s.buf("l") }),
    ret: "EFAULT",
  }),
  row({
    name: "no license",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", PASS) }),
    ret: "EFAULT",
  }),
  row({
    name: "an unknown type",
    ...load,
    members: (s) => ({ prog_type: 99, insn_cnt: 2, insns: s.buf("i", PASS), license: s.buf("l") }),
    ret: "EINVAL",
  }),
  row({
    name: "unknown flags",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", PASS), license: s.buf("l"), prog_flags: 1 << 20 }),
    ret: "EINVAL",
  }),
  row({
    name: "a bad name",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", PASS), license: s.buf("l"), prog_name: "a-b" }),
    ret: "EINVAL",
  }),
  row({
    name: "refused, with a log",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", BAD),
      license: s.buf("l"),
      log_level: 1,
      log_size: 512,
      log_buf: s.buf("log"),
    }),
    ret: "EACCES",
    out: (s, a) => [text(s.buf("log")).includes(SAYS), a.log_true_size === text(s.buf("log")).length + 1],
    is: [true, true],
  }),
  row({
    name: "refused, with a log that is cut",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", BAD),
      license: s.buf("l"),
      log_level: 1,
      log_size: 64,
      log_buf: s.buf("log"),
    }),
    ret: "ENOSPC",
    out: (s, a) => [text(s.buf("log")).length, a.log_true_size > 64],
    is: [63, true],
  }),
  row({
    name: "taken, with a log that is cut",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      log_level: 2,
      log_size: 16,
      log_buf: s.buf("log"),
    }),
    ret: "ENOSPC",
    out: (s) => text(s.buf("log")).length,
    is: 15,
  }),
  row({
    name: "the length of the log alone",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", BAD), license: s.buf("l"), log_level: 1 }),
    ret: "EACCES",
    out: (_s, a) => a.log_true_size > 20,
    is: true,
  }),
  row({
    name: "an attr without log_true_size",
    ...load,
    size: 140,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", BAD), license: s.buf("l"), log_level: 1 }),
    ret: "EACCES",
    out: (_s, a) => a.log_true_size,
    is: 0,
  }),
  row({
    name: "a log buffer without a level",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      log_size: 512,
      log_buf: s.buf("log"),
    }),
    ret: "EINVAL",
  }),
  row({
    name: "a log buffer without a size",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      log_level: 1,
      log_buf: s.buf("log"),
    }),
    ret: "EINVAL",
  }),
  row({
    name: "an unknown log level",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", PASS), license: s.buf("l"), log_level: 16 }),
    ret: "EINVAL",
  }),
  row({
    name: "a map that is bound",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      fd_array: s.buf("f", new Uint8Array(Int32Array.of(s.fd("hash")).buffer)),
      fd_array_cnt: 1,
    }),
    ret: "fd",
  }),
  row({
    name: "a program in fd_array",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      fd_array: s.buf("f", new Uint8Array(Int32Array.of(s.fd("xdp")).buffer)),
      fd_array_cnt: 1,
    }),
    ret: "EINVAL",
  }),
  row({
    name: "fd_array in no memory",
    ...load,
    members: (s) => ({
      prog_type: 6,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      fd_array: 0x10,
      fd_array_cnt: 1,
    }),
    ret: "EFAULT",
  }),
  row({
    name: "attach_prog_fd of a map",
    ...load,
    members: (s) => ({
      prog_type: 26,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      attach_prog_fd: s.fd("hash"),
    }),
    ret: "EINVAL",
  }),
  row({
    name: "attach_btf_obj_fd of a program's BTF",
    ...load,
    members: (s) => ({
      prog_type: 26,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      attach_prog_fd: s.fd("btf"),
    }),
    ret: "ENOTSUPP",
  }),
]);

const btfLoad = { cmd: abi.BPF_BTF_LOAD, layout: BTF_LOAD } as const;

rawCalls("BPF_BTF_LOAD", [
  row({ name: "a BTF", ...btfLoad, members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length }), ret: "fd" }),
  row({
    name: "a byte short",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length - 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "a byte long",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length + 1 }),
    ret: "EINVAL",
  }),
  row({ name: "in no memory", ...btfLoad, members: () => ({ btf: 0x10, btf_size: BTF.length }), ret: "EFAULT" }),
  row({
    name: "more than 16 MiB",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b"), btf_size: (1 << 24) + 1 }),
    ret: "E2BIG",
  }),
  row({
    name: "unknown flags",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length, btf_flags: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "no token",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length, btf_flags: abi.BPF_F_TOKEN_FD, btf_token_fd: -1 }),
    ret: "EBADF",
  }),
  row({
    name: "refused, with a log",
    ...btfLoad,
    members: (s) => ({
      btf: s.buf("b", BTF.with(0, 0)),
      btf_size: BTF.length,
      btf_log_level: 1,
      btf_log_size: 512,
      btf_log_buf: s.buf("log"),
    }),
    ret: "EINVAL",
    out: (s, a) => [text(s.buf("log")).includes("magic"), a.btf_log_true_size === text(s.buf("log")).length + 1],
    is: [true, true],
  }),
]);

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

const testRun = { cmd: abi.BPF_PROG_TEST_RUN, layout: TEST_RUN } as const;

rawCalls("BPF_PROG_TEST_RUN", [
  row({
    name: "a packet",
    ...testRun,
    members: (s) => ({
      prog_fd: s.fd("xdp"),
      data_in: s.buf("d", VALUE),
      data_size_in: 20,
      data_out: s.buf("o"),
      data_size_out: 64,
    }),
    ret: 0,
    out: (s, a) => [a.retval, a.data_size_out, bytesOf(s.buf("o"), 0, 8)],
    is: [2, 20, VALUE],
  }),
  row({
    name: "no room given: all of it",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("xdp"), data_in: s.buf("d", VALUE), data_size_in: 20, data_out: s.buf("o") }),
    ret: 0,
    out: (s, a) => [a.data_size_out, bytesOf(s.buf("o"), 0, 8)],
    is: [20, VALUE],
  }),
  row({
    name: "too little room",
    ...testRun,
    members: (s) => ({
      prog_fd: s.fd("xdp"),
      data_in: s.buf("d", VALUE),
      data_size_in: 20,
      data_out: s.buf("o"),
      data_size_out: 4,
    }),
    ret: "ENOSPC",
    out: (s, a) => [a.retval, a.data_size_out, bytesOf(s.buf("o"), 0, 8)],
    is: [2, 20, [1, 2, 3, 4, 0, 0, 0, 0]],
  }),
  row({
    name: "13 bytes",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("xdp"), data_in: s.buf("d"), data_size_in: 13 }),
    ret: "EINVAL",
  }),
  row({
    name: "a context without its size",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("xdp"), ctx_in: s.buf("c") }),
    ret: "EINVAL",
  }),
  row({
    name: "a context that comes back",
    ...testRun,
    members: (s) => ({
      prog_fd: s.fd("cls"),
      data_in: s.buf("d"),
      data_size_in: 64,
      ctx_in: s.buf("c", new Uint8Array(192).with(8, 7)),
      ctx_size_in: 192,
      ctx_out: s.buf("x"),
      ctx_size_out: 192,
    }),
    ret: 0,
    out: (s, a) => [a.ctx_size_out, s.buf("x")[8]],
    is: [192, 7],
  }),
  row({
    name: "a raw tracepoint",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("raw_tp"), ctx_in: s.buf("c"), ctx_size_in: 16 }),
    ret: 0,
    out: (_s, a) => a.retval,
    is: 2,
  }),
  row({
    name: "a raw tracepoint with data",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("raw_tp"), data_in: s.buf("c"), data_size_in: 16 }),
    ret: "EINVAL",
  }),
  row({
    name: "a syscall program",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("syscall"), ctx_in: s.buf("c"), ctx_size_in: 16 }),
    ret: 0,
    out: (_s, a) => a.retval,
    is: 2,
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
/** A cookie of a raw tracepoint lies where the layout says. */
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
