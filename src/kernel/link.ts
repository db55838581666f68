/**
 * Links: an attachment as an object. The link holds its program; whoever holds the link keeps the attachment.
 *
 * A LinkType says what attaching means for some program and attach types; subsystems register theirs in
 * Kernel.linkTypes. When the target goes away the link stays, defunct, as in Linux; or, where its creator asked for `hold`,
 * the target cannot go away while the link lives.
 */
import { BPF_STRUCT_OPS } from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOLINK, EOPNOTSUPP, EPERM, type Errno } from "../abi/errno.ts";
import type { LinkCreateAttr, LinkInfo } from "./bpf.ts";
import type { Readable } from "./bpffs/readable.ts";
import type { Kernel } from "./kernel.ts";
import { linkFdInfo } from "./link_fdinfo.ts";
import type { KMap } from "./map.ts";
import { KObject } from "./objects.ts";
import type { Process } from "./process.ts";
import type { Prog } from "./prog.ts";
import { STRUCT_OPS_LINK } from "./struct_ops/link.ts";

/** One attachment, made by a LinkType. */
export interface Attachment {
  /** Puts another program in place; absent: the type cannot. */
  update?(prog: Prog): void;
  /**
   * struct_ops: puts another map in place. @param expected throws when the map in place is not the one that the caller
   * thinks it is
   */
  updateMap?(map: KMap, expected: () => void): void;
  readonly map?: KMap;
  /** Ends it; called once, also when the last reference goes. */
  detach(): void;
  /** BPF_LINK_DETACH is allowed. */
  readonly forcedDetach?: boolean;
  /** Members of struct bpf_link_info that belong to the type. */
  info(): Partial<LinkInfo>;
  /** Opens what a link can be read as, an iterator: a fresh open file. */
  open?(prog: Prog): KObject & Readable;
  /** References that the attachment owns beside the link's program. */
  holds?(): Iterable<KObject>;
}

export interface LinkType {
  /** BPF_LINK_TYPE_*. */
  readonly type: number;
  /** BPF_PROG_TYPE_* that attach by it, and the attach types it is for; absent: any. */
  readonly progTypes: readonly number[];
  readonly attachTypes?: readonly number[];
  /** Members of info() once the target is gone or the link is detached; default ifindex 0. */
  readonly gone?: Partial<LinkInfo>;
  /** Members of info() stay when the link is detached. */
  readonly keepsInfo?: true;
  /** What every update of a link of this type gives. */
  readonly updateErrno?: Errno;
  /** An update with the program that is there counts as a change: the revision rises. */
  readonly replacesSame?: true;
  /** Checks the program and makes the attachment, which calls link.targetGone() if its target disappears. */
  attach(proc: Process, prog: Prog, attr: LinkCreateAttr, link: Link): Attachment;
}

/** The link types of a kernel, found by program type and attach type as link_create() does. */
export class LinkTypes {
  readonly #all: LinkType[] = [];

  /** Of two that fit, the later one is used. */
  register(type: LinkType): void {
    this.#all.unshift(type);
  }

  find(progType: number, attachType: number): LinkType | undefined {
    return this.#all.find((t) => t.progTypes.includes(progType) && (t.attachTypes?.includes(attachType) ?? true));
  }
}

export class Link extends KObject {
  readonly kind = "link";
  readonly type: LinkType;
  readonly attachType: number;
  /** The target may not disappear while this link is attached. */
  readonly hold: boolean;
  #prog: Prog | undefined;
  #attachment: Attachment | undefined;
  /** Info of a link that was detached, where its type keeps it. */
  #kept: Partial<LinkInfo> | undefined;
  readonly #kernel: Kernel;

  /** @param prog  absent for links of struct_ops, which have a map */
  constructor(proc: Process, type: LinkType, prog: Prog | undefined, attr: LinkCreateAttr) {
    super();
    this.#kernel = proc.kernel;
    this.type = type;
    this.attachType = attr.attachType;
    this.hold = attr.hold ?? false;
    this.#prog = prog;
    this.#attachment = type.attach(proc, prog as Prog, attr, this);
    prog?.get();
    this.#kernel.links.add(this);
    this.#tell("attach");
  }

  /** Absent once the program was unloaded by force. */
  get prog(): Prog | undefined {
    return this.#prog;
  }

  /** The target is gone or the link was detached; fds on it stay valid. */
  get defunct(): boolean {
    return this.#attachment === undefined;
  }

