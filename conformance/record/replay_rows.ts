/** What record_bpf.c wrote: the objects that a program's load refers to, and what Linux said. */
import { BpfError, EPERM } from "../../src/abi/errno.ts";
import type { Btf } from "../../src/btf/btf.ts";
import { fromHex } from "../../src/bytes/hex.ts";
import type { Fd, MapCreateAttr } from "../../src/kernel/bpf.ts";
import { VerifierError } from "../../src/kernel/bpf.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import type { Process } from "../../src/kernel/process.ts";
import { ALL_CAPS, type Caps, NO_CAPS } from "../../src/verifier/platform.ts";
import { linux618 } from "../../src/verifier/profile.ts";
import { RECORDED } from "../recorded.ts";

export interface MapRow {
  readonly map: number;
  readonly name: string;
  readonly type: number;
  readonly key: number;
  readonly value: number;
  readonly max: number;
  readonly flags: number;
  readonly inner: number;
  readonly btf: number;
  readonly keyType: number;
  readonly valueType: number;
  readonly vmlinuxValueType: number;
  readonly extra: string;
}

export type CapsName = "all" | "noPerfmon" | "none";

export interface ProgRow {
  readonly prog: number;
  readonly name: string;
  readonly type: number;
  readonly attachType: number;
  readonly flags: number;
  readonly license: string;
  readonly insns: string;
  readonly progBtf: number;
  readonly funcInfo: string;
  readonly funcInfoSize: number;
  readonly lineInfo: string;
  readonly lineInfoSize: number;
  readonly attachBtfId: number;
  readonly attachProg: number;
  readonly fdArray: readonly (readonly ["map" | "btf" | "none", number])[];
  readonly caps: CapsName;
  readonly errno: number;
  readonly insnsProcessed: number;
  readonly us: number;
  readonly msg: string;
  readonly note: {
    readonly test?: string;
    readonly file?: string;
    readonly prog?: string;
    readonly unpriv?: "accept" | "reject" | null;
    readonly unprivMsg?: string;
    /** Instruction slots of the test's own program. */
    readonly slots?: number;
  };
}

export interface Said {
  /** 0 = accepted. */
  readonly errno: number;
  readonly insns: number;
  readonly us: number;
  readonly msg: string;
  readonly log: string;
}

const CAPS: Readonly<Record<CapsName, Caps>> = {
  all: ALL_CAPS,
  noPerfmon: { ...NO_CAPS, bpf: true, netAdmin: true },
  none: NO_CAPS,
};

/** The objects recorded so far. */
export class Recording {
  readonly maps = new Map<number, MapRow>();
  readonly btfs = new Map<number, string>();
  readonly progs = new Map<number, ProgRow>();
  readonly elems = new Map<number, { key: string; value: string }[]>();
  readonly frozen = new Set<number>();

  /** Takes one line; a program when it was one. */
  take(line: string): ProgRow | undefined {
    const row = JSON.parse(line);
    if (row.prog !== undefined) {
      this.progs.set(row.prog, row);
      return row;
    }
    if (row.elem !== undefined) this.elems.set(row.elem, [...(this.elems.get(row.elem) ?? []), row]);
    else if (row.frozen !== undefined) this.frozen.add(row.frozen);
    else if (row.map !== undefined) {
      // Each process counts from 1.
      this.elems.delete(row.map);
      this.frozen.delete(row.map);
      this.maps.set(row.map, row);
    } else if (row.btf !== undefined) this.btfs.set(row.btf, row.data);
    return undefined;
  }
}

const LD_IMM64 = 0x18;
const PSEUDO_MAP_FD = 1;
const PSEUDO_MAP_VALUE = 2;
/** Added to the number of a recorded map where its fd was. */
const MAP_NUMBER = 1 << 30;

/** Asks a new kernel the same. */
export function replay(rec: Recording, row: ProgRow, caps: CapsName, kernelBtf: Btf, logLevel = 4): Said {
  const kernel = new Kernel({ platform: linux618(kernelBtf, RECORDED) });
  const owner = kernel.spawn();
  const loader = caps === "all" ? owner : kernel.spawn({ caps: CAPS[caps] });
  try {
    return new Replay(rec, owner, loader, caps === "none").load(row, logLevel);
  } finally {
    loader.exit();
    owner.exit();
  }
}

class Replay {
  readonly #rec: Recording;
  /** Makes the maps. */
  readonly #proc: Process;
  readonly #loader: Process;
  /** The loader makes those maps that it may make. */
  readonly #own: boolean;
  readonly #fds = new Map<string, Fd>();

  constructor(rec: Recording, proc: Process, loader: Process, own: boolean) {
    this.#rec = rec;
    this.#proc = proc;
    this.#loader = loader;
    this.#own = own;
  }

