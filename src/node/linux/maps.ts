/** Commands on maps: create, elements, batches. What a map's buffers measure is asked once per fd. */
import { readFileSync } from "node:fs";
import { INFO_BY_FD, MAP_BATCH, MAP_CREATE, MAP_ELEM, MAP_INFO } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { BatchAttr, BatchResult, Fd, MapCreateAttr, MapInfo } from "../../kernel/bpf.ts";
import { MAP_TYPES } from "../../maps/table.ts";
import { type Commands, commandError, exactly } from "./command.ts";

interface Sizes {
  readonly what: string;
  readonly keySize: number;
  /** Of what bpf(2) reads and writes: all CPUs of a per-CPU map. */
  readonly valueSize: number;
  /** The key of a lookup is in the value (bloom filters). */
  readonly keyless: boolean;
}

export class Maps {
  readonly #cmd: Commands;
  readonly #possibleCpus: number;
  readonly #sizes = new Map<number, Sizes>();

  constructor(cmd: Commands, possibleCpus: number) {
    this.#cmd = cmd;
    this.#possibleCpus = possibleCpus;
  }

  /** The fd is closed and may soon be another object's. */
  forget(fd: Fd): void {
    this.#sizes.delete(fd);
  }

  create(a: MapCreateAttr): Fd {
    checkName(a.name, "map");
    const attr = MAP_CREATE.pack(this.#cmd.sys, {
      map_type: a.mapType,
      key_size: a.keySize,
      value_size: a.valueSize,
      max_entries: a.maxEntries,
      map_flags: (a.mapFlags ?? 0) | (a.tokenFd === undefined ? 0 : abi.BPF_F_TOKEN_FD),
      inner_map_fd: a.innerMapFd,
      numa_node: a.numaNode,
      map_name: a.name,
      map_ifindex: a.mapIfindex,
      btf_fd: a.btfFd,
      btf_key_type_id: a.btfKeyTypeId,
      btf_value_type_id: a.btfValueTypeId,
      btf_vmlinux_value_type_id: a.btfVmlinuxValueTypeId,
      map_extra: a.mapExtra,
      excl_prog_hash: a.exclProgHash,
      excl_prog_hash_size: a.exclProgHash?.length,
      map_token_fd: a.tokenFd,
    });
    return this.#cmd.run(`map '${a.name ?? ""}'`, abi.BPF_MAP_CREATE, attr, a.exclProgHash) as Fd;
  }

  info(fd: Fd): MapInfo {
    const { sys } = this.#cmd;
    const bytes = new Uint8Array(MAP_INFO.size);
    const attr = INFO_BY_FD.pack(sys, { bpf_fd: fd, info_len: bytes.length, info: bytes });
    this.#cmd.run(`map fd ${fd}`, abi.BPF_OBJ_GET_INFO_BY_FD, attr, bytes);
    const i = MAP_INFO.unpack(bytes);
    const facts = fdInfo(fd);
    return {
      type: i.type,
      id: i.id,
      keySize: i.key_size,
      valueSize: i.value_size,
      maxEntries: i.max_entries,
      mapFlags: i.map_flags,
      name: i.name,
      ifindex: i.ifindex,
      btfId: i.btf_id,
      btfKeyTypeId: i.btf_key_type_id,
      btfValueTypeId: i.btf_value_type_id,
      btfVmlinuxValueTypeId: i.btf_vmlinux_value_type_id,
      mapExtra: i.map_extra,
      frozen: facts.get("frozen") === "1",
      memlock: Number(facts.get("memlock") ?? 0),
    };
  }

  #of(fd: Fd): Sizes {
    let sizes = this.#sizes.get(fd);
    if (!sizes) {
      const { type, name, keySize, valueSize } = this.info(fd);
      const percpu = MAP_TYPES[type]?.percpu === true;
      sizes = {
        what: `map '${name}'`,
        keySize,
        valueSize: percpu ? ((valueSize + 7) & ~7) * this.#possibleCpus : valueSize,
        keyless: type === abi.BPF_MAP_TYPE_BLOOM_FILTER,
      };
      this.#sizes.set(fd, sizes);
    }
    return sizes;
  }

  lookup(cmd: number, fd: Fd, key: Uint8Array, flags: bigint): Uint8Array {
    const s = this.#of(fd);
    const value = new Uint8Array(s.valueSize);
    if (s.keyless) value.set(key.subarray(0, value.length));
    const k = s.keyless ? 0 : exactly(s.what, "key", key, s.keySize);
    const attr = MAP_ELEM.pack(this.#cmd.sys, { map_fd: fd, key: k, value, flags });
    this.#cmd.run(s.what, cmd, attr, key, value);
    return value;
  }

  update(fd: Fd, key: Uint8Array, value: Uint8Array, flags: bigint): void {
    const s = this.#of(fd);
    const k = exactly(s.what, "key", key, s.keySize);
    const v = exactly(s.what, "value", value, s.valueSize);
    const attr = MAP_ELEM.pack(this.#cmd.sys, { map_fd: fd, key: k, value: v, flags });
    this.#cmd.run(s.what, abi.BPF_MAP_UPDATE_ELEM, attr, key, value);
  }

  delete(fd: Fd, key: Uint8Array, flags: bigint): void {
    const s = this.#of(fd);
    const attr = MAP_ELEM.pack(this.#cmd.sys, { map_fd: fd, key: exactly(s.what, "key", key, s.keySize), flags });
    this.#cmd.run(s.what, abi.BPF_MAP_DELETE_ELEM, attr, key);
  }

  nextKey(fd: Fd, key: Uint8Array | undefined): Uint8Array | undefined {
    const s = this.#of(fd);
    const next = new Uint8Array(Math.max(s.keySize, 8));
    const k = key && exactly(s.what, "key", key, s.keySize);
    const attr = MAP_ELEM.pack(this.#cmd.sys, { map_fd: fd, key: k, value: next });
    const ret = this.#cmd.try(abi.BPF_MAP_GET_NEXT_KEY, attr, key, next);
    if (ret === -ENOENT) return undefined;
    if (ret < 0) throw commandError(-ret, s.what, abi.BPF_MAP_GET_NEXT_KEY);
    return next.slice(0, s.keySize);
  }

  freeze(fd: Fd): void {
    this.#cmd.run(`map fd ${fd}`, abi.BPF_MAP_FREEZE, MAP_ELEM.pack(this.#cmd.sys, { map_fd: fd }));
  }

  lookupBatch(cmd: number, fd: Fd, a: BatchAttr): BatchResult {
    const s = this.#of(fd);
    // buckets of hashes are u32; tries and arrays use a key
    const out = new Uint8Array(Math.max(s.keySize, 4));
    const keys = new Uint8Array(s.keySize * a.count);
    const values = new Uint8Array(s.valueSize * a.count);
    const attr = MAP_BATCH.pack(this.#cmd.sys, {
      in_batch: a.from && exactly(s.what, "batch position", a.from, out.length),
      out_batch: out,
      keys,
      values,
      count: a.count,
      map_fd: fd,
      elem_flags: a.elemFlags,
    });
    const ret = this.#cmd.try(cmd, attr, a.from, out, keys, values);
    const { count } = MAP_BATCH.unpack(attr);
    if (ret < 0 && !(ret === -ENOENT && count > 0)) throw commandError(-ret, s.what, cmd, { count });
    return {
      keys: keys.subarray(0, s.keySize * count),
      values: values.subarray(0, s.valueSize * count),
      count,
      next: ret < 0 ? undefined : out,
    };
  }

  writeBatch(cmd: number, fd: Fd, keys: Uint8Array, values: Uint8Array | undefined, n: number, flags: bigint): number {
    const s = this.#of(fd);
    const attr = MAP_BATCH.pack(this.#cmd.sys, {
      keys: exactly(s.what, "keys", keys, s.keySize * n),
      values: values && exactly(s.what, "values", values, s.valueSize * n),
      count: n,
      map_fd: fd,
      elem_flags: flags,
    });
    const ret = this.#cmd.try(cmd, attr, keys, values);
    const { count } = MAP_BATCH.unpack(attr);
    if (ret < 0) throw commandError(-ret, s.what, cmd, { count });
    return count;
  }
}

/** What /proc says about an fd of this process. */
export function fdInfo(fd: number): Map<string, string> {
  try {
    const lines = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").split("\n");
    return new Map(lines.map((line) => line.split(/:\s*/, 2) as [string, string]));
  } catch {
    return new Map();
  }
}

/** Names longer than BPF_OBJ_NAME_LEN - 1 do not fit the attr. */
export function checkName(name: string | undefined, what: string): void {
  if (name === undefined || new TextEncoder().encode(name).length < abi.BPF_OBJ_NAME_LEN) return;
  throw new BpfError(
    EINVAL,
    `${what} '${name}': name of ${name.length} bytes; wanted at most ${abi.BPF_OBJ_NAME_LEN - 1}`,
  );
}
