/** Context access of every program type equals what Linux 6.18 accepted: row by row, every size and offset. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { PROG_TYPES, type ProgType, variantKey } from "../../src/progs/prog_types.ts";
import { fieldAccessOk } from "../../src/verifier/ctx_access.ts";

interface Row {
  readonly type: string;
  readonly op: "read" | "write";
  readonly size: number;
  readonly offsets: readonly number[];
}

const rows: Row[] = readFileSync(new URL("./linux-6.18-ctx-access.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

/** Expected attach type that a row's key stands for, where the type has variants. */
const ATTACH: Readonly<Record<string, number>> = {
  "cgroup_skb/ingress": abi.BPF_CGROUP_INET_INGRESS,
  "cgroup_skb/egress": abi.BPF_CGROUP_INET_EGRESS,
  "cgroup_sock/create": abi.BPF_CGROUP_INET_SOCK_CREATE,
  "cgroup_sock/post_bind4": abi.BPF_CGROUP_INET4_POST_BIND,
  "cgroup_sock/post_bind6": abi.BPF_CGROUP_INET6_POST_BIND,
  "cgroup_sock/release": abi.BPF_CGROUP_INET_SOCK_RELEASE,
  "cgroup_sock_addr/bind4": abi.BPF_CGROUP_INET4_BIND,
  "cgroup_sock_addr/bind6": abi.BPF_CGROUP_INET6_BIND,
  "cgroup_sock_addr/connect4": abi.BPF_CGROUP_INET4_CONNECT,
  "cgroup_sock_addr/connect6": abi.BPF_CGROUP_INET6_CONNECT,
  "cgroup_sock_addr/sendmsg4": abi.BPF_CGROUP_UDP4_SENDMSG,
  "cgroup_sock_addr/sendmsg6": abi.BPF_CGROUP_UDP6_SENDMSG,
  "cgroup_sock_addr/recvmsg4": abi.BPF_CGROUP_UDP4_RECVMSG,
  "cgroup_sock_addr/recvmsg6": abi.BPF_CGROUP_UDP6_RECVMSG,
  "cgroup_sockopt/get": abi.BPF_CGROUP_GETSOCKOPT,
  "cgroup_sockopt/set": abi.BPF_CGROUP_SETSOCKOPT,
};

/** Rows were asked for offsets below this. */
const ASKED = 400;

function typeOf(key: string): ProgType {
  const name = key.split("/")[0];
  const type = PROG_TYPES.find((t) => t?.name === name);
  if (!type) throw new Error(`no program type '${name}'`);
  return type;
}

function accepted(type: ProgType, key: string, row: Row): number[] {
  const offsets: number[] = [];
  for (let off = 0; off < ASKED; off++) {
    if (allowed(type, variantKey(type, ATTACH[key] ?? 0), off, row)) offsets.push(off);
  }
  return offsets;
}

function allowed(type: ProgType, variant: string, off: number, { size, op }: Row): boolean {
  const rule = type.ctx;
  if (rule.kind === "fields") return fieldAccessOk(variant, off, size, op === "write");
  if (rule.kind !== "range") return false;
  // Rows were asked with a context of 400 bytes.
  if (off < rule.start || off + size > Math.min(rule.end, ASKED) || off % size) return false;
  if (op === "write" && !rule.write) return false;
  if (rule.wideUntil !== undefined && off < rule.wideUntil && size !== 8) return false;
  // The first word of a writable tracepoint is a pointer to its buffer.
  return !(type.ctxPtrs?.some((p) => p.kind === "tp_buffer" && off === p.off) && size !== 8);
}

describe("context access as on Linux 6.18", () => {
  it.each(rows.map((row) => [row.type, row.op, row.size, row] as const))("%s %s %i bytes", (key, _op, _size, row) => {
    expect(accepted(typeOf(key), key, row)).toEqual(row.offsets);
  });

  it("has every program type once, with the numbers of the uapi", () => {
    const types = PROG_TYPES.filter((t) => t !== undefined);
    expect(types.length).toBe(32);
    expect(new Set(types.map((t) => t.name)).size).toBe(32);
    expect(PROG_TYPES.findIndex((t) => t?.name === "xdp")).toBe(abi.BPF_PROG_TYPE_XDP);
  });
});