  load(row: ProgRow, logLevel: number): Said {
    try {
      const { stats } = this.#loader.progLoad(this.#attr(row, (fd) => this.#give(fd), logLevel));
      return { errno: 0, insns: stats?.insnsProcessed ?? 0, us: Math.round(stats?.timeUs ?? 0), msg: "", log: "" };
    } catch (e) {
      if (e instanceof VerifierError) {
        const { stats, log } = e;
        return {
          errno: e.errno,
          insns: stats?.insnsProcessed ?? 0,
          us: Math.round(stats?.timeUs ?? 0),
          msg: lastWords(log),
          log,
        };
      }
      if (e instanceof BpfError) return { errno: e.errno, insns: 0, us: 0, msg: `(no log) ${e.message}`, log: "" };
      const msg = `crash: ${(e as Error).stack?.split("\n").slice(0, 4).join(" | ")}`;
      return { errno: -1, insns: 0, us: 0, msg, log: "" };
    }
  }

  #give(fd: Fd): Fd {
    return this.#loader === this.#proc ? fd : this.#proc.sendFd(fd, this.#loader);
  }

  #attr(row: ProgRow, give: (fd: Fd) => Fd, logLevel: number) {
    const insns = fromHex(row.insns).slice();
    const view = new DataView(insns.buffer);
    for (let at = 0; at < insns.length; at += 8) {
      if (insns[at] !== LD_IMM64) continue;
      const src = insns[at + 1] >> 4;
      if (src === PSEUDO_MAP_FD || src === PSEUDO_MAP_VALUE) {
        const id = view.getInt32(at + 4, true) - MAP_NUMBER;
        if (this.#rec.maps.has(id)) view.setInt32(at + 4, give(this.#map(id)), true);
      }
      at += 8;
    }
    const attachProg = this.#rec.progs.get(row.attachProg);
    return {
      progType: row.type,
      insns,
      license: row.license,
      name: row.name,
      progFlags: row.flags,
      expectedAttachType: row.attachType,
      logLevel,
      ...(row.progBtf ? { progBtfFd: give(this.#btf(row.progBtf)) } : {}),
      ...(row.funcInfo ? { funcInfo: fromHex(row.funcInfo), funcInfoRecSize: row.funcInfoSize } : {}),
      ...(row.lineInfo ? { lineInfo: fromHex(row.lineInfo), lineInfoRecSize: row.lineInfoSize } : {}),
      ...(row.attachBtfId ? { attachBtfId: row.attachBtfId } : {}),
      ...(attachProg ? { attachProgFd: give(this.#prog(attachProg)) } : {}),
      ...(row.fdArray.length > 0
        ? {
            fdArray: row.fdArray.map(([k, n]) =>
              k === "none" ? (0 as Fd) : give(k === "map" ? this.#map(n) : this.#btf(n)),
            ),
          }
        : {}),
    };
  }

  #create(attr: MapCreateAttr): Fd {
    if (this.#own && attr.btfFd === undefined && attr.innerMapFd === undefined) {
      try {
        return this.#loader.sendFd(this.#loader.mapCreate(attr), this.#proc);
      } catch (e) {
        if (!(e instanceof BpfError) || e.errno !== EPERM) throw e;
      }
    }
    return this.#proc.mapCreate(attr);
  }

  #once(key: string, make: () => Fd): Fd {
    const known = this.#fds.get(key);
    if (known !== undefined) return known;
    const fd = make();
    this.#fds.set(key, fd);
    return fd;
  }

  #prog(row: ProgRow): Fd {
    return this.#once(`prog${row.prog}`, () => this.#proc.progLoad(this.#attr(row, (fd) => fd, 0)).fd);
  }

  #btf(id: number): Fd {
    return this.#once(`btf${id}`, () => this.#proc.btfLoad(fromHex(this.#rec.btfs.get(id) ?? "")));
  }

  #map(id: number): Fd {
    return this.#once(`map${id}`, () => {
      const m = this.#rec.maps.get(id);
      if (!m) throw new Error(`map ${id} was not recorded`);
      const attr = {
        mapType: m.type,
        keySize: m.key,
        valueSize: m.value,
        maxEntries: m.max,
        mapFlags: m.flags,
        name: m.name,
        mapExtra: BigInt(m.extra),
        ...(m.inner ? { innerMapFd: this.#map(m.inner) } : {}),
        ...(m.btf ? { btfFd: this.#btf(m.btf), btfKeyTypeId: m.keyType, btfValueTypeId: m.valueType } : {}),
        ...(m.vmlinuxValueType ? { btfVmlinuxValueTypeId: m.vmlinuxValueType } : {}),
      };
      const fd = this.#create(attr);
      for (const e of this.#rec.elems.get(id) ?? []) this.#proc.mapUpdateElem(fd, fromHex(e.key), fromHex(e.value));
      if (this.#rec.frozen.has(id)) this.#proc.mapFreeze(fd);
      return fd;
    });
  }
}

function lastWords(log: string): string {
  const lines = log.trim().split("\n");
  return lines.filter((l) => !/^(processed \d|verification time|stack depth)/.test(l)).at(-1) ?? "";
}
