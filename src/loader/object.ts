/**
 * Open, load, attach: a BPF object in the shape that users of libbpf know.
 *
 *     using obj = openObject(bytes, { name: "firewall.o" });
 *     obj.rodata.threshold = 5;
 *     obj.maps.blocked.maxEntries = 1000;
 *     obj.load(kernel);
 *     using link = obj.progs.firewall.attach({ ifindex });
 *
 * Owns  the fds of its maps and programs until close(); links belong to the caller.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EBADF, EINVAL, ENOENT } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { Bpf, Fd } from "../kernel/bpf.ts";
import { CoreApplier } from "../object/core.ts";
import { openSpec } from "../object/open.ts";
import type { ObjectSpec } from "../object/spec.ts";
import { type AttachOptions, BpfLink } from "./attach.ts";
import { resolveKsyms } from "./externs.ts";
import { GlobalSection, locate, type PathStep, type Variables } from "./globals.ts";
import { type KernelFacts, kconfigValue } from "./kconfig.ts";
import { KernelTypes } from "./kernel_types.ts";
import { BpfMap } from "./map.ts";
import { createMap, defaultEntries } from "./map_create.ts";
import { BpfProg } from "./prog.ts";
import { type LoadContext, loadProg, type StructOpsTarget } from "./prog_load.ts";
import { parseSetExpression, type SetExpression } from "./set_expr.ts";
import { convertStructOps, type KernelStructOps } from "./struct_ops.ts";

export interface OpenOptions {
  /** File name, for errors and for the names of data maps. */
  readonly name: string;
  /** Directory of pins for maps with pinning; default /sys/fs/bpf. */
  readonly pinRoot?: string;
  /** False decodes network addresses in keys and values as numbers; default true, as text. */
  readonly addresses?: boolean;
}

export interface LoadOptions {
  /** The kernel's BTF, when the caller has it parsed; else bpf.kernelBtf() is asked when it is needed. */
  readonly kernelBtf?: Btf;
  /** BTF for CO-RE relocations only (libbpf's btf_custom_path). */
  readonly targetBtf?: Btf;
  /** Text of the kernel configuration, for CONFIG_* externs. */
  readonly kconfig?: string;
  /** Default "6.18.0". */
  readonly kernelRelease?: string;
  /** Addresses of kernel symbols, for typeless .ksyms externs. */
  readonly kallsyms?: (name: string) => bigint | undefined;
  /** 1 branches, 2 instructions, 4 statistics; programs with a level of their own keep it. */
  readonly logLevel?: number;
  /** Count where the verifier spends its work: `stats.complexity`; slower. */
  readonly complexity?: boolean;
}

export function openObject(bytes: Uint8Array, options: OpenOptions): BpfObject {
  return new BpfObject(openSpec(bytes, options.name), options);
}

export class BpfObject {
  readonly spec: ObjectSpec;
  readonly name: string;
  /** By name; maps of global data also by section name (".rodata"). */
  readonly maps: Readonly<Record<string, BpfMap>>;
  readonly progs: Readonly<Record<string, BpfProg>>;
  readonly #mapList: readonly BpfMap[];
  readonly #sections: readonly { readonly section: string; readonly vars: GlobalSection }[];
  readonly #pending: SetExpression[] = [];
  #bpf: Bpf | undefined;
  #btfFd: Fd | undefined;
  #types: KernelTypes | undefined;

