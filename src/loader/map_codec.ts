/**
 * Keys and values of one map: JavaScript <-> the bytes that bpf(2) takes.
 *
 * Types come from the object's BTF (src/btf/codec.ts says how they look); without one, numbers for 1, 2, 4 bytes, bigint
 * for 8, hex text for others. On top of that: per-CPU values as arrays, networks as keys of LPM tries, programs and
 * maps as values where the kernel wants an fd.
 */
import { BPF_MAP_TYPE_LPM_TRIE } from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT } from "../abi/errno.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "../btf/addr_text.ts";
import type { Btf } from "../btf/btf.ts";
import { type Codec, compileCodec, rawCodec } from "../btf/codec.ts";
import { BTF_KIND_ARRAY, BTF_KIND_STRUCT, BTF_KIND_TYPEDEF, BTF_KIND_UNION } from "../btf/kinds.ts";
import type { Fd } from "../kernel/bpf.ts";
import { MAP_TYPES } from "../maps/table.ts";
import type { MapSpec } from "../object/spec.ts";

/** Something with an fd: a map, a program. */
export interface HasFd {
  readonly fd: Fd;
}

export class MapCodec {
  readonly #spec: MapSpec;
  readonly #btf: Btf | undefined;
  readonly #where: string;
  readonly #addresses: boolean;
  readonly #isPerCpu: boolean;
  #key: Codec | undefined;
  #value: Codec | undefined;

  /**
   * @param where names the map in errors: "firewall.o: map 'blocked'"
   * @param addresses decode __be32 and in6_addr as text
   */
  constructor(spec: MapSpec, btf: Btf | undefined, where: string, addresses: boolean) {
    this.#spec = spec;
    this.#btf = btf;
    this.#where = where;
    this.#addresses = addresses;
    this.#isPerCpu = MAP_TYPES[spec.type]?.percpu ?? false;
  }

  encodeKey(key: unknown): Uint8Array {
    const { type, keySize } = this.#spec;
    if (key instanceof Uint8Array && key.length === keySize) return key;
    if (type === BPF_MAP_TYPE_LPM_TRIE && typeof key === "string") return this.#encodeNetwork(key);
    return this.#keyCodec().encode(key, `${this.#where}: key`);
  }

  decodeKey(bytes: Uint8Array): unknown {
    const { type, keyTypeId } = this.#spec;
    const isNetwork = type === BPF_MAP_TYPE_LPM_TRIE && !keyTypeId && this.#addresses;
    if (!isNetwork || (bytes.length !== 8 && bytes.length !== 20)) return this.#keyCodec().decode(bytes);
    const bits = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const data = bytes.subarray(4);
    return `${data.length === 4 ? formatIpv4(data) : formatIpv6(data)}/${bits}`;
  }

  /** Bytes of a value as bpf(2) takes it. */
  storedSize(cpus: number): number {
    return this.#isPerCpu ? this.#stride() * cpus : this.#spec.valueSize;
  }

  encodeValue(value: unknown, cpus: number): Uint8Array {
    const size = this.storedSize(cpus);
    const path = `${this.#where}: value`;
    if (value instanceof Uint8Array && value.length === size) return value;
    if (hasFd(value)) return rawCodec(this.#spec.valueSize).encode(value.fd, path);
    const codec = this.#valueCodec();
    if (!this.#isPerCpu) return codec.encode(value, path);
    const out = new Uint8Array(size);
    for (const [cpu, v] of this.#splitCpus(value, cpus).entries()) {
      codec.encodeInto(v, out, cpu * this.#stride(), `${path}[cpu ${cpu}]`);
    }
    return out;
  }

  decodeValue(bytes: Uint8Array): unknown {
    const codec = this.#valueCodec();
    if (!this.#isPerCpu) return codec.decode(bytes);
    const stride = this.#stride();
    return Array.from({ length: bytes.length / stride }, (_, cpu) => codec.decode(bytes, cpu * stride));
  }

  /** Changes what `value` mentions, on every CPU. */
  patchValue(value: unknown, bytes: Uint8Array): void {
    const stride = this.#isPerCpu ? this.#stride() : bytes.length;
    for (let at = 0; at < bytes.length; at += stride) {
      this.#valueCodec().patch(value, bytes, at, `${this.#where}: value`);
    }
  }

  /**
   * Codec of the records in a ring buffer or perf event array: the named type, else a struct that is called like the
   * map (`events` holds `struct event`). undefined when there is none.
   */
  eventCodec(type: string | undefined): Codec | undefined {
    const btf = this.#btf;
    const base = this.#spec.name.replace(/s$/, "");
    const names = type ? [type.replace(/^struct /, "")] : [base, this.#spec.name, `${base}_t`];
    const ids = btf ? names.flatMap((name) => EVENT_KINDS.map((kind) => btf.byName(name, kind))) : [];
    const id = ids.find((i) => i !== 0 && btf!.size(i) > 0);
    if (id) return compileCodec(btf!, id, { addresses: this.#addresses });
    if (type === undefined) return undefined;
    const message = `${this.#where}: event type '${type}' is not in the object's BTF; wanted a struct of the object`;
    throw new BpfError(ENOENT, message, { type });
  }

  #keyCodec(): Codec {
    this.#key ??= this.#codec(this.#spec.keyTypeId, this.#spec.keySize);
    return this.#key;
  }

  #valueCodec(): Codec {
    this.#value ??= this.#codec(this.#spec.valueTypeId, this.#spec.valueSize);
    return this.#value;
  }

  #codec(typeId: number, size: number): Codec {
    if (!typeId || !this.#btf) return rawCodec(size);
    const codec = compileCodec(this.#btf, typeId, { addresses: this.#addresses });
    return codec.size === size ? codec : rawCodec(size);
  }

  #encodeNetwork(text: string): Uint8Array {
    const [, address = "", prefix] = /^([^/]+)(?:\/(\d+))?$/.exec(text) ?? [];
    const data = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
    const room = this.#spec.keySize - 4;
    const bits = prefix === undefined ? 8 * room : Number(prefix);
    if (data?.length !== room || bits > 8 * room) {
      const wanted = room === 4 ? "like '10.0.0.0/8'" : room === 16 ? "like '2001:db8::/32'" : "of another form";
      throw new BpfError(EINVAL, `${this.#where}: key: wanted a network ${wanted}, saw '${text}'`, { text });
    }
    const out = new Uint8Array(this.#spec.keySize);
    new DataView(out.buffer).setUint32(0, bits, true);
    out.set(data, 4);
    return out;
  }

  /** Distance of the values of two CPUs. */
  #stride(): number {
    return (this.#spec.valueSize + 7) & ~7;
  }

  /** One value for each CPU; for values that are arrays themselves, only an array of arrays is that. */
  #splitCpus(value: unknown, cpus: number): unknown[] {
    const btf = this.#btf;
    const isArrayType = btf !== undefined && btf.kind(btf.resolve(this.#spec.valueTypeId)) === BTF_KIND_ARRAY;
    if (!Array.isArray(value) || (isArrayType && !Array.isArray(value[0]))) return new Array(cpus).fill(value);
    if (value.length === cpus) return value;
    const seen = `${value.length} values`;
    throw new BpfError(EINVAL, `${this.#where}: value: ${seen}; wanted one for each of ${cpus} CPUs`, { cpus });
  }
}

const EVENT_KINDS = [BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_TYPEDEF];

function hasFd(value: unknown): value is HasFd {
  return typeof value === "object" && value !== null && "fd" in value && typeof value.fd === "number";
}