  info(): LinkInfo {
    return {
      type: this.type.type,
      id: this.id,
      progId: this.#prog?.id ?? 0,
      attachType: this.attachType,
      ...this.#attachment?.info(),
      ...(this.defunct ? (this.#kept ?? this.type.gone ?? { ifindex: 0 }) : {}),
    };
  }

  /** Iterators: an open file of its output, whose one reference the caller owns. */
  openFile(): (KObject & Readable) | undefined {
    return this.#prog && this.#attachment?.open?.(this.#prog);
  }

  override fdInfo(): Readonly<Record<string, string>> {
    return linkFdInfo(this.info(), this.#prog?.facts.tag);
  }

  override *holds(): Iterable<KObject> {
    if (this.#prog) yield this.#prog;
    yield* this.#attachment?.holds?.() ?? [];
  }

  update(prog: Prog, oldProg: Prog | undefined): void {
    const at = this.#attachment;
    const { updateErrno } = this.type;
    if (updateErrno) throw new BpfError(updateErrno, `link ${this.id}: its program stays`, { link: this.id });
    if (!at) throw new BpfError(ENOLINK, `link ${this.id}: its target is gone`, { link: this.id });
    if (!at.update)
      throw new BpfError(EINVAL, `link ${this.id}: links of this type cannot be updated`, { link: this.id });
    if (oldProg && oldProg !== this.#prog) {
      throw new BpfError(EPERM, `link ${this.id}: its program is ${this.#prog?.id}, not ${oldProg.id}`, {
        link: this.id,
      });
    }
    if (prog === this.#prog && !this.type.replacesSame) return;
    at.update(prog);
    const old = this.#prog;
    this.#prog = prog.get();
    old?.put();
    this.#tell("replace");
  }

  /** It takes maps, not programs. */
  get ofMap(): boolean {
    return this.type === STRUCT_OPS_LINK;
  }

  /** BPF_LINK_UPDATE with maps. */
  updateMap(map: KMap, oldMap: KMap | undefined): void {
    const at = this.#attachment;
    if (!at?.updateMap) {
      if (!map.facts.structOps?.ready) throw map.map.error(EINVAL, "it is no struct_ops with functions in it");
      throw new BpfError(ENOLINK, `link ${this.id}: it has ended`, { link: this.id });
    }
    at.updateMap(map, () => {
      if (!oldMap || at.map === oldMap) return;
      throw new BpfError(EPERM, `link ${this.id}: its map is ${at.map?.id}, not ${oldMap.id}`, { link: this.id });
    });
    this.#tell("replace");
  }

  /** BPF_LINK_DETACH. */
  detach(): void {
    if (!this.#attachment) return;
    if (!this.#attachment.forcedDetach) {
      throw new BpfError(EOPNOTSUPP, `link ${this.id}: links of this type end with their last reference`, {
        link: this.id,
      });
    }
    this.#end("detach");
  }

  /** Its program, or what the attachment needs beside it, is taken away: the link stays, defunct. */
  override lose(lost: KObject): boolean {
    if (this.#attachment) this.#end("detach");
    if (lost === this.#prog) {
      this.#prog = undefined;
      lost.put();
    }
    return true;
  }

  /** The device, cgroup or other target disappeared. */
  targetGone(): void {
    if (this.#attachment) this.#end("defunct");
  }

  #end(what: "detach" | "defunct"): void {
    // Said of where it was.
    const info = this.info();
    const at = this.#attachment;
    if (this.type.keepsInfo) this.#kept = at?.info();
    this.#attachment = undefined;
    at?.detach();
    this.#tell(what, info);
  }

  #tell(what: "attach" | "detach" | "replace" | "defunct", { ifindex, cgroupId }: LinkInfo = this.info()): void {
    this.#kernel.events.emit({
      what,
      linkId: this.id,
      ...(this.#prog ? { progId: this.#prog.id } : {}),
      attachType: this.attachType,
      ...(ifindex === undefined ? {} : { ifindex }),
      ...(cgroupId === undefined ? {} : { cgroupId }),
    });
  }

  protected override release(): void {
    if (this.#attachment) this.#end("detach");
    this.#kernel.links.remove(this);
    this.#prog?.put();
  }
}

export function linkCreate(proc: Process, attr: LinkCreateAttr): Link {
  if (attr.attachType === BPF_STRUCT_OPS && attr.mapFd !== undefined) {
    return new Link(proc, STRUCT_OPS_LINK, undefined, attr);
  }
  const prog = proc.progAt(attr.progFd);
  const type = proc.kernel.linkTypes.find(prog.type, attr.attachType);
  if (!type) {
    throw new BpfError(
      EINVAL,
      `program '${prog.name}' of type ${prog.type}: no links of attach type ${attr.attachType}`,
      {
        progType: prog.type,
        attachType: attr.attachType,
      },
    );
  }
  return new Link(proc, type, prog, attr);
}
