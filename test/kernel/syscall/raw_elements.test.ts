/** Calls of bpf(2) as bytes, on skep and on the running Linux. Elements of maps and batches. */
import { MAP_BATCH, MAP_ELEM } from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { bytesOf, rawCalls, row, type Scene } from "./table.ts";

const KEY = [1, 0, 0, 0];
const VALUE = [1, 2, 3, 4, 5, 6, 7, 8];
const elem = (cmd: number) => ({ cmd, layout: MAP_ELEM }) as const;
const put = (name: string) => (s: Scene) =>
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