  constructor(spec: ObjectSpec, options: Omit<OpenOptions, "name"> = {}) {
    this.spec = spec;
    this.name = spec.name;
    const mapOptions = options.addresses === undefined ? {} : { addresses: options.addresses };
    this.#mapList = spec.maps.map((m) => new BpfMap(spec.file, m, spec.btf, mapOptions));
    const maps: Record<string, BpfMap> = Object.create(null);
    for (const map of this.#mapList) {
      if (map.spec.pinning === "by_name") map.pinPath = `${options.pinRoot ?? "/sys/fs/bpf"}/${map.name}`;
      maps[map.name] = map;
      if (map.spec.global) {
        Object.defineProperty(maps, map.spec.section, { value: map, enumerable: map.name === map.spec.section });
      }
    }
    this.maps = maps;
    this.progs = Object.assign(
      Object.create(null),
      Object.fromEntries(spec.progs.map((p) => [p.name, new BpfProg(spec.file, p)])),
    );
    this.#sections = this.#mapList.flatMap((map) =>
      map.spec.global && spec.btf && map.type === abi.BPF_MAP_TYPE_ARRAY
        ? [{ section: map.spec.section, vars: new GlobalSection(map, spec.btf) }]
        : [],
    );
  }

  /** Constants; settable until load(). */
  get rodata(): Variables {
    return this.variables(".rodata");
  }
  get data(): Variables {
    return this.variables(".data");
  }
  get bss(): Variables {
    return this.variables(".bss");
  }
  get kconfig(): Variables {
    return this.variables(".kconfig");
  }

  /** Global variables of one section (".data.counters"). @throws ENOENT when the object has no such section */
  variables(section: string): Variables {
    const found = this.#sections.find((s) => s.section === section);
    if (found) return found.vars.variables;
    const known = this.#sections.map((s) => s.section).join(", ") || "none";
    throw new BpfError(ENOENT, `${this.spec.file}: no global variables in section '${section}'; there are: ${known}`);
  }

  /**
   * Assigns a global variable or a map element by text: "threshold=5", 'blocked["10.0.0.1"]=1'. Elements that are set
   * before load() are stored as soon as the maps exist.
   */
  set(expression: string | SetExpression): this {
    const e = typeof expression === "string" ? parseSetExpression(expression) : expression;
    const section = this.#sections.find((s) => s.vars.has(e.target));
    if (section) {
      section.vars.set(e.target, e.path as PathStep[], e.value);
      return this;
    }
    const map = this.maps[e.target];
    if (!map) {
      const maps = this.#mapList.flatMap((m) => (m.spec.global ? [] : [m.name]));
      const settable = this.#sections.filter((s) => s.section !== ".kconfig");
      const known = [...settable.flatMap((s) => Object.keys(s.vars.variables)), ...maps];
      const wanted = `wanted one of ${known.slice(0, 12).join(", ")}`;
      throw new BpfError(ENOENT, `${this.spec.file}: '${e.text}': no map or variable '${e.target}'; ${wanted}`);
    }
    if (e.path.length === 0) {
      throw new BpfError(
        EINVAL,
        `${this.spec.file}: '${e.text}': '${e.target}' is a map; wanted ${e.target}[KEY]=VALUE`,
      );
    }
    if (map.isLoaded) this.#setElement(map, e);
    else this.#pending.push(e);
    return this;
  }

  #setElement(map: BpfMap, e: SetExpression): void {
    const [key, ...path] = e.path;
    if (path.length === 0) {
      map.set(key, e.value);
      return;
    }
    // checked first, for an error that names the step
    const { btf } = this.spec;
    if (btf && map.spec.valueTypeId) locate(btf, map.spec.valueTypeId, path as PathStep[], `${e.target}[...]`);
    map.patch(
      key,
      path.reduceRight((value, step) => ({ [String(step)]: value }), e.value),
    );
  }

  /** Creates the maps, loads the programs. On failure nothing is left behind. @throws BpfError, VerifierError */
  load(bpf: Bpf, options: LoadOptions = {}): this {
    if (this.#bpf) throw new BpfError(EINVAL, `${this.spec.file}: is loaded already; wanted one call of load()`);
    this.#bpf = bpf;
    const pins: string[] = [];
    const types = new KernelTypes(bpf, options.kernelBtf);
    this.#types = types;
    try {
      const structOps = this.#convertStructOps(types);
      const externs = resolveKsyms(this.spec, types, options.kallsyms ?? symbolsOf(bpf));
      this.#fillKconfig(options);
      this.#btfFd = this.#loadBtf(bpf);
      this.#createMaps(bpf, structOps, pins);
      const ctx: LoadContext = {
        spec: this.spec,
        bpf,
        types,
        btfFd: this.#btfFd,
        core: this.#coreApplier(types, options),
        externs,
        mapFds: this.#mapList.map((m) => (m.isLoaded ? m.fd : undefined)),
        structOps: targetsOf(structOps),
        complexity: options.complexity === true,
      };
      for (const prog of this.#loadable(structOps)) {
        if (options.logLevel !== undefined && prog.logLevel === 0) prog.logLevel = options.logLevel;
        prog.loaded(bpf, loadProg(ctx, prog.plan()));
      }
      this.#fillProgArrays();
      this.#fillStructOps(bpf, structOps);
    } catch (e) {
      for (const path of pins) bpf.objUnpin(path);
      this.close();
      throw e;
    } finally {
      types.close();
    }
    return this;
  }

  /** Programs of struct_ops follow the maps that use them. */
  #loadable(structOps: ReadonlyMap<BpfMap, KernelStructOps>): BpfProg[] {
    const created = targetsOf(structOps);
    const used = new Set(this.spec.maps.flatMap((m) => [...(m.structOps?.funcs.values() ?? [])]));
    return Object.values(this.progs).filter((p) => {
      if (p.type === abi.BPF_PROG_TYPE_STRUCT_OPS && used.has(p.name)) return created.has(p.name);
      return p.autoload;
    });
  }

  #convertStructOps(types: KernelTypes): Map<BpfMap, KernelStructOps> {
    const out = new Map<BpfMap, KernelStructOps>();
    for (const map of this.#mapList) {
      if (!map.spec.structOps || !map.autocreate) continue;
      out.set(map, convertStructOps(map.spec, this.spec.btf!, types, `${this.spec.file}: map '${map.name}'`));
    }
    return out;
  }

  #coreApplier(types: KernelTypes, options: LoadOptions): CoreApplier | undefined {
    const { btf, progs } = this.spec;
    const needed = progs.some((p) => this.progs[p.name].autoload && p.coreRelos.length > 0);
    if (!btf || !needed) return undefined;
    const targets = options.targetBtf
      ? new KernelTypes(this.#bpf!, options.targetBtf).coreTargets()
      : types.coreTargets();
    return new CoreApplier(btf, targets);
  }

  #fillKconfig(options: LoadOptions): void {
    const map = this.#mapList.find((m) => m.spec.global?.kind === "kconfig");
    if (!map) return;
    const facts: KernelFacts = {
      release: options.kernelRelease ?? "6.18.0",
      config: options.kconfig,
      syscallWrapper: true,
    };
    map.initial!.set(kconfigValue(this.spec, facts));
  }

  /** A kernel that refuses the BTF gets the programs without it, as long as no struct_ops needs it. */
  #loadBtf(bpf: Bpf): Fd | undefined {
    if (!this.spec.btf) return undefined;
    try {
      return bpf.btfLoad(this.spec.btf.bytes);
    } catch (e) {
      if (!(e instanceof BpfError) || this.spec.maps.some((m) => m.structOps)) throw e;
      return undefined;
    }
  }

  #createMaps(bpf: Bpf, structOps: ReadonlyMap<BpfMap, KernelStructOps>, pins: string[]): void {
    for (const map of this.#mapList) {
      if (!map.autocreate || map.isLoaded) continue;
      const ops = structOps.get(map);
      const base = map.plan();
      const plan = {
        ...base,
        maxEntries: defaultEntries(bpf, map.type, base.maxEntries),
        ...(ops && { valueSize: ops.value.length, vmlinuxValueTypeId: ops.vmlinuxValueTypeId }),
      };
      const made = createMap(bpf, plan, this.#btfFd, `${this.spec.file}: map '${map.name}'`);
      if (made.pinnedByUs) pins.push(map.pinPath!);
      map.loaded(bpf, made.fd);
    }
    for (const map of this.#mapList) {
      if (!map.isLoaded) continue;
      for (const slot of map.spec.initSlots) {
        if (slot.kind === "map") map.set(slot.index, this.#mapList[slot.map]);
      }
    }
    for (const e of this.#pending.splice(0)) this.#setElement(this.maps[e.target], e);
  }

  /** @throws EBADF, as libbpf, when a program in a slot was left out of the load */
  #fillProgArrays(): void {
    for (const map of this.#mapList) {
      if (!map.isLoaded) continue;
      for (const slot of map.spec.initSlots) {
        if (slot.kind !== "prog") continue;
        const prog = this.progs[slot.prog];
        if (!prog.isLoaded) {
          const what = `${this.spec.file}: map '${map.name}': slot ${slot.index} holds program '${prog.name}'`;
          throw new BpfError(EBADF, `${what}, which is not loaded; wanted its autoload to be true`);
        }
        map.set(slot.index, prog);
      }
    }
  }

  /** Programs go into the value as their fds; registering is the update, or a link for a `.link` map. */
  #fillStructOps(bpf: Bpf, structOps: ReadonlyMap<BpfMap, KernelStructOps>): void {
    for (const [map, ops] of structOps) {
      const value = ops.value.slice();
      const view = new DataView(value.buffer);
      for (const [name, { off }] of ops.progs) view.setBigUint64(off, BigInt(this.progs[name].fd), true);
      if (map.spec.structOps!.link) bpf.mapUpdateElem(map.fd, new Uint8Array(4), value);
      else this.#structOpsValues.set(map, value);
    }
  }

  readonly #structOpsValues = new Map<BpfMap, Uint8Array>();

  /** Registers a struct_ops map; a map of .struct_ops.link gives a link, one of .struct_ops stays until it is emptied. */
  attachStructOps(name: string): BpfLink | undefined {
    const map = this.maps[name];
    if (!map?.spec.structOps) {
      throw new BpfError(EINVAL, `${this.spec.file}: '${name}' is no struct_ops map`);
    }
    const value = this.#structOpsValues.get(map);
    if (value) {
      this.#bpf!.mapUpdateElem(map.fd, new Uint8Array(4), value);
      return undefined;
    }
    const fd = this.#bpf!.linkCreate({ progFd: map.fd, mapFd: map.fd, attachType: abi.BPF_STRUCT_OPS });
    return new BpfLink(this.#bpf!, fd);
  }

  /** Attaches every loaded program whose section says how, with the same options. */
  attach(options: AttachOptions = {}): BpfLink[] {
    const links: BpfLink[] = [];
    try {
      for (const prog of Object.values(this.progs)) {
        const how = prog.spec.sec?.attach ?? "none";
        if (!prog.isLoaded || !prog.autoattach || how === "none" || how === "struct_ops") continue;
        links.push(prog.attach(options));
      }
      return links;
    } catch (e) {
      for (const link of links) link.close();
      throw e;
    }
  }

  /** Closes maps and programs; what is pinned or attached lives on. */
  close(): void {
    for (const prog of Object.values(this.progs)) prog.close();
    for (const map of this.#mapList) map.close();
    if (this.#btfFd !== undefined) this.#bpf?.close(this.#btfFd);
    this.#btfFd = undefined;
    this.#types?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Addresses of the kernel's functions, where the kernel is in this process. */
function symbolsOf(bpf: Bpf): LoadOptions["kallsyms"] {
  if (!bpf.kernelFunctions) return undefined;
  let symbols: Map<string, bigint> | undefined;
  return (name) => {
    symbols ??= new Map([...(bpf.kernelFunctions?.() ?? [])].map((f) => [f.name, f.address]));
    return symbols.get(name);
  };
}

function targetsOf(structOps: ReadonlyMap<BpfMap, KernelStructOps>): Map<string, StructOpsTarget> {
  const out = new Map<string, StructOpsTarget>();
  for (const ops of structOps.values()) for (const [name, { target }] of ops.progs) out.set(name, target);
  return out;
}
