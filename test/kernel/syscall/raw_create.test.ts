/** Calls of bpf(2) as bytes, on skep and on the running Linux. The size of an attr, and BPF_MAP_CREATE. */
import { MAP_CREATE } from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { rawCalls, row } from "./table.ts";

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
