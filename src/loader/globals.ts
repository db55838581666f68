/**
 * Global variables of an object by name: `obj.rodata.threshold = 5`, `obj.bss.packets`.
 *
 * Before load() a variable is a place in the section's initial bytes; afterwards it is read from and written to the
 * map that holds the section (a write replaces the whole value, so programs must not run at the same time).
 * Errors  ENOENT for a name that is not there, EPERM for read-only data after load(), EINVAL for a wrong value.
 */
import { BpfError, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { compileCodec } from "../btf/codec.ts";
import { BTF_KIND_ARRAY, BTF_KIND_DATASEC } from "../btf/kinds.ts";
import type { BpfMap } from "./map.ts";

/** Variables as properties. */
// biome-ignore lint/suspicious/noExplicitAny: the object file knows their types
export type Variables = Record<string, any>;

interface Variable {
  readonly typeId: number;
  readonly off: number;
}

/** A member name, or an array index. */
export type PathStep = string | number;

/** Where a path ends: a type at an offset, or a bitfield as an object that mentions it. */
interface Place {
  readonly typeId: number;
  readonly off: number;
  readonly wrap: (value: unknown) => unknown;
}

export class GlobalSection {
  readonly #map: BpfMap;
  readonly #btf: Btf;
  readonly #vars = new Map<string, Variable>();
  /** The variables as properties of an object. */
  readonly variables: Variables;

  /** @param map a map of global data with a DATASEC */
  constructor(map: BpfMap, btf: Btf) {
    this.#map = map;
    this.#btf = btf;
    const sec = map.spec.valueTypeId;
    for (let i = 0; btf.kind(sec) === BTF_KIND_DATASEC && i < btf.vlen(sec); i++) {
      const id = btf.extra(sec, 3 * i);
      this.#vars.set(btf.nameOf(id), { typeId: btf.ref(id), off: btf.extra(sec, 3 * i + 1) });
    }
    this.variables = new Proxy<Variables>(Object.create(null), {
      get: (_, name) => (typeof name === "string" ? this.get(name) : undefined),
      set: (_, name, value) => {
        this.set(String(name), [], value);
        return true;
      },
      has: (_, name) => typeof name === "string" && this.#vars.has(name),
      ownKeys: () => [...this.#vars.keys()],
      getOwnPropertyDescriptor: (_, name) =>
        typeof name === "string" && this.#vars.has(name)
          ? { enumerable: true, configurable: true, writable: true, value: this.get(name) }
          : undefined,
    });
  }

  has(name: string): boolean {
    return this.#vars.has(name);
  }

  get(name: string): unknown {
    const v = this.#find(name);
    return compileCodec(this.#btf, v.typeId).decode(this.#map.initial!, v.off);
  }

  /** @param path inside the variable: ["ports", 3] is `name.ports[3]` */
  set(name: string, path: readonly PathStep[], value: unknown): void {
    const v = this.#find(name);
    if (this.#map.spec.global?.kind === "kconfig") {
      throw new BpfError(EPERM, `variable '${name}' is set by the kernel's configuration`);
    }
    const place = locate(this.#btf, v.typeId, path, name);
    const bytes = this.#map.initial!;
    const whole = path.length === 0 ? compileCodec(this.#btf, v.typeId) : undefined;
    if (whole) whole.encodeInto(value, bytes, v.off, name);
    else compileCodec(this.#btf, place.typeId).patch(place.wrap(value), bytes, v.off + place.off, name);
    if (this.#map.isLoaded) this.#map.writeData(bytes);
  }

  #find(name: string): Variable {
    const v = this.#vars.get(name);
    if (v) return v;
    const known = [...this.#vars.keys()].slice(0, 8).join(", ");
    throw new BpfError(ENOENT, `section '${this.#map.spec.section}': no variable '${name}'; wanted one of ${known}`);
  }
}

/** Follows a path into a type. @throws EINVAL naming the step that does not exist */
export function locate(btf: Btf, typeId: number, path: readonly PathStep[], name: string): Place {
  let at: Place = { typeId, off: 0, wrap: (v) => v };
  let seen = name;
  for (const step of path) {
    const id = btf.resolve(at.typeId);
    const bad = (wanted: string) => new BpfError(EINVAL, `${seen}: ${wanted}, saw ${JSON.stringify(step)}`);
    if (typeof step === "number" || /^\d+$/.test(step)) {
      if (btf.kind(id) !== BTF_KIND_ARRAY) throw bad("is no array");
      const typeId = btf.elemType(id);
      if (!(Number(step) < btf.nelems(id))) throw bad(`wanted an index below ${btf.nelems(id)}`);
      at = { typeId, off: at.off + Number(step) * btf.size(typeId), wrap: (v) => v };
      seen += `[${step}]`;
    } else {
      const member = /^\w+$/.test(step) ? btf.findMember(id, step) : undefined;
      if (!member) throw bad("wanted one of its members");
      at = member.bitfieldSize
        ? { typeId: id, off: at.off, wrap: (v) => ({ [step]: v }) }
        : { typeId: member.type, off: at.off + member.bitOffset / 8, wrap: (v) => v };
      seen += `.${step}`;
    }
  }
  return at;
}
