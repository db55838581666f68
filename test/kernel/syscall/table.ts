/** Tables of raw calls of bpf(2): the same bytes on skep and on the running Linux, and what must happen. */
import { describe, expect, it } from "vitest";
import { linuxKernel, type RawKernel, skepKernel, World } from "../../../conformance/raw/world.ts";
import { errnoName } from "../../../src/abi/errno.ts";
import type { Addresses, Fields, Members, Struct } from "../../../src/abi/struct.ts";
import type { Fd } from "../../../src/kernel/bpf.ts";
import { withKernel } from "../../support/kernel.ts";
import { whyNotLinux, withLinux, withPins } from "../../support/kernels.ts";

/** What a call is made with, and what it left. */
export class Scene {
  readonly world: World;
  readonly at: Addresses;
  readonly #buffers = new Map<string, Uint8Array>();
  readonly #own = new Map<string, Fd>();

  constructor(world: World) {
    this.world = world;
    this.at = world.kernel.memory();
  }

  get kernel(): RawKernel {
    return this.world.kernel;
  }

  /** Names an fd of this call alone; it is closed with the process. */
  keep(name: string, fd: Fd): void {
    this.#own.set(name, fd);
  }

  fd(name: string): Fd {
    const fd = this.#own.get(name) ?? this.world.fds[name];
    if (fd === undefined) throw new Error(`no object '${name}'`);
    return fd;
  }

  id(name: string): number {
    return this.world.ids[name]!;
  }

  /** Memory of the caller by name; with bytes, a new one that begins with them. */
  buf(name: string, bytes?: ArrayLike<number>, size = 512): Uint8Array {
    let found = this.#buffers.get(name);
    if (!found) {
      found = new Uint8Array(size);
      found.set(bytes ?? []);
      this.#buffers.set(name, found);
    }
    return found;
  }

  get buffers(): readonly Uint8Array[] {
    return [...this.#buffers.values()];
  }
}

export interface Row<M extends Members> {
  readonly name: string;
  readonly cmd: number;
  readonly layout: Struct<M>;
  readonly members: (s: Scene) => Fields<M>;
  /** Bytes put over the members: by offset. */
  readonly bytes?: Readonly<Record<number, number>>;
  /** Default: the layout's. */
  readonly size?: number;
  /** A number, "fd", or the name of an errno. */
  readonly ret: number | "fd" | string;
  /** What of the attr and the buffers must be `is`. */
  readonly out?: (s: Scene, attr: ReturnType<Struct<M>["unpack"]>) => unknown;
  readonly is?: unknown;
  /** Before the call. */
  readonly before?: (s: Scene) => void;
}

export function row<const M extends Members>(r: Row<M>): Row<M> {
  return r;
}

const ATTR_BYTES = 512;

// biome-ignore lint/suspicious/noExplicitAny: rows of several layouts
type AnyRow = Row<any>;

function run(world: World, r: AnyRow): void {
  const s = new Scene(world);
  r.before?.(s);
  const attr = new Uint8Array(ATTR_BYTES);
  r.layout.put(attr, s.at, r.members(s));
  for (const [off, byte] of Object.entries(r.bytes ?? {})) attr[Number(off)] = byte;
  const ret = s.kernel.call(r.cmd, attr, r.size ?? r.layout.size, s.at, s.buffers);
  if (r.ret === "fd") {
    expect(ret, `${errnoName(-ret)} instead of an fd`).toBeGreaterThan(2);
    if (!r.out) s.kernel.bpf.close(ret as Fd);
  } else if (typeof r.ret === "string") expect(ret < 0 ? errnoName(-ret) : ret).toBe(r.ret);
  else expect(ret < 0 ? errnoName(-ret) : ret).toBe(r.ret);
  if (!r.out) return;
  expect(r.out(s, r.layout.unpack(attr))).toEqual(r.is);
  if (r.ret === "fd") s.kernel.bpf.close(ret as Fd);
}

/** Each row on each kernel, with objects of its own. @param notLinux why this Linux is not asked */
export function rawCalls(title: string, rows: readonly AnyRow[], notLinux = whyNotLinux): void {
  if (notLinux && notLinux !== whyNotLinux) console.log(`${title} on Linux is skipped: ${notLinux}`);
  describe(title, () => {
    for (const r of rows) {
      it(`${r.name}: ${r.ret} (skep)`, () =>
        withKernel((_kernel, proc) => {
          proc.fs.mkdir("/d");
          proc.fs.mount("/d");
          const world = new World(skepKernel(proc), "/d");
          run(world, r);
          world.close();
          proc.fs.umount("/d", { detach: true });
        }));
      it.skipIf(notLinux)(`${r.name}: ${r.ret} (Linux)`, () =>
        withLinux((bpf) => withPins(bpf, (dir) => run(new World(linuxKernel(bpf), dir), r))),
      );
    }
  });
}

/** Up to the first NUL. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, Math.max(0, bytes.indexOf(0))));
}

export const bytesOf = (bytes: Uint8Array, from: number, n: number): number[] => [...bytes.subarray(from, from + n)];
