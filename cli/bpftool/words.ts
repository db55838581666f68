/** bpftool's grammar: words in order, keywords that may be shortened, objects named by id, pin, name or tag. */
import { BpfError, ENOENT } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { UsageError } from "../output.ts";

export class Words {
  readonly #verb: string;
  readonly #words: string[];

  constructor(verb: string, words: readonly string[]) {
    this.#verb = verb;
    this.#words = [...words];
  }

  get rest(): number {
    return this.#words.length;
  }

  peek(): string | undefined {
    return this.#words[0];
  }

  next(wanted: string): string {
    const word = this.#words.shift();
    if (word === undefined) throw this.error(`${wanted} wanted`);
    return word;
  }

  /** Takes the keyword, or a beginning of it, when it is next. */
  take(keyword: string): boolean {
    const word = this.peek();
    if (word === undefined || word === "" || !keyword.startsWith(word)) return false;
    this.#words.shift();
    return true;
  }

  /** One of these keywords. */
  choose<T extends string>(keywords: readonly T[]): T {
    // a whole word goes before the beginnings of others: xdp, xdpdrv
    const exact = keywords.find((k) => k === this.peek());
    const found = (exact === undefined ? keywords : [exact]).find((k) => this.take(k));
    if (found === undefined) throw this.error(`'${this.peek() ?? ""}' seen, ${keywords.join("|")} wanted`);
    return found;
  }

  number(wanted: string): number {
    const text = this.next(wanted);
    const n = Number(text);
    if (!Number.isInteger(n) || n < 0) throw this.error(`'${text}' seen, ${wanted} wanted`);
    return n;
  }

  /** `hex` and two-digit bytes, or numbers; as many as the kernel wants. */
  bytes(wanted: string, count: number): Uint8Array {
    const hex = this.take("hex");
    return Uint8Array.from({ length: count }, () => {
      const text = this.next(`${count} bytes of ${wanted}`);
      const n = hex ? Number.parseInt(text, 16) : Number(text);
      if (!Number.isInteger(n) || n < 0 || n > 255) throw this.error(`'${text}' seen, a byte of ${wanted} wanted`);
      return n;
    });
  }

  end(): void {
    if (this.rest > 0) throw this.error(`'${this.peek()}' seen, nothing more wanted`);
  }

  error(what: string): UsageError {
    return new UsageError(`${this.#verb}: ${what}`);
  }
}

/** How a kind of object is found. */
export interface Kind {
  readonly name: string;
  readonly ids: (bpf: Bpf) => (id: number) => number | undefined;
  readonly open: (bpf: Bpf) => (id: number) => Fd;
  /** What `name` and `tag` compare. */
  readonly labels?: (bpf: Bpf, fd: Fd) => { readonly name: string; readonly tag?: string };
}

export const KINDS = {
  prog: {
    name: "program",
    ids: (bpf) => (id) => bpf.progGetNextId(id),
    open: (bpf) => (id) => bpf.progGetFdById(id),
    labels: (bpf, fd) => bpf.progInfo(fd),
  },
  map: {
    name: "map",
    ids: (bpf) => (id) => bpf.mapGetNextId(id),
    open: (bpf) => (id) => bpf.mapGetFdById(id),
    labels: (bpf, fd) => ({ name: bpf.mapInfo(fd).name }),
  },
  link: { name: "link", ids: (bpf) => (id) => bpf.linkGetNextId(id), open: (bpf) => (id) => bpf.linkGetFdById(id) },
  btf: { name: "BTF", ids: (bpf) => (id) => bpf.btfGetNextId(id), open: (bpf) => (id) => bpf.btfGetFdById(id) },
} as const satisfies Record<string, Kind>;

/** Calls back for every object; those that go away meanwhile are left out. The fd is closed afterwards. */
export function forEach(bpf: Bpf, kind: Kind, visit: (fd: Fd) => void): void {
  const next = kind.ids(bpf);
  for (let id = next(0); id !== undefined; id = next(id)) {
    let fd: Fd;
    try {
      fd = kind.open(bpf)(id);
    } catch (e) {
      if (e instanceof BpfError && e.errno === ENOENT) continue;
      throw e;
    }
    try {
      visit(fd);
    } finally {
      bpf.close(fd);
    }
  }
}

/** One or more objects as the next words say; undefined when they say nothing. Callers close the fds. */
export function select(bpf: Bpf, kind: Kind, words: Words): Fd[] {
  const ways = kind.labels ? (["id", "pinned", "name", "tag"] as const) : (["id", "pinned"] as const);
  const way = words.choose(ways);
  if (way === "id") return [kind.open(bpf)(words.number("an id"))];
  if (way === "pinned") return [bpf.objGet(words.next("a path"))];
  const wanted = words.next(`a ${way}`);
  const found: Fd[] = [];
  forEach(bpf, kind, (fd) => {
    const labels = kind.labels?.(bpf, fd);
    if (labels?.[way] === wanted) found.push(bpf.dup(fd));
  });
  if (found.length === 0) throw new BpfError(ENOENT, `no ${kind.name} with ${way} '${wanted}'`);
  return found;
}

/** Exactly one object. */
export function selectOne(bpf: Bpf, kind: Kind, words: Words): Fd {
  const [fd, ...more] = select(bpf, kind, words);
  for (const other of more) bpf.close(other);
  if (more.length > 0) throw words.error(`${more.length + 1} objects match, one wanted`);
  return fd;
}
