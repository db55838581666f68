/**
 * Several XDP programs on one device behind a dispatcher that stays: a set of them is exchanged for another by one
 * progReplaceFuncs(), a function with the set's actions together with the programs. Nothing is pinned: whoever holds the
 * dispatcher holds the set.
 *
 *     using set = new XdpSet(host);
 *     using first = set.load([{ obj, name: "firewall" }]);
 *     set.use(first);
 *     using link = set.attach(ifindex);
 *
 * Errors   EOPNOTSUPP where the kernel has no progReplaceFuncs() (Linux); E2BIG more than ten programs.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG, EOPNOTSUPP } from "../../abi/errno.ts";
import { base64Decode } from "../../bytes/base64.ts";
import { XDP_SET } from "../../generated/dispatcher_objects.ts";
import type { Bpf, Fd, FuncReplacement } from "../../kernel/bpf.ts";
import { BpfLink } from "../attach.ts";
import { type BpfObject, openObject } from "../object.ts";
import type { BpfProg } from "../prog.ts";
import { configValue, DISPATCHER_SLOTS } from "./config.ts";
import { functionId } from "./dispatcher.ts";
import { loadAsExtension, only } from "./object.ts";
import { compareXdp, slotConfigOf, type XdpProgram } from "./order.ts";

const CHAIN = "chain";
const openSet = (): BpfObject => openObject(base64Decode(XDP_SET), { name: "xdp_set.o" });

/** Programs that are loaded for a dispatcher, to be used and closed when their user likes; the dispatcher keeps what it uses. */
export class LoadedSet implements Disposable {
  /** By function of the dispatcher. */
  readonly funcs: ReadonlyMap<string, Fd>;
  readonly #close: () => void;

  constructor(funcs: ReadonlyMap<string, Fd>, close: () => void) {
    this.funcs = funcs;
    this.#close = close;
  }

  close(): void {
    this.#close();
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

export class XdpSet implements Disposable {
  readonly #bpf: Bpf;
  readonly #obj: BpfObject;
  readonly #main: BpfProg;
  readonly #ids: ReadonlyMap<string, number>;
  /** Functions that are replaced now. */
  #used: ReadonlySet<string> = new Set();

  /** @param frags packets may have fragments */
  constructor(bpf: Bpf, { frags = false } = {}) {
    if (!bpf.progReplaceFuncs) {
      throw new BpfError(EOPNOTSUPP, "this kernel has no progReplaceFuncs(); use attachXdp()", {});
    }
    this.#bpf = bpf;
    this.#obj = openSet();
    this.#main = only(this.#obj, "xdp_set");
    if (frags) this.#main.progFlags |= abi.BPF_F_XDP_HAS_FRAGS;
    this.#obj.load(bpf);
    const names = [CHAIN, ...Array.from({ length: DISPATCHER_SLOTS }, (_, n) => `prog${n}`)];
    this.#ids = new Map(names.map((name) => [name, functionId(bpf, this.#main.fd, name)]));
  }

  /** The one program that holds all. */
  get fd(): Fd {
    return this.#main.fd;
  }

  /** Loads the programs; nothing runs them yet. @throws E2BIG; the objects are closed then */
  load(programs: readonly XdpProgram[]): LoadedSet {
    const sorted = programs
      .map((program) => ({ program, name: program.name, config: slotConfigOf(program) }))
      .sort(compareXdp);
    if (sorted.length > DISPATCHER_SLOTS) {
      throw new BpfError(E2BIG, `${sorted.length} programs; wanted at most ${DISPATCHER_SLOTS}`, {});
    }
    const chain = openSet();
    const close = () => {
      chain.close();
      for (const { obj } of programs) obj.close();
    };
    try {
      const funcs = new Map<string, Fd>();
      sorted.forEach(({ program }, n) => {
        const func = `prog${n}`;
        funcs.set(func, loadAsExtension(this.#bpf, program, func, this.#main).fd);
      });
      chain.rodata["conf"] = configValue({ frags: false, slots: sorted.map((s) => s.config) });
      funcs.set(CHAIN, loadAsExtension(this.#bpf, { obj: chain, name: "chain_of_set" }, CHAIN, this.#main).fd);
      return new LoadedSet(funcs, close);
    } catch (e) {
      close();
      throw e;
    }
  }

  /** From the next packet on this set runs, and nothing of the one before. */
  use({ funcs }: LoadedSet): void {
    const names = new Set([...this.#used, ...funcs.keys()]);
    const changes = [...names].map(
      (name): FuncReplacement => ({ btfId: this.#ids.get(name)!, funcFd: funcs.get(name) }),
    );
    this.#bpf.progReplaceFuncs!(this.fd, changes);
    this.#used = new Set(funcs.keys());
  }

  /** @param flags XDP_FLAGS_* */
  attach(ifindex: number, flags = 0): BpfLink {
    return new BpfLink(
      this.#bpf,
      this.#bpf.linkCreate({ progFd: this.fd, attachType: abi.BPF_XDP, targetIfindex: ifindex, flags }),
    );
  }

  close(): void {
    this.#obj.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
