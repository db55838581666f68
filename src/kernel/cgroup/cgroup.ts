/**
 * The cgroup v2 hierarchy: directories that processes and sockets are in and that programs attach to.
 *
 * References   the directory, each process in it, each fd and each child. A removed cgroup lives on, dead, while
 *              something holds it; nothing can be attached to it then.
 * Errors       EEXIST a taken name, EBUSY removal of a cgroup with children or processes, ENODEV a dead one.
 */
import { BpfError, EBUSY, EEXIST, EINVAL, ENODEV } from "../../abi/errno.ts";
import { KObject } from "../objects.ts";

export class Cgroup extends KObject {
  readonly kind = "cgroup";
  /** Inode number: bpf_get_current_cgroup_id(), bpf_link_info.cgroup.cgroup_id. */
  readonly cgroupId: bigint;
  readonly parent: Cgroup | undefined;
  readonly name: string;
  readonly children = new Map<string, Cgroup>();
  /** Processes in it. */
  population = 0;
  /** What may still run programs of a removed cgroup: its sockets. */
  users = 0;
  #dead = false;
  /** It is removed: attachments become defunct. Run once, in order of registration. */
  readonly onRemove = new Set<() => void>();

  constructor(cgroupId: bigint, parent: Cgroup | undefined, name: string) {
    super();
    this.cgroupId = cgroupId;
    this.parent = parent?.get();
    this.name = name;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** "/" for the root. */
  get path(): string {
    if (!this.parent) return "/";
    return `${this.parent.parent ? this.parent.path : ""}/${this.name}`;
  }

  /** From this cgroup up to the root. */
  *ancestors(): IterableIterator<Cgroup> {
    for (let cg: Cgroup | undefined = this; cg; cg = cg.parent) yield cg;
  }

  /** Everything below and this cgroup itself, parents first. */
  *descendants(): IterableIterator<Cgroup> {
    yield this;
    for (const child of this.children.values()) yield* child.descendants();
  }

  /** rmdir: gone from the tree. The directory's reference is given up. */
  markDead(): void {
    this.#dead = true;
    this.parent?.children.delete(this.name);
    for (const gone of [...this.onRemove]) gone();
    this.put();
  }

  override holds(): Iterable<KObject> {
    return this.parent ? [this.parent] : [];
  }

  protected override release(): void {
    this.parent?.put();
  }
}

export class Cgroups {
  readonly root: Cgroup;
  readonly #byId = new Map<bigint, Cgroup>();
  /** A cgroup was removed and nothing uses it any more: its programs go. */
  readonly onDeath: ((cgroup: Cgroup) => void)[] = [];
  /** Asked before a cgroup is removed; a reason why it must stay (EBUSY), or undefined. */
  readonly holders: ((cgroup: Cgroup) => string | undefined)[] = [];
  #nextId = 1n;

  constructor() {
    this.root = this.#make(undefined, "");
  }

  #make(parent: Cgroup | undefined, name: string): Cgroup {
    const cgroup = new Cgroup(this.#nextId++, parent, name);
    this.#byId.set(cgroup.cgroupId, cgroup);
    parent?.children.set(name, cgroup);
    return cgroup;
  }

  /** mkdir. @throws EEXIST, ENODEV, EINVAL */
  create(parent: Cgroup, name: string): Cgroup {
    if (!name || name.includes("/")) throw new BpfError(EINVAL, `cgroup: '${name}' is no name`, { name });
    if (parent.dead) throw new BpfError(ENODEV, `cgroup ${parent.cgroupId} was removed`, {});
    if (parent.children.has(name)) throw new BpfError(EEXIST, `cgroup ${parent.path}: '${name}' exists`, { name });
    return this.#make(parent, name);
  }

  /** rmdir. @throws EBUSY */
  remove(cgroup: Cgroup): void {
    const why =
      cgroup === this.root
        ? "it is the root"
        : cgroup.children.size
          ? `it has ${cgroup.children.size} children`
          : cgroup.population
            ? `it has ${cgroup.population} processes`
            : this.holders.map((holder) => holder(cgroup)).find((reason) => reason !== undefined);
    if (why) throw new BpfError(EBUSY, `cgroup ${cgroup.path} cannot be removed: ${why}`, { path: cgroup.path });
    if (cgroup.dead) throw new BpfError(ENODEV, `cgroup ${cgroup.cgroupId} was removed`, {});
    this.#byId.delete(cgroup.cgroupId);
    // Until its place in the tree is given up, those who are told can still name it.
    if (cgroup.users === 0) for (const died of this.onDeath) died(cgroup);
    cgroup.markDead();
  }

  /** A socket is in the cgroup; the programs stay for it, also when the cgroup is removed. */
  use(cgroup: Cgroup): void {
    cgroup.get();
    cgroup.users++;
  }

  /** The socket is closed. */
  unuse(cgroup: Cgroup): void {
    if (--cgroup.users === 0 && cgroup.dead) for (const died of this.onDeath) died(cgroup);
    cgroup.put();
  }

  /** Living cgroups by id. */
  find(cgroupId: bigint): Cgroup | undefined {
    return this.#byId.get(cgroupId);
  }

  /** By path from the root ("/a/b"). */
  byPath(path: string): Cgroup | undefined {
    let at: Cgroup | undefined = this.root;
    for (const name of path.split("/").filter(Boolean)) at = at?.children.get(name);
    return at;
  }
}
